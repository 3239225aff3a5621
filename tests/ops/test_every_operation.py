"""Every operation of the table: values, types, gradients of order 1 and 2, inputs left alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.ops.cases import CASES, Case
from tests.tools import examples, values
from tinygrad_rnn import engine, ops
from tinygrad_rnn.ops import Primitive

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def as_tuple(out: Any) -> tuple[tg.Tensor, ...]:
    return (out,) if isinstance(out, tg.Tensor) else tuple(out)


def primitives_of(outputs: Any) -> set[str]:
    """Names of the primitives in the graph of some tensors."""
    return {node.primitive.name for node in engine.reachable(outputs)}


@every_case
@examples(12)
@given(st.data())
def test_first_derivatives_agree_with_finite_differences(case: Case, data: Any) -> None:
    """The gradient is wrong for some shape, layout or argument."""
    problem = data.draw(st.composite(case.draw)())
    if case.name == "there and back in type":
        pytest.skip("float32 in between is too coarse for differences; its values are tested")
    leaves = [tg.as_tensor(x).requires_grad_() for x in problem.inputs]
    assert tg.gradcheck(problem.function, leaves, eps=1e-4, rtol=1e-6, atol=1e-8)


@every_case
@examples(7)
@given(st.data())
def test_second_derivatives_agree_with_finite_differences(case: Case, data: Any) -> None:
    """The gradient's own graph is wrong, or its gradient is not recorded."""
    problem = data.draw(st.composite(case.draw)())
    if case.name == "there and back in type":
        pytest.skip("float32 in between is too coarse for differences; its values are tested")
    leaves = [tg.as_tensor(x).requires_grad_() for x in problem.inputs]
    assert tg.gradcheck(problem.function, leaves, order=2, eps=1e-4, rtol=1e-6, atol=1e-8)


@every_case
@examples(15)
@given(st.data())
def test_values_are_numpys(case: Case, data: Any) -> None:
    """The result differs from the statement of the same function in NumPy, in number or shape."""
    problem = data.draw(st.composite(case.draw)())
    out = problem.function(*[tg.as_tensor(x) for x in problem.inputs])
    expected = problem.reference(*problem.inputs)
    if isinstance(out, tg.Tensor):
        out, expected = [out], [expected]
    assert len(out) == len(expected)
    tolerance = 1e-6 if case.name == "there and back in type" else 1e-12
    for have, want in zip(out, expected, strict=True):
        assert have.shape == np.shape(want)
        assert have.dtype == tg.float64
        np.testing.assert_allclose(values(have), want, rtol=tolerance, atol=1e-13)


@every_case
@examples(8)
@given(st.data())
def test_float32_stays_float32(case: Case, data: Any) -> None:
    """A result or gradient is silently widened, or wrong in single precision."""
    problem = data.draw(st.composite(case.draw)())
    singles = [x.astype(np.float32) for x in problem.inputs]
    leaves = [tg.as_tensor(x).requires_grad_() for x in singles]
    doubles = [tg.as_tensor(x.astype(np.float64)).requires_grad_() for x in singles]
    out, exact = as_tuple(problem.function(*leaves)), as_tuple(problem.function(*doubles))
    if case.name != "there and back in type":
        assert {part.dtype for part in out} <= {tg.float32}
    if case.name == "dropout":
        return  # the mask is drawn in the type of x
    for have, want in zip(out, exact, strict=True):
        np.testing.assert_allclose(values(have), values(want), rtol=2e-4, atol=2e-5)
    for parts, inputs in ((out, leaves), (exact, doubles)):
        sum(
            (part.sum() for part in parts), tg.zeros((), dtype=parts[0].dtype)
        ).backward() if parts else None
        for x in inputs:
            assert x.grad is None or (x.grad.dtype, x.grad.shape) == (x.dtype, x.shape)
    for single, double in zip(leaves, doubles, strict=True):
        assert (single.grad is None) == (double.grad is None)
        if single.grad is not None:
            np.testing.assert_allclose(
                values(single.grad), values(double.grad), rtol=5e-3, atol=5e-4
            )


@every_case
@examples(8)
@given(st.data())
def test_inputs_are_left_alone(case: Case, data: Any) -> None:
    """Forward or backward writes into memory that the user holds."""
    problem = data.draw(st.composite(case.draw)())
    before = [x.copy() for x in problem.inputs]
    leaves = [tg.as_tensor(x).requires_grad_() for x in problem.inputs]
    out = [part for part in as_tuple(problem.function(*leaves)) if part.requires_grad]
    seeds = [tg.as_tensor(np.full(part.shape, 0.5)) for part in out]
    kept = [values(part).copy() for part in out]
    if out:
        tg.grad(out, leaves, seeds, allow_unused=True)
    for x, old in zip(problem.inputs, before, strict=True):
        np.testing.assert_array_equal(x, old)
    for part, old, seed in zip(out, kept, seeds, strict=True):
        np.testing.assert_array_equal(values(part), old)
        np.testing.assert_array_equal(values(seed), 0.5)


@every_case
@examples(3)
@given(st.data())
def test_the_table_names_the_primitives_it_reaches(case: Case, data: Any) -> None:
    """An entry claims to cover a primitive that its graph does not contain."""
    problem = data.draw(st.composite(case.draw)())
    leaves = [tg.as_tensor(x).requires_grad_() for x in problem.inputs]
    out = [part for part in as_tuple(problem.function(*leaves)) if part.requires_grad]
    found = primitives_of(out)
    seeds = [tg.ones_like(part).requires_grad_() for part in out]
    gradients = tg.grad(out, leaves, seeds, create_graph=True, allow_unused=True) if out else ()
    found |= primitives_of([g for g in gradients if g is not None and g.requires_grad])
    assert not out or set(case.covers) <= found


def test_every_differentiable_primitive_is_in_the_table() -> None:
    """A primitive was added to the library and not to the tests."""
    primitives = {
        value.name
        for name in ops.__all__
        if isinstance(value := getattr(ops, name), Primitive) and value.differentiable
    }
    covered = {name for case in CASES for name in case.covers}
    assert primitives - covered == set()


def test_the_list_of_primitives_is_complete() -> None:
    """A primitive exists in a family's file that `ops.__all__` does not name."""
    listed = {id(getattr(ops, name)) for name in ops.__all__}
    families = (ops.checking, ops.elementwise, ops.linalg, ops.random, ops.reduce, ops.shape)
    for family in families:
        for name, value in vars(family).items():
            assert not isinstance(value, Primitive) or id(value) in listed, name
