"""Random programs: compiled with passes on or off, they give what eager execution gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies, gradients, normal
from tests.tools import Draw, examples
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.jit import jit
from tinygrad_rnn.jit.passes import NAMES

SIDE = 3
# Everything has the shape (3, 3), (3,) or (), so that most operations fit and few kernels do.
UNARY: dict[str, Callable[[tg.Tensor], Any]] = {
    "neg": lambda x: -x,
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "exp": lambda x: (x * 0.1).tanh().exp(),
    "relu": lambda x: x.relu(),
    "abs": lambda x: x.abs(),
    "square": lambda x: (x * 0.3).square(),
    "clamp": lambda x: x.clamp(-1.0, 1.0),
    "sqrt": lambda x: (x * x + 1.0).sqrt(),
    "flip": lambda x: x.flip(0),
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
    "contiguous": lambda x: x.contiguous(),
    "sum": lambda x: x.sum(0),
    "mean of the last": lambda x: x.mean(-1),
    "amax": lambda x: x.amax(-1, keepdim=True).expand(*x.shape),
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(0),
    "logsumexp": lambda x: x.logsumexp(-1),
    "cumsum": lambda x: x.cumsum(0) * 0.3,
    "norm": lambda x: (x + 0.1).norm(2, -1),
    "row": lambda x: x[1],
    "column": lambda x: x[..., -1],
    "backwards": lambda x: x[..., ::2].sum(-1),
    "rows by index": lambda x: x[tg.tensor([2, 0, 2])],
    "gather": lambda x: x.gather(0, tg.zeros(*x.shape, dtype=tg.int64)),
    "unbind": lambda x: tg.stack(x.unbind(0)[::-1], 0),
    "split": lambda x: tg.cat(x.split([1, 2], 0)[::-1], 0),
    "chunk": lambda x: sum(x.chunk(3, 0)).squeeze(0),
    "scalar": lambda x: x.sum(),
    "pad": lambda x: tg.nn.functional.pad(x[..., :2], (1, 0), value=0.5),
    "masked": lambda x: x.masked_fill(x > 0.5, 0.25),
    "transpose": lambda x: x.transpose(0, -1),
    "and its transpose": lambda x: x + x.transpose(0, -1),
    "and its reverse": lambda x: x * x.flip(-1),
    "and one of its rows": lambda x: x - x[1],
    "and a part of its rows": lambda x: x * x[..., :1],
    "reshape": lambda x: x.reshape(-1).reshape(*x.shape),
}
BINARY: dict[str, Callable[[tg.Tensor, tg.Tensor], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1.0),
    "maximum": lambda a, b: a.maximum(b),
    "where": lambda a, b: tg.where(a > b, a, b * 2.0),
    "matmul": lambda a, b: (a @ b) * 0.3 if a.ndim and b.ndim else a * b,
    "linear": lambda a, b: (
        tg.nn.functional.linear(a, b) * 0.3 if a.ndim and b.ndim == 2 else a - b
    ),
    "stack": lambda a, b: tg.stack([a, b], -1).sum(-1) if a.shape == b.shape else a + b,
    "cat": lambda a, b: tg.cat([a, b], 0)[1:4] if a.shape == b.shape and a.ndim else a * b,
}
# Assignments to what outlives the step, beside the simplest.
PARTS = ("add to a part", "subtract")
# An operation needs axes unless it is one of these.
FREE = {"neg", "tanh", "sigmoid", "exp", "relu", "abs", "square", "clamp", "sqrt", "clone"}
FREE |= {"detach", "contiguous", "scalar", "masked"}
SHAPES = ((SIDE, SIDE), (SIDE,), ())

# Every step of shrinking would compile; the seed that is printed finds the program again.
unshrunk = settings(phases=(Phase.explicit, Phase.reuse, Phase.generate))
Instruction = tuple[str, int, int]
instructions = st.tuples(
    st.sampled_from([*UNARY, *BINARY, *BINARY, "assign", "assign row", "add to", *PARTS]),
    st.integers(0, 99),
    st.integers(0, 99),
)


def run(program: list[Instruction], leaves: list[tg.Tensor], held: list[tg.Tensor]) -> Any:
    """Carry out a program on a growing list of values; return all of them and the loss."""
    made = [*leaves, *held]
    for name, i, j in program:
        a, b = made[i % len(made)], made[j % len(made)]
        target = held[i % len(held)]
        with tg.no_grad():
            if name == "assign":
                target.assign(b.detach() * 0.5 if b.shape == target.shape else 0.25)
            elif name == "assign row" and target.ndim:
                target[j % SIDE] = b.detach().sum() * 0.1
            elif name == "add to":
                target.add_(1.0)
            elif name == "add to a part" and target.ndim:
                target.reshape(-1)[1:3].add_(1.0)
            elif name == "subtract":
                target.sub_(b.detach() * 0.3 if b.shape == target.shape else 0.1)
        if name in BINARY:
            made.append(BINARY[name](a, b))
        elif name in UNARY and (a.ndim or name in FREE):
            made.append(UNARY[name](a))
    fresh = made[len(leaves) + len(held) :]
    total = tg.zeros((), dtype=leaves[0].dtype)
    for x in fresh[-4:]:
        total = total + (x * 0.5).sum()
    for leaf in leaves:
        leaf.grad = None
    if total.requires_grad:
        try:
            total.backward()
        except GraphError:
            # It assigned to what the backward pass reads.
            reject()
    return [x.detach() for x in fresh], total.detach()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@settings(unshrunk, max_examples=examples(25).max_examples)
@given(data=st.data())
def test_random_programs(dtype: Any, data: Draw) -> None:
    """A program's results, gradients or assignments differ when it is compiled."""
    program = data.draw(st.lists(instructions, min_size=1, max_size=14))
    # Fused expressions are compiled one by one, which takes time; most programs do without.
    fuses = data.draw(st.integers(0, 5)) == 5
    off = set(data.draw(st.lists(st.sampled_from(NAMES), max_size=3)))
    off = off - {"fuse"} if fuses else off | {"fuse"}
    runs = []
    for compiled in (False, True):
        leaves = [normal(*s, seed=1, dtype=dtype).requires_grad_() for s in SHAPES]
        held = [normal(*s, seed=2, dtype=dtype) for s in SHAPES]
        step: Any = jit(lambda a, b, h: run(program, [a, *b], h), off=off) if compiled else None
        shown = []
        for seed in range(3):
            leaves[0] = normal(SIDE, SIDE, seed=10 + seed, dtype=dtype).requires_grad_()
            found = step(leaves[0], leaves[1:], held) if compiled else run(program, leaves, held)
            shown.append((copies(found), gradients(leaves), copies(held)))
        runs.append(shown)
    assert_agree(runs[1], runs[0], 1e-9 if dtype is np.float64 else 1e-4)


