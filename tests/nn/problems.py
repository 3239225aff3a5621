"""Layers and losses as problems that several test files solve: with us, with PyTorch, compiled.

A problem is a function of leaves, written for both libraries: it gets the functional module `F`,
and `make`, which turns an array into a constant tensor.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from tests.tools import Array, Draw, draw_array


class Problem(NamedTuple):
    """A function `call(F, make, *leaves)` and the numbers of its leaves."""

    call: Callable[..., Any]
    inputs: list[Array]


PROBLEMS: dict[str, Callable[[Draw], Problem]] = {}
KINDS = st.sampled_from(["mean", "sum", "none"])


def problem(make: Callable[[Draw], Problem]) -> Callable[[Draw], Problem]:
    PROBLEMS[make.__name__] = make
    return make


def side(draw: Draw) -> int:
    return int(draw(st.integers(1, 3)))


def shape(draw: Draw, most: int = 3) -> tuple[int, ...]:
    return tuple(side(draw) for _ in range(draw(st.integers(1, most))))


def apart(draw: Draw, kinks: tuple[float, ...]) -> list[Array]:
    """A prediction and a target whose difference keeps away from the kinks."""
    where = shape(draw)
    target = draw_array(draw, where)
    return [target + draw_array(draw, where, away_from=kinks), target]


def some(draw: Draw, where: tuple[int, ...], low: float = 0.5, high: float = 2.0) -> Array | None:
    return draw_array(draw, where, low, high) if draw(st.booleans()) else None


@problem
def mse_loss(draw: Draw) -> Problem:
    kind = draw(KINDS)
    return Problem(lambda F, make, x, t: F.mse_loss(x, t, reduction=kind), apart(draw, ()))


@problem
def l1_loss(draw: Draw) -> Problem:
    kind = draw(KINDS)
    return Problem(lambda F, make, x, t: F.l1_loss(x, t, reduction=kind), apart(draw, (0.0,)))


@problem
def huber_loss(draw: Draw) -> Problem:
    kind, delta = draw(KINDS), draw(st.sampled_from([0.5, 1.0, 1.5]))
    return Problem(
        lambda F, make, x, t: F.huber_loss(x, t, reduction=kind, delta=delta),
        apart(draw, (-delta, 0.0, delta)),
    )


@problem
def smooth_l1_loss(draw: Draw) -> Problem:
    kind, beta = draw(KINDS), draw(st.sampled_from([0.0, 0.5, 1.0, 1.5]))
    return Problem(
        lambda F, make, x, t: F.smooth_l1_loss(x, t, reduction=kind, beta=beta),
        apart(draw, (-beta, 0.0, beta)),
    )


@problem
def binary_cross_entropy(draw: Draw) -> Problem:
    kind, where = draw(KINDS), shape(draw)
    weight = some(draw, where)
    # PyTorch adds 1e-12 to p (1 - p) in second derivatives, which shows nearer to 0 and 1.
    inputs = [draw_array(draw, where, 0.25, 0.75), draw_array(draw, where, 0.05, 0.95)]
    return Problem(
        lambda F, make, x, t: F.binary_cross_entropy(x, t, make(weight), reduction=kind), inputs
    )


@problem
def binary_cross_entropy_with_logits(draw: Draw) -> Problem:
    kind, where = draw(KINDS), shape(draw)
    weight, positive = some(draw, where[-1:]), some(draw, where[-1:])
    inputs = [draw_array(draw, where, -5.0, 5.0), draw_array(draw, where, 0.0, 1.0)]
    return Problem(
        lambda F, make, x, t: F.binary_cross_entropy_with_logits(
            x, t, weight=make(weight), reduction=kind, pos_weight=make(positive)
        ),
        inputs,
    )


@problem
def kl_div(draw: Draw) -> Problem:
    kind = draw(st.sampled_from(["batchmean", "sum", "none"]))
    log_target = draw(st.booleans())
    where = shape(draw)
    inputs = [draw_array(draw, where), draw_array(draw, where, 0.1, 2.0)]
    return Problem(
        lambda F, make, x, t: F.kl_div(x, t, reduction=kind, log_target=log_target), inputs
    )


def places(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The shape of logits and of class numbers, and the number of classes."""
    classes = side(draw)
    more = shape(draw, 2) if draw(st.booleans()) else ()
    if not more and draw(st.booleans()):
        return (classes,), (), classes
    batch = side(draw)
    return (batch, classes, *more), (batch, *more), classes


