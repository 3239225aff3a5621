"""Attention as a function: softmax over the places that may be read, and the sum it weighs."""

from __future__ import annotations

import math

from tinygrad_rnn.creation import arange
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.functional.checks import one_type
from tinygrad_rnn.nn.functional.layers import dropout
from tinygrad_rnn.tensor import Tensor


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return softmax over the last axis, of the places where `mask` holds.

    The others weigh 0, and so do all of a row in which the mask holds nowhere.
    """
    if mask is None:
        return scores.softmax(-1)
    # A row without any place keeps its scores: softmax of -inf alone would be NaN.
    taken = mask | ~mask.any(-1, keepdim=True)
    weights = where(taken, scores, -math.inf).softmax(-1)
    return where(mask, weights, 0.0)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(scale · query keyᵀ) value: for each query, an average of the values.

    Vaswani et al., 2017, "Attention is all you need".

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, D).
        attn_mask: broadcastable to (..., L, S): booleans, True where a value takes part, or
            numbers that are added to the scores. A query for which nothing takes part gets 0.
        dropout_p: the probability with which a weight is dropped, in training and otherwise.
        is_causal: whether query i reads the values 0 ... i only.
        scale: 1/√E by default.

    Raises:
        UnsupportedError: for `enable_gqa`.
        ShapeError, DtypeError: if shapes or types are others than these.
    """
    if enable_gqa:
        raise UnsupportedError(
            "scaled_dot_product_attention has no enable_gqa; repeat the heads of key and value"
        )
    _check_operands(query, key, value)
    if attn_mask is not None and not isinstance(attn_mask, Tensor):
        raise DtypeError(f"attn_mask is a Tensor, not {type(attn_mask).__name__}; see tensor()")
    if is_causal and attn_mask is not None:
        raise ArgumentError("attn_mask and is_causal exclude each other; put both into attn_mask")
    factor = 1.0 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    scores = (query * factor) @ key.mT
    mask = attn_mask
    if is_causal:
        mask = arange(key.shape[-2]) <= arange(query.shape[-2]).unsqueeze(1)
    if mask is not None and mask.is_floating_point():
        added = mask
        mask = added != -math.inf
        scores = scores + where(mask, added, 0.0)
    if mask is not None and mask.dtype.kind != "b":
        raise DtypeError(f"attn_mask holds booleans or floats, not {mask.dtype}; see .bool()")
    return dropout(masked_softmax(scores, mask), dropout_p) @ value


def _check_operands(query: Tensor, key: Tensor, value: Tensor) -> None:
    one_type("scaled_dot_product_attention", query, key, value)
    shapes = f"not {query.shape}, {key.shape} and {value.shape}"
    if min(query.ndim, key.ndim, value.ndim) < 2 or (
        query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]
    ):
        raise ShapeError(
            f"attention takes query (..., L, E), key (..., S, E) and value (..., S, D), {shapes}"
        )