@settings(unshrunk, max_examples=examples(5).max_examples)
@given(
    program=st.lists(instructions, min_size=6, max_size=14),
    off=st.sets(st.sampled_from(NAMES), max_size=4),
)
def test_random_programs_checked_inside(program: list[Instruction], off: set[str]) -> None:
    """Checking finds a difference where there is none, or fails."""
    leaves = [normal(*s, seed=1).requires_grad_() for s in SHAPES]
    held = [normal(*s, seed=2) for s in SHAPES]
    step = jit(lambda a, b, h: run(program, [a, *b], h), check=True, off=off | {"fuse"})
    for seed in range(2):
        leaves[0] = normal(SIDE, SIDE, seed=10 + seed).requires_grad_()
        step(leaves[0], leaves[1:], held)


FOUND: list[tuple[list[Instruction], set[str]]] = [
    (
        [
            ("add", 38, 33),
            ("maximum", 8, 56),
            ("softmax", 59, 61),
            ("flip", 46, 94),
            ("matmul", 90, 67),
            ("where", 14, 75),
            ("flip", 35, 20),
        ],
        {"fuse", "constants"},
    ),
    ([("tanh", 0, 0), ("and its transpose", 6, 0)], set()),
    ([("tanh", 0, 0), ("and one of its rows", 6, 0), ("matmul", 7, 0)], set()),
    ([("add to a part", 0, 0)], set()),
]


