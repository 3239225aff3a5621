"""Layers and losses as functions, under the names of torch.nn.functional."""

from __future__ import annotations

import math

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import probability
from tinygrad_rnn.creation import one_hot as one_hot
from tinygrad_rnn.creation import rand
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.functions import log_softmax as log_softmax
from tinygrad_rnn.functions import relu as relu
from tinygrad_rnn.functions import sigmoid as sigmoid
from tinygrad_rnn.functions import softmax as softmax
from tinygrad_rnn.functions import tanh as tanh
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.tensor import Tensor, apply


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).
    """
    if x.ndim == 0 or weight.ndim != 2 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear takes x (..., in) and weight (out, in), not {x.shape} and {weight.shape}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(
            f"linear with weight {weight.shape} takes bias {weight.shape[:1]}, not {bias.shape}"
        )
    if x.dtype != weight.dtype:
        raise DtypeError(
            f"linear got x as {x.dtype} and weight as {weight.dtype}; convert x with "
            f".to(weight.dtype), or the module with .to(x.dtype)"
        )
    if x.ndim == 1:
        return linear(x.unsqueeze(0), weight, bias).squeeze(0)
    return apply(ops.linear, x, weight, bias)


def embedding(index: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Return weight[index]: a row of the table for each index.

    Args:
        index: integers of any shape.
        weight: (V, D).
        padding_idx: an index whose row receives no gradient.

    Raises:
        OutOfRangeError: if an index is outside 0 ... V - 1.
    """
    if not isinstance(index, Tensor):
        raise DtypeError(f"embedding takes a tensor of indices, not {type(index).__name__}")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"embedding takes integer indices, not {index.dtype}; see .long()")
    rows = weight.shape[0]
    index = apply(
        ops.require_range,
        index,
        low=0,
        high=rows,
        ignore=None,
        message="embedding got index {value}, its table has rows 0..{last}",
    )
    looked_up = weight[index]
    if padding_idx is None:
        return looked_up
    padded = (index == padding_idx % rows).unsqueeze(-1)
    return where(padded, looked_up.detach(), looked_up)


def dropout(
    x: Tensor, p: float = 0.5, training: bool = True, generator: Generator = default_generator
) -> Tensor:
    """Set each element to 0 with probability p and divide the others by 1 - p, in training.

    Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """
    probability(p)
    if not x.is_floating_point():
        raise DtypeError(f"dropout takes a floating tensor, not {x.dtype}; convert with .float()")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    kept = rand(x.shape, dtype=x.dtype, generator=generator) >= p
    return x * (kept.to(x.dtype) * (1.0 / (1.0 - p)))


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + eˣ)."""
    return x.softplus()


def logsigmoid(x: Tensor) -> Tensor:
    """Return log(1 / (1 + e⁻ˣ)), without overflow."""
    return -(-x).softplus()


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel, 2016).

    `approximate="tanh"` gives x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    """
    if approximate == "none":
        return x * (((x * math.sqrt(0.5)).erf() + 1.0) * 0.5)
    if approximate == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2.0 / math.pi)
        return x * ((inner.tanh() + 1.0) * 0.5)
    raise ArgumentError(f"approximate is 'none' or 'tanh', not {approximate!r}")


def pad(x: Tensor, widths: tuple[int, ...], value: float = 0.0) -> Tensor:
    """Surround with a constant: `widths` are (before, after) of the last axis, then the one before.

    Negative widths are not taken; slice instead.
    """
    several = isinstance(widths, (tuple, list))
    if not several or len(widths) % 2 or len(widths) > 2 * x.ndim or any(n < 0 for n in widths):
        raise ArgumentError(
            f"pad takes pairs of non-negative widths for at most {x.ndim} axes, not {widths}"
        )
    pairs = [(widths[i], widths[i + 1]) for i in range(0, len(widths), 2)]
    untouched = [(0, 0)] * (x.ndim - len(pairs))
    return apply(ops.pad, x, widths=(*untouched, *reversed(pairs)), value=value)


