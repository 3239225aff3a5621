"""Layers as functions: affine maps, look-ups, dropout, normalisation, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import probability, shape_of
from tinygrad_rnn.creation import rand
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.functional.checks import applied, floating, number
from tinygrad_rnn.tensor import Tensor, apply


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b.

    Args:
        input: x, (..., in).
        weight: (out, in).
        bias: (out,).

    Raises:
        ShapeError, DtypeError: if shapes or types are others than these.
    """
    for x in (input, weight) if bias is None else (input, weight, bias):
        if not isinstance(x, Tensor):
            raise DtypeError(f"linear takes tensors, not {type(x).__name__}; see tensor()")
    if input.ndim == 0 or weight.ndim != 2 or input.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear takes x (..., in) and weight (out, in), not {input.shape} and {weight.shape}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(
            f"linear with weight {weight.shape} takes bias {weight.shape[:1]}, not {bias.shape}"
        )
    if input.dtype != weight.dtype:
        raise DtypeError(
            f"linear got x as {input.dtype} and weight as {weight.dtype}; convert x with "
            f".to(weight.dtype), or the module with .to(x.dtype)"
        )
    return apply(ops.linear, input, weight, bias)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return weight[index]: a row of the table for each index.

    Args:
        input: indices, integers of any shape.
        weight: (V, D).
        padding_idx: an index whose row receives no gradient.
        max_norm, norm_type, scale_grad_by_freq, sparse: not supported.

    Raises:
        OutOfRangeError: if an index is outside 0 ... V - 1.
        UnsupportedError: for what is not supported.
    """
    refuse_options(max_norm, scale_grad_by_freq, sparse)
    for x, name in ((input, "indices"), (weight, "rows")):
        if not isinstance(x, Tensor):
            raise DtypeError(f"embedding takes a tensor of {name}, not {type(x).__name__}")
    if input.dtype.kind not in "iu":
        raise DtypeError(f"embedding takes integer indices, not {input.dtype}; see .long()")
    if weight.ndim != 2:
        raise ShapeError(f"embedding takes a table (V, D), not {weight.shape}")
    rows = weight.shape[0]
    require_row(padding_idx, rows)
    index = apply(
        ops.require_range,
        input,
        low=0,
        high=rows,
        ignore=None,
        message="embedding got index {value}, its table has rows 0..{last}",
    )
    looked_up = apply(ops.getitem, weight, index, index=(ops.ARRAY,))
    if padding_idx is None:
        return looked_up
    padded = (index == padding_idx % rows).unsqueeze(-1)
    return where(padded, looked_up.detach(), looked_up)


def require_row(padding_idx: int | None, rows: int) -> None:
    """Raise ArgumentError unless this is None or the number of a row, counted from either end."""
    if padding_idx is None:
        return
    if not isinstance(padding_idx, (int, np.integer)) or not -rows <= padding_idx < rows:
        raise ArgumentError(f"padding_idx {padding_idx!r} is none of {rows} rows")


def refuse_options(max_norm: float | None, scale_grad_by_freq: bool, sparse: bool) -> None:
    """Raise UnsupportedError for what PyTorch's embedding can do and ours cannot."""
    if max_norm is not None:
        raise UnsupportedError(
            "embedding has no max_norm, which overwrites the table while it is read; rescale its "
            "rows after optimizer.step(), under no_grad()"
        )
    if scale_grad_by_freq:
        raise UnsupportedError(
            "embedding has no scale_grad_by_freq; divide weight.grad by the counts before the step"
        )
    if sparse:
        raise UnsupportedError("the gradient of embedding is dense; leave sparse=True out")


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Generator = default_generator,
) -> Tensor:
    """Set each element to 0 with probability p and divide the others by 1 - p, in training.

    Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """
    probability(p)
    if not isinstance(input, Tensor):
        raise DtypeError(f"dropout takes a tensor, not {type(input).__name__}; see tensor()")
    if not input.is_floating_point():
        raise DtypeError(
            f"dropout takes a floating tensor, not {input.dtype}; convert with .float()"
        )
    if not training or p == 0.0:
        return input
    if p == 1.0:
        return applied(lambda x: x * 0.0, input, inplace)
    kept = rand(input.shape, dtype=input.dtype, generator=generator) >= p
    scale = kept.to(input.dtype) * (1.0 / (1.0 - p))
    return applied(lambda x: x * scale, input, inplace)


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - μ) / √(σ² + eps) * weight + bias, with μ and σ² those of the last axes of x.

    σ² is the mean of (x - μ)², not corrected for the number of elements. Ba, Kiros and Hinton,
    2016, "Layer normalization".

    Args:
        input: x, (..., *normalized_shape).
        normalized_shape: the lengths of the axes to normalise over, or the length of the last.
        weight: the gain, of `normalized_shape`.
        bias: of `normalized_shape`.
        eps: keeps the divisor above 0.

    Raises:
        ShapeError, DtypeError: if shapes or types are others than these.
    """
    floating("layer_norm", *(x for x in (input, weight, bias) if x is not None))
    shape = shape_of((normalized_shape,))
    if not shape or input.shape[-len(shape) :] != shape:
        raise ShapeError(
            f"layer_norm over {shape} takes x (..., {', '.join(map(str, shape))}), not "
            f"{input.shape}"
        )
    if not number("eps", eps) >= 0:
        raise ArgumentError(f"eps is 0 or more, not {eps}")
    for name, held in (("weight", weight), ("bias", bias)):
        if held is not None and held.shape != shape:
            raise ShapeError(f"layer_norm over {shape} takes {name} {shape}, not {held.shape}")
        if held is not None and held.dtype != input.dtype:
            raise DtypeError(
                f"layer_norm got x as {input.dtype} and {name} as {held.dtype}; convert x with "
                f".to({name}.dtype), or the module with .to(x.dtype)"
            )
    axes = tuple(range(input.ndim - len(shape), input.ndim))
    centred = input - input.mean(axes, keepdim=True)
    variance = (centred * centred).mean(axes, keepdim=True)
    out = centred / (variance + eps).sqrt()
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Surround with a constant (0): `pad` are (before, after) of the last axis, then the others.

    Negative widths are not taken; slice instead.

    Raises:
        UnsupportedError: for another mode than "constant".
    """
    if mode != "constant":
        raise UnsupportedError(f"pad has the mode 'constant' only, not {mode!r}; see cat and flip")
    if not isinstance(input, Tensor):
        raise DtypeError(f"pad takes a tensor, not {type(input).__name__}; see tensor()")
    several = isinstance(pad, (tuple, list))
    if not several or len(pad) % 2 or len(pad) > 2 * input.ndim or not all(map(_is_width, pad)):
        raise ArgumentError(
            f"pad takes pairs of non-negative widths for at most {input.ndim} axes, not {pad}"
        )
    fill = 0.0 if value is None else number("value", value)
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    untouched = [(0, 0)] * (input.ndim - len(pairs))
    return apply(ops.pad, input, widths=(*untouched, *reversed(pairs)), value=fill)


def _is_width(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and bool(n >= 0)
