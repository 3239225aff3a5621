"""Losses: how far predictions are from targets, as one number or one for each."""

from __future__ import annotations

from tinygrad_rnn import ops
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.functional.checks import equal_shapes, floating, legacy_reduction, number
from tinygrad_rnn.nn.functional.distances import pairwise_distance
from tinygrad_rnn.tensor import Tensor, apply

# ---------------------------------------------------------------------- regression


@legacy_reduction
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return the mean of (x - target)²."""
    equal_shapes("mse_loss", input, target)
    difference = input - target
    return _reduced(difference * difference, reduction)


@legacy_reduction
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the mean of |x - target|."""
    equal_shapes("l1_loss", input, target)
    return _reduced((input - target).abs(), reduction)


@legacy_reduction
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Return the mean of d²/2 where |d| ≤ delta, else of delta (|d| - delta/2); d = x - target.

    Huber, 1964, "Robust estimation of a location parameter".
    """
    equal_shapes("huber_loss", input, target)
    if not number("delta", delta) > 0:
        raise ArgumentError(f"delta is above 0, not {delta!r}")
    d = input - target
    size = d.abs()
    return _reduced(where(size <= delta, d * d * 0.5, (size - 0.5 * delta) * delta), reduction)


@legacy_reduction
def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Return the mean of d²/(2 beta) where |d| < beta, else of |d| - beta/2; d = x - target.

    It is `huber_loss` over beta, and with beta = 0 it is `l1_loss`. Girshick, 2015, "Fast R-CNN".
    """
    equal_shapes("smooth_l1_loss", input, target)
    if not number("beta", beta) >= 0:
        raise ArgumentError(f"beta is 0 or more, not {beta!r}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    d = input - target
    size = d.abs()
    return _reduced(where(size < beta, d * d * (0.5 / beta), size - 0.5 * beta), reduction)


# ---------------------------------------------------------------------- probabilities


@legacy_reduction
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Return the mean of -(t log p + (1 - t) log(1 - p)), p the input and t the target.

    As in PyTorch, a logarithm counts as -100 at least, and where p (1 - p) is below 1e-12 the
    gradient is (p - t) 1e12. Logits are better given to `binary_cross_entropy_with_logits`.

    Args:
        input: probabilities, of any shape.
        target: of the same shape, between 0 and 1.
        weight: a factor for each element; broadcast to them.

    Raises:
        ArgumentError: if an input is no probability.
    """
    equal_shapes("binary_cross_entropy", input, target)
    p = input.detach()
    apply(
        ops.require_true,
        ~((p < 0.0) | (p > 1.0)),
        p,
        message="binary_cross_entropy takes probabilities between 0 and 1, not "
        "{least}..{greatest}; see binary_cross_entropy_with_logits",
    )
    steep = p * (1.0 - p) < 1e-12
    inner = where(steep, 0.5, input)
    loss = (target - 1.0) * (-inner).log1p() - target * inner.log()
    limit = (target - 1.0) * (-p).log1p().clamp(min=-100.0) - target * p.log().clamp(min=-100.0)
    slope = (p - target.detach()) * 1e12
    loss = where(steep, limit + (input - p) * slope, loss)
    return _reduced(_weighted(loss, weight), reduction)


@legacy_reduction
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the mean of -(w t log σ(x) + (1 - t) log(1 - σ(x))), w the pos_weight (or 1).

    Args:
        input: logits, of any shape.
        target: of the same shape, between 0 and 1.
        weight: a factor for each element; broadcast to them.
        pos_weight: what positive targets count for; broadcast to the elements.
    """
    equal_shapes("binary_cross_entropy_with_logits", input, target)
    negative = (-input).softplus()  # -log σ(x)
    if pos_weight is not None:
        floating("pos_weight", pos_weight)
        negative = _weighted(negative, (pos_weight - 1.0) * target + 1.0, "pos_weight")
    return _reduced(_weighted((1.0 - target) * input + negative, weight), reduction)


@legacy_reduction
def kl_div(
    input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return the mean of t (log t - x), x the logarithm of a probability and t the target's.

    `reduction="batchmean"` divides the sum by the length of the first axis, which makes it the
    divergence of Kullback and Leibler, 1951; "mean" divides by the number of elements.

    Args:
        input: log-probabilities, of any shape.
        target: probabilities, or with `log_target` their logarithms, of the same shape.
    """
    equal_shapes("kl_div", input, target)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        # t log t is 0 at 0.
        loss = target * where(target == 0, 1.0, target).log() - target * input
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.ndim else 1)
    return _reduced(loss, reduction)


# ---------------------------------------------------------------------- classes


@legacy_reduction
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of -log p(target), the input being log p. For arguments see `cross_entropy`.

    Its targets are class numbers.
    """
    floating("nll_loss", input)
    _check_classes("nll_loss", input, weight)
    loss, weights = _negative_log(input, target, weight, ignore_index)
    return _weighted_mean(loss, weights, reduction)


@legacy_reduction
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the mean of -log softmax(x)[target], in nats.

    Args:
        input: logits, (N, C) or (N, C, ...) or (C,).
        target: integers 0 ... C - 1, (N,) or (N, ...) or (); or a probability for each class, in
            the shape of the logits. Of these the mean is taken over all N, weighted or not.
        weight: a weight for each class, (C,); the mean over class numbers is weighted with them.
        ignore_index: targets of this value count for nothing; class numbers only.
        reduction: "mean", "sum" or "none".
        label_smoothing: ε of the target (1 - ε) onehot + ε / C.

    Raises:
        OutOfRangeError: if a target is no class.
        ShapeError, DtypeError: if shapes or types are others than these.
    """
    if not 0.0 <= number("label_smoothing", label_smoothing) <= 1.0:
        raise ArgumentError(f"label_smoothing lies between 0 and 1, not {label_smoothing!r}")
    floating("cross_entropy", input)
    axis = _check_classes("cross_entropy", input, weight)
    log_probabilities = input.log_softmax(axis)
    classes = input.shape[axis]
    if isinstance(target, Tensor) and target.is_floating_point() and target.shape == input.shape:
        if _integer(ignore_index) >= 0:
            raise ArgumentError(
                f"ignore_index {ignore_index} has no meaning for targets that are probabilities"
            )
        equal_shapes("cross_entropy", input, target)
        mixed = target * (1.0 - label_smoothing) + label_smoothing / classes
        loss = -(mixed * _times(log_probabilities, weight, axis)).sum(axis)
        return _reduced(loss, reduction)
    loss, weights = _negative_log(log_probabilities, target, weight, ignore_index)
    sharp = _weighted_mean(loss, weights, reduction)
    if label_smoothing == 0.0:
        return sharp
    total_of_classes = _times(log_probabilities, weight, axis).sum(axis)
    smooth = where(target != ignore_index, -total_of_classes, 0.0)
    total = weights.sum() if reduction == "mean" else 1.0
    smooth = (smooth if reduction == "none" else smooth.sum()) / total
    return sharp * (1.0 - label_smoothing) + smooth * (label_smoothing / classes)


def _check_classes(name: str, x: Tensor, weight: Tensor | None) -> int:
    """Return the axis of the classes."""
    if x.ndim == 0:
        raise ShapeError(f"{name} takes (N, C), (N, C, ...) or (C,), not a tensor without axes")
    axis = 0 if x.ndim == 1 else 1
    if weight is not None:
        if not isinstance(weight, Tensor):
            raise DtypeError(f"weight is a Tensor, not {type(weight).__name__}; see tensor()")
        if weight.shape != (x.shape[axis],):
            raise ShapeError(f"weight needs shape ({x.shape[axis]},), not {weight.shape}")
    return axis


def _times(log_probabilities: Tensor, weight: Tensor | None, axis: int) -> Tensor:
    """Multiply each class with its weight."""
    if weight is None:
        return log_probabilities
    return log_probabilities * weight.reshape([-1] + [1] * (log_probabilities.ndim - 1 - axis))


def _negative_log(
    log_probabilities: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Return the weighted -log p of each target, 0 where ignored, and the weights."""
    if not isinstance(target, Tensor):
        raise DtypeError(f"targets are a tensor of class numbers, not {type(target).__name__}")
    axis = 0 if log_probabilities.ndim == 1 else 1
    shape = log_probabilities.shape[:axis] + log_probabilities.shape[axis + 1 :]
    if target.shape != shape:
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
        ignore=_integer(ignore_index),
        message=f"target {{value}} is none of the {classes} classes 0..{{last}}; "
        f"ignore_index is {ignore_index}",
    )
    counted = target != ignore_index
    known = where(counted, target, 0)
    found = apply(ops.gather, log_probabilities, known.unsqueeze(axis), axis=axis)
    weights = counted.to(log_probabilities.dtype)
    if weight is not None:
        weights = weights * weight[known]
    # What is ignored may be infinite, and 0 times that would be NaN.
    return where(counted, -found.squeeze(axis) * weights, 0.0), weights


def _integer(ignore_index: int) -> int:
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, int):
        raise ArgumentError(f"ignore_index is an integer, not {ignore_index!r}")
    return ignore_index