def class_numbers(draw: Draw, where: tuple[int, ...], classes: int) -> tuple[Array, int]:
    """Class numbers and what is ignored among them; one at least is not."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    ignore = draw(st.sampled_from([-100, -1, 0]))
    if classes == 1 or not where:
        ignore = -100
    target = np.asarray(random.integers(0, classes, where))
    if target.size > 1 and ignore < 0:
        target.flat[0] = ignore
    target.flat[-1] = classes - 1
    return target, ignore


@problem
def nll_loss(draw: Draw) -> Problem:
    logits, where, classes = places(draw)
    target, ignore = class_numbers(draw, where, classes)
    weight, kind = some(draw, (classes,)), draw(KINDS)
    return Problem(
        lambda F, make, x: F.nll_loss(
            x, make(target), weight=make(weight), ignore_index=ignore, reduction=kind
        ),
        [draw_array(draw, logits)],
    )


@problem
def cross_entropy(draw: Draw) -> Problem:
    logits, where, classes = places(draw)
    target, ignore = class_numbers(draw, where, classes)
    weight, kind = some(draw, (classes,)), draw(KINDS)
    smoothing = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return Problem(
        lambda F, make, x: F.cross_entropy(
            x,
            make(target),
            weight=make(weight),
            ignore_index=ignore,
            reduction=kind,
            label_smoothing=smoothing,
        ),
        [draw_array(draw, logits)],
    )


@problem
def cross_entropy_of_probabilities(draw: Draw) -> Problem:
    logits, _, classes = places(draw)
    weight, kind = some(draw, (classes,)), draw(KINDS)
    smoothing = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return Problem(
        lambda F, make, x, t: F.cross_entropy(
            x, t, weight=make(weight), reduction=kind, label_smoothing=smoothing
        ),
        [draw_array(draw, logits), draw_array(draw, logits, 0.0, 1.0)],
    )


@problem
def cosine_embedding_loss(draw: Draw) -> Problem:
    where = (side(draw), 2 + side(draw))
    target = np.where(draw_array(draw, where[:1]) > 0, 1, -1)
    margin, kind = draw(st.sampled_from([0.0, -0.9])), draw(KINDS)
    inputs = [draw_array(draw, where), draw_array(draw, where)]
    if np.abs(cosines(*inputs) - margin).min() < 0.05:
        margin = -1.0
    return Problem(
        lambda F, make, a, b: F.cosine_embedding_loss(
            a, b, make(target), margin=margin, reduction=kind
        ),
        inputs,
    )


def cosines(a: Array, b: Array) -> Array:
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / lengths)


@problem
def triplet_margin_loss(draw: Draw) -> Problem:
    where = (side(draw), side(draw)) if draw(st.booleans()) else (side(draw),)
    p, swap, kind = draw(st.sampled_from([2.0, 3.0])), draw(st.booleans()), draw(KINDS)
    # Far enough apart that neither a distance nor the margin is near its kink.
    inputs = [draw_array(draw, where, at, at + 0.5) for at in (0.0, 2.0, 7.0)]
    return Problem(
        lambda F, make, a, b, c: F.triplet_margin_loss(
            a, b, c, margin=30.0, p=p, swap=swap, reduction=kind
        ),
        inputs,
    )


@problem
def cosine_similarity(draw: Draw) -> Problem:
    where = (side(draw), side(draw), side(draw))
    dim = draw(st.integers(-3, 2))
    inputs = [draw_array(draw, where, away_from=(0.0,)) for _ in range(2)]
    return Problem(lambda F, make, a, b: F.cosine_similarity(a, b, dim=dim), inputs)


@problem
def pairwise_distance(draw: Draw) -> Problem:
    p, keep = draw(st.sampled_from([2.0, 1.0, 3.0])), draw(st.booleans())
    inputs = apart(draw, (0.0,))
    return Problem(lambda F, make, a, b: F.pairwise_distance(a, b, p=p, keepdim=keep), inputs)


@problem
def normalize(draw: Draw) -> Problem:
    p = draw(st.sampled_from([2.0, 1.0, 3.0]))
    x = draw_array(draw, (side(draw), side(draw)), away_from=(0.0,))
    return Problem(lambda F, make, a: F.normalize(a, p=p), [x])


@problem
def layer_norm(draw: Draw) -> Problem:
    where = shape(draw)
    count = draw(st.integers(1, len(where)))
    normalized, eps = where[-count:], draw(st.sampled_from([1e-5, 0.3]))
    weight = draw(st.booleans())
    # PyTorch has no second derivative with a bias alone.
    bias = weight and draw(st.booleans())
    inputs = [draw_array(draw, where)] + [draw_array(draw, normalized)] * (weight + bias)

    def call(F: Any, make: Any, x: Any, *held: Any) -> Any:
        gain = held[0] if weight else None
        return F.layer_norm(x, normalized, gain, held[-1] if bias else None, eps)

    return Problem(call, inputs)


@problem
def scaled_dot_product_attention(draw: Draw) -> Problem:
    lead = shape(draw, 2)
    queries, memory, size, out = (side(draw) for _ in range(4))
    kind = draw(st.sampled_from(["none", "bool", "float", "causal"]))
    scale = draw(st.sampled_from([None, 0.7]))
    inputs = [
        draw_array(draw, (*lead, queries, size)),
        draw_array(draw, (*lead, memory, size)),
        draw_array(draw, (*lead, memory, out)),
    ]
    mask = draw_array(draw, (queries, memory))
    hidden = draw_array(draw, (*lead, queries, memory)) > 0

    def call(F: Any, make: Any, q: Any, k: Any, v: Any) -> Any:
        attn_mask = {"bool": hidden, "float": mask}.get(kind)
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=make(attn_mask), is_causal=kind == "causal", scale=scale
        )

    return Problem(call, inputs)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "softplus": lambda F, make, x: F.softplus(x * 4.0, beta=1.7, threshold=3.0),
    "logsigmoid": lambda F, make, x: F.logsigmoid(x),
    "gelu": lambda F, make, x: F.gelu(x),
    "gelu_of_tanh": lambda F, make, x: F.gelu(x, approximate="tanh"),
    "silu": lambda F, make, x: F.silu(x),
    "leaky_relu": lambda F, make, x: F.leaky_relu(x, 0.2),
    "elu": lambda F, make, x: F.elu(x, alpha=1.3),
    "hardtanh": lambda F, make, x: F.hardtanh(x, -0.7, 0.9),
}
KINKS = (0.0, -0.7, 0.9, 3.0 / 4.0 / 1.7)
for name, function in ACTIVATIONS.items():
    PROBLEMS[name] = lambda draw, call=function: Problem(  # type: ignore[misc]
        call, [draw_array(draw, shape(draw), away_from=KINKS)]
    )