def test_a_part_is_assigned_after_the_whole() -> None:
    """A row that was set is overwritten by the update that came before."""
    found = []
    for compiled in (False, True):
        w, b = tg.ones(2, 3), tg.ones(2, 3)

        def body(w: tg.Tensor = w, b: tg.Tensor = b) -> None:
            b.mul_(2.0)
            w.sub_(b)
            w[0] = 0.0

        step = jit(body) if compiled else body
        for _ in range(3):
            step()
        found.append([w, b])
    assert_agree(found[1], found[0])


A, B, C = (normal(4, 4, seed=seed).requires_grad_() for seed in range(3))


def stacked_and_scored(x: tg.Tensor, y: tg.Tensor) -> Any:
    """Outputs that are stacked along an inner axis, and one of them read row by row."""
    outputs = []
    for _ in range(3):
        outputs.append(tg.nn.functional.linear(x, A))
        x = outputs[-1].tanh()
    targets = tg.arange(len(x)) % 4
    loss = tg.nn.functional.cross_entropy(outputs[-1], targets)
    (loss + (tg.stack(outputs, 1) ** 2).mean()).backward()
    return loss.detach(), A.grad


def gradient_of_a_sum(x: tg.Tensor, y: tg.Tensor) -> Any:
    """A gradient that products add up in place, and that another product reads."""
    h = (y @ A) * 0.3 + x @ B
    ((h @ C).tanh().sum() + h.sin().sum()).backward()
    return [B.grad]


def term_read_later(x: tg.Tensor, y: tg.Tensor) -> Any:
    """A term of a sum of products that something else reads afterwards."""
    rest = y.tanh()
    total = (x @ A + y @ B) + (x.sigmoid() + rest)
    return (rest @ (total.tanh() @ A).T).detach(), (total * 2).detach()


def signed_zeros(x: tg.Tensor, y: tg.Tensor) -> Any:
    """Two zeros of other signs."""
    never = x > 1e9
    return [1.0 / z for z in (x * 0.0, x * -0.0, tg.where(never, x, 0.0), tg.where(never, x, -0.0))]


@pytest.mark.parametrize(
    "body", [stacked_and_scored, gradient_of_a_sum, term_read_later, signed_zeros]
)
def test_steps_that_were_wrong_once(body: Callable[..., Any]) -> None:
    """A pass of the compiler puts a result where another reader cannot find it, or merges two."""
    step = jit(body)
    for seed in range(3):
        shown = []
        for function in (body, step):
            for p in (A, B, C):
                p.grad = None
            found = function(normal(3, 4, seed=seed), normal(3, 4, seed=seed + 10))
            shown.append(copies(found))
        for one, other in zip(*shown, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("axis", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("keep", [False, True])
def test_many_sums_with_and_without_their_axes(axis: tuple[int, ...], keep: bool) -> None:
    """Sums that become one write to other places than each of them."""

    def body(*xs: tg.Tensor) -> tg.Tensor:
        first, *rest = (x.sum(axis, keepdim=keep) for x in xs)
        return sum(rest, first)

    step = jit(body)
    xs = [normal(3, 4, seed=seed) for seed in range(4)]
    for _ in range(2):
        assert_agree(step(*xs), body(*xs), 1e-12)


@pytest.mark.parametrize(("program", "off"), FOUND)
def test_programs_that_were_wrong_once(program: list[Instruction], off: set[str]) -> None:
    """A mistake that random programs found is back."""
    runs = []
    for compiled in (False, True):
        leaves = [normal(*s, seed=1).requires_grad_() for s in SHAPES]
        held = [normal(*s, seed=2) for s in SHAPES]
        step = jit(lambda a, b, h: run(program, [a, *b], h), off=off)
        shown = []
        for _ in range(3):
            found = step(leaves[0], leaves[1:], held) if compiled else run(program, leaves, held)
            shown.append((copies(found), gradients(leaves), copies(held)))
        runs.append(shown)
    assert_agree(runs[1], runs[0], 1e-9)