def _weighted_mean(loss: Tensor, weights: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.sum() / weights.sum()
    return _reduced(loss, reduction)


# ---------------------------------------------------------------------- pairs and triplets


@legacy_reduction
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, *, reduction: str = "mean"
) -> Tensor:
    """Return the mean of 1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) where -1.

    Args:
        input1: a, (N, D) or (D,).
        input2: b, of the same shape.
        target: 1 for pairs that belong together and -1 for others, (N,) or ().
    """
    equal_shapes("cosine_embedding_loss", input1, input2)
    if not isinstance(target, Tensor) or not input1.ndim or target.shape != input1.shape[:-1]:
        shape = getattr(target, "shape", type(target).__name__)
        raise ShapeError(
            f"cosine_embedding_loss of {input1.shape} takes targets {input1.shape[:-1]}, one for "
            f"each vector, not {shape}"
        )
    # PyTorch's constant, which keeps the root away from 0.
    squares = [(x * x).sum(-1) + 1e-12 for x in (input1, input2)]
    cosine = (input1 * input2).sum(-1) / (squares[0] * squares[1]).sqrt()
    apart = where(target == -1, (cosine - margin).clamp(min=0.0), 0.0)
    return _reduced(where(target == 1, 1.0 - cosine, apart), reduction)


@legacy_reduction
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of max(0, d(anchor, positive) - d(anchor, negative) + margin).

    d is `pairwise_distance`; with `swap`, the smaller of the two distances to the negative counts.
    Balntas et al., 2016, "Learning local feature descriptors with triplets and shallow
    convolutional neural networks".

    Args:
        anchor: (N, D) or (D,).
        positive: what the anchor belongs to, of the same shape.
        negative: what it does not belong to, of the same shape.
    """
    equal_shapes("triplet_margin_loss", anchor, positive)
    equal_shapes("triplet_margin_loss", anchor, negative)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return _reduced((near - far + margin).clamp(min=0.0), reduction)


# ---------------------------------------------------------------------- what they share


def _weighted(loss: Tensor, weight: Tensor | None, name: str = "weight") -> Tensor:
    if weight is None:
        return loss
    if not isinstance(weight, Tensor):
        raise DtypeError(f"{name} is a Tensor, not {type(weight).__name__}; see tensor()")
    weighted = loss * weight
    if weighted.shape != loss.shape:
        raise ShapeError(f"{name} {weight.shape} cannot be broadcast to the elements {loss.shape}")
    return weighted


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ArgumentError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")