# ---------------------------------------------------------------------- losses


def mse_loss(x: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return the mean of (x - target)²."""
    if x.shape != target.shape:
        raise ShapeError(
            f"mse_loss compares equal shapes, not {x.shape} and {target.shape}; reshape or expand "
            "one of them"
        )
    difference = x - target
    return _reduced(difference * difference, reduction)


def nll_loss(
    log_probabilities: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of -log p(target). See `cross_entropy` for shapes and arguments."""
    picked, weights = _picked(log_probabilities, target, weight, ignore_index)
    return _weighted_mean(-picked, weights, reduction)


def cross_entropy(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the mean of -log softmax(x)[target], in nats.

    Args:
        x: logits, (N, C) or (N, C, ...) or (C,).
        target: integers 0 ... C - 1, (N,) or (N, ...) or ().
        weight: a weight for each class, (C,); the mean is weighted with them.
        ignore_index: targets of this value count for nothing.
        reduction: "mean", "sum" or "none".
        label_smoothing: ε of the target (1 - ε) onehot + ε / C.

    Raises:
        OutOfRangeError: if a target is no class.
        ShapeError, DtypeError: if shapes or types are others than these.
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise ArgumentError(f"label_smoothing lies between 0 and 1, not {label_smoothing}")
    log_probabilities = x.log_softmax(0 if x.ndim == 1 else 1)
    picked, weights = _picked(log_probabilities, target, weight, ignore_index)
    loss = _weighted_mean(-picked, weights, reduction)
    if label_smoothing == 0.0:
        return loss
    axis = 0 if x.ndim == 1 else 1
    spread = log_probabilities
    if weight is not None:
        spread = spread * weight.reshape([-1] + [1] * (x.ndim - 1 - axis))
    counted = (target != ignore_index).to(x.dtype)
    smooth = -spread.sum(axis) * counted
    total = weights.sum() if reduction == "mean" else 1.0
    smooth = (smooth if reduction == "none" else smooth.sum()) / total
    return loss * (1.0 - label_smoothing) + smooth * (label_smoothing / x.shape[axis])


def _picked(
    log_probabilities: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Return the log-probability of each target, and the weight with which it counts."""
    if not isinstance(target, Tensor):
        raise DtypeError(f"targets are a tensor of class numbers, not {type(target).__name__}")
    axis = 0 if log_probabilities.ndim == 1 else 1
    shape = log_probabilities.shape[:axis] + log_probabilities.shape[axis + 1 :]
    if log_probabilities.ndim == 0 or target.shape != shape:
        raise ShapeError(
            f"logits {log_probabilities.shape} need targets of shape {shape}, not {target.shape}; "
            "the classes are axis 1 (see reshape and permute)"
        )
    if target.dtype.kind not in "iu":
        raise DtypeError(f"targets are class numbers (integers), not {target.dtype}; see .long()")
    classes = log_probabilities.shape[axis]
    target = apply(
        ops.require_range,
        target,
        low=0,
        high=classes,
        ignore=ignore_index,
        message=f"target {{value}} is none of the {classes} classes 0..{{last}}; "
        f"ignore_index is {ignore_index}",
    )
    counted = target != ignore_index
    known = where(counted, target, 0)
    found = apply(ops.gather, log_probabilities, known.unsqueeze(axis), axis=axis)
    picked = found.squeeze(axis)
    weights = counted.to(log_probabilities.dtype)
    if weight is not None:
        if weight.shape != (classes,):
            raise ShapeError(f"weight needs shape ({classes},), not {weight.shape}")
        weights = weights * weight[known]
    return picked, weights


def _weighted_mean(loss: Tensor, weights: Tensor, reduction: str) -> Tensor:
    weighted = loss * weights
    if reduction == "mean":
        return weighted.sum() / weights.sum()
    return _reduced(weighted, reduction)


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ArgumentError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
