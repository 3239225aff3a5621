"""Random graphs, built and differentiated at random times, here and in a naive engine."""

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

import tinygrad_rnn as tg
from tests.engine.naive import Naive, gradient
from tests.tools import values

SHAPE = (2, 3)
MATRIX = np.array([[0.5, -1.0], [0.25, 0.75]])
seeds = st.integers(0, 2**16)


def numbers(seed: int) -> Any:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, SHAPE)


class Twin:
    """The same value in both engines."""

    def __init__(self, ours: tg.Tensor, naive: Naive, depth: int = 0) -> None:
        self.ours = ours
        self.naive = naive
        self.depth = depth


class RandomGraphs(RuleBasedStateMachine):
    """Operations, detaching and backward passes in any order."""

    twins = Bundle("twins")

    def __init__(self) -> None:
        super().__init__()
        self.leaves: list[Twin] = []
        self.expected: dict[int, Any] = {}
        self.everything: list[tuple[tg.Tensor, Any]] = []

    def made(self, ours: tg.Tensor, naive: Naive, depth: int) -> Twin:
        self.everything.append((ours, naive.value.copy()))
        return Twin(ours, naive, depth)

    @initialize(target=twins, seed=seeds)
    def first(self, seed: int) -> Twin:
        return self.leaf(seed, True)

    @rule(target=twins, seed=seeds, requires_grad=st.booleans())
    def leaf(self, seed: int, requires_grad: bool) -> Twin:
        array = numbers(seed)
        twin = self.made(tg.tensor(array, requires_grad=requires_grad), Naive(array), 0)
        if requires_grad:
            self.leaves.append(twin)
        return twin

    @rule(target=twins, a=twins, b=twins, name=st.sampled_from(["add", "sub", "mul"]))
    def binary(self, a: Twin, b: Twin, name: str) -> Twin:
        if a.depth + b.depth > 8:
            return a
        ours = getattr(a.ours, name)(b.ours)
        return self.made(ours, getattr(a.naive, name)(b.naive), max(a.depth, b.depth) + 1)

    @rule(target=twins, a=twins, name=st.sampled_from(["tanh", "half", "matmul", "flip", "sum"]))
    def unary(self, a: Twin, name: str) -> Twin:
        ours, naive = {
            "tanh": lambda: (a.ours.tanh(), a.naive.tanh()),
            "half": lambda: (0.5 * a.ours, a.naive.scaled(0.5)),
            "matmul": lambda: (tg.tensor(MATRIX) @ a.ours, a.naive.mixed(MATRIX)),
            "flip": lambda: (a.ours[[1, 0]], a.naive.turned()),
            "sum": lambda: (a.ours.sum(0, keepdim=True).expand(SHAPE), a.naive.summed()),
        }[name]()
        return self.made(ours, naive, a.depth + 1)

    @rule(target=twins, a=twins)
    def detached(self, a: Twin) -> Twin:
        return self.made(a.ours.detach(), a.naive.detach(), 0)

    @rule(target=twins, a=twins)
    def unrecorded(self, a: Twin) -> Twin:
        with tg.no_grad():
            ours = a.ours.tanh()
        return self.made(ours, a.naive.tanh().detach(), 0)

    def path_gradients(self, a: Twin, seed: Any) -> list[Any]:
        return [gradient(a.naive, seed, leaf.naive) for leaf in self.leaves]

    @rule(a=twins, seed=seeds)
    def backward(self, a: Twin, seed: int) -> None:
        if not a.ours.requires_grad:
            return
        array = numbers(seed)
        given = tg.tensor(array)
        a.ours.backward(given, retain_graph=True)
        np.testing.assert_array_equal(values(given), array)
        for leaf, g in zip(self.leaves, self.path_gradients(a, array), strict=True):
            if g is not None:
                before = self.expected.get(id(leaf.ours))
                self.expected[id(leaf.ours)] = g.copy() if before is None else before + g

    @rule(a=consumes(twins), seed=seeds)
    def backward_into_leaves_of_grad(self, a: Twin, seed: int) -> None:
        """`grad` returns the same numbers, and leaves `.grad` alone."""
        if not a.ours.requires_grad:
            return
        array = numbers(seed)
        targets = [leaf.ours for leaf in self.leaves]
        found = tg.grad(a.ours, targets, tg.tensor(array), retain_graph=True, allow_unused=True)
        for have, want in zip(found, self.path_gradients(a, array), strict=True):
            assert (have is None) == (want is None)
            if want is not None:
                np.testing.assert_allclose(values(have), want, rtol=1e-9, atol=1e-12)

    @invariant()
    def gradients_agree(self) -> None:
        """`.grad` of every leaf is the sum of what every backward pass brought."""
        for leaf in self.leaves:
            want, have = self.expected.get(id(leaf.ours)), leaf.ours.grad
            assert (have is None) == (want is None)
            if want is not None:
                np.testing.assert_allclose(values(have), want, rtol=1e-9, atol=1e-12)

    @invariant()
    def nothing_was_overwritten(self) -> None:
        """Every value still holds the numbers it was computed with."""
        for tensor, array in self.everything:
            np.testing.assert_allclose(values(tensor), array, rtol=1e-12, atol=1e-14)


TestRandomGraphs = RandomGraphs.TestCase
TestRandomGraphs.settings = settings(max_examples=25, stateful_step_count=25)
