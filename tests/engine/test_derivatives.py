"""gradcheck, jacobian, hvp and checkpoint."""

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import engine, nn
from tinygrad_rnn.errors import ArgumentError, DtypeError, GradcheckError, GraphError
from tinygrad_rnn.ops import Primitive
from tinygrad_rnn.tensor import apply


def vector(*numbers: float) -> tg.Tensor:
    return tg.tensor(list(numbers), dtype=tg.float64, requires_grad=True)


# ---------------------------------------------------------------------- gradcheck


def cube(vjp: Any) -> Any:
    """tanh(x³), with a gradient of our choice for the cube; tanh makes `g` depend on x."""
    primitive = Primitive("cube", lambda x: x * x * x, vjp, reads_inputs=True)
    return lambda x: apply(primitive, x).tanh()


def test_a_right_gradient_passes_in_every_order() -> None:
    """gradcheck complains of a correct gradient."""
    right = cube(lambda g, out, x: g * 3.0 * x * x)
    for order in (1, 2, 3):
        assert tg.gradcheck(right, vector(0.5, -1.0), order=order)


@pytest.mark.parametrize(
    ("vjp", "order"),
    [
        (lambda g, out, x: g * 3.001 * x * x, 1),
        (lambda g, out, x: g * x * x, 1),
        (lambda g, out, x: g * 0.0, 1),
        (lambda g, out, x: 3.0 * x * x, 1),
        (lambda g, out, x: g * 3.0 * (x * x).detach(), 2),
        (lambda g, out, x: g.detach() * 3.0 * x * x, 2),
    ],
    ids=["slightly wrong", "factor missing", "zero", "without g", "x cut off", "g cut off"],
)
def test_a_wrong_gradient_is_found(vjp: Any, order: int) -> None:
    """gradcheck lets a wrong gradient pass."""
    for lower in range(1, order):
        assert tg.gradcheck(cube(vjp), vector(0.5, -1.0), order=lower)
    with pytest.raises(GradcheckError, match=r"order .*input 0 .*element \[[01]\]"):
        tg.gradcheck(cube(vjp), vector(0.5, -1.0), order=order)


def test_a_missing_gradient_is_found() -> None:
    """An input that the function silently cuts off passes."""
    with pytest.raises(GradcheckError, match="input 1"):
        tg.gradcheck(lambda a, b: a * b.detach(), [vector(1.0), vector(2.0)])


def test_a_modified_input_is_found() -> None:
    """A function that writes into its argument passes."""

    def writes(x: tg.Tensor) -> tg.Tensor:
        y = x + 1.0
        x.detach().add_(1.0)
        return y

    with pytest.raises(GradcheckError, match="modified"):
        tg.gradcheck(writes, vector(1.0))


def test_what_gradcheck_refuses() -> None:
    """A check that cannot tell anything passes."""
    with pytest.raises(DtypeError, match="float64"):
        tg.gradcheck(lambda x: x, tg.ones(1, requires_grad=True))
    with pytest.raises(ArgumentError, match="requires a gradient"):
        tg.gradcheck(lambda x: x, tg.ones(1, dtype=tg.float64))


def test_gradcheck_leaves_the_inputs_alone() -> None:
    """gradcheck leaves a `.grad` or other numbers behind."""
    x = vector(0.5, 1.0)
    tg.gradcheck(lambda x: x.exp(), x, order=2)
    assert x.grad is None
    assert values(x).tolist() == [0.5, 1.0]


# ---------------------------------------------------------------------- jacobian and hvp

A = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])


def test_the_jacobian_of_a_linear_map_is_its_matrix() -> None:
    """The Jacobian is transposed, or has its axes in another order."""
    a, b = vector(0.5, 2.0), tg.tensor([[1.0, 2.0]], dtype=tg.float64)
    assert values(tg.jacobian(lambda x: tg.tensor(A) @ x, a)).tolist() == A.tolist()
    by_a, by_b = tg.jacobian(lambda x, y: x * y, (a, b))
    assert by_a.shape == (1, 2, 2)
    assert by_b.shape == (1, 2, 1, 2)
    assert values(by_a)[0].tolist() == [[1.0, 0.0], [0.0, 2.0]]
    assert values(by_b)[0, :, 0].tolist() == [[0.5, 0.0], [0.0, 2.0]]


def test_jacobians_of_constants_and_of_nothing() -> None:
    """A function without a gradient, or with an empty result, fails."""
    x = vector(1.0, 2.0)
    assert (
        values(tg.jacobian(lambda x: tg.ones(3, dtype=tg.float64), x)).tolist() == [[0.0] * 2] * 3
    )
    assert tg.jacobian(lambda x: x[:0], x).shape == (0, 2)
    assert values(tg.jacobian(lambda x: x, x)).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_the_jacobian_can_be_differentiated() -> None:
    """create_graph=True gives a Jacobian without history."""
    x = vector(0.5, 2.0)
    jacobian = tg.jacobian(lambda x: x**3, x, create_graph=True)
    jacobian.sum().backward()
    np.testing.assert_allclose(values(x.grad), 6 * values(x))


def test_hvp_is_the_hessian_times_the_vector() -> None:
    """The product with the Hessian differs from forming the Hessian."""
    x = vector(0.5, -1.0, 2.0)
    v = tg.tensor([1.0, 2.0, -0.5], dtype=tg.float64)

    def function(x: tg.Tensor) -> tg.Tensor:
        return (x[0] * x[1] * x[2]).tanh() + (x**3).sum()

    def slope(x: tg.Tensor) -> tg.Tensor:
        return tg.grad(function(x), x, create_graph=True)[0]

    hessian = values(tg.jacobian(slope, x, create_graph=True))
    value, product = tg.hvp(function, x, v)
    np.testing.assert_allclose(values(product), hessian @ values(v), rtol=1e-12)
    np.testing.assert_allclose(value.item(), function(x).item())
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)


def test_hvp_where_there_is_no_curvature() -> None:
    """A linear function, or an unused input, fails instead of giving 0."""
    x = vector(1.0, 2.0)
    assert values(tg.hvp(lambda x: x.sum(), x, tg.ones_like(x))[1]).tolist() == [0.0, 0.0]
    _, (a, b) = tg.hvp(lambda x, y: (x * x).sum(), (x, x), (tg.ones_like(x), tg.ones_like(x)))
    assert values(a).tolist() == [2.0, 2.0]
    assert values(b).tolist() == [0.0, 0.0]


# ---------------------------------------------------------------------- checkpoint


def test_checkpoint_equals_the_plain_call() -> None:
    """Values or gradients, also of captured parameters and of second order, differ."""
    layer = nn.Linear(3, 3, dtype=tg.float64)
    x = tg.randn(2, 3, dtype=tg.float64, requires_grad=True)

    def block(h: tg.Tensor) -> tg.Tensor:
        return layer(h).tanh() * h

    def gradients(call: Any) -> list[Any]:
        out = call(call(x))
        targets = [x, *layer.parameters()]
        first = tg.grad((out**2).sum(), targets, create_graph=True)
        second = tg.grad(sum((g**2).sum() for g in first), targets)
        return [out, *first, *second]

    plain = gradients(block)
    again = gradients(lambda h: tg.checkpoint(block, h))
    nested = gradients(lambda h: tg.checkpoint(lambda k: tg.checkpoint(block, k) * 1.0, h))
    for a, b, c in zip(plain, again, nested, strict=True):
        np.testing.assert_allclose(values(b), values(a), rtol=1e-12)
        np.testing.assert_allclose(values(c), values(a), rtol=1e-12)


def test_checkpoint_backward_fills_grad_of_captured_leaves() -> None:
    """`.grad` of a parameter that the function captured stays None."""
    w, x = vector(3.0), vector(2.0)
    tg.checkpoint(lambda a: a * w * w, x).backward()
    assert values(w.grad).tolist() == [12.0]
    assert values(x.grad).tolist() == [9.0]


def test_checkpoint_draws_the_same_dropout_twice() -> None:
    """The mask of the second run differs, or the stream of random numbers is disturbed."""
    x = tg.ones(50, requires_grad=True)
    tg.manual_seed(4)
    out = tg.checkpoint(lambda a: nn.functional.dropout(a, 0.5), x)
    tg.rand(3)
    after = tg.rand(1)
    out.sum().backward()
    assert same_bits(x.grad, out)
    tg.manual_seed(4)
    nn.functional.dropout(x, 0.5)
    tg.rand(3)
    assert same_bits(tg.rand(1), after)


def test_checkpoint_of_several_outputs() -> None:
    """A tuple loses its type, or an output that no gradient reaches breaks the others."""
    x = vector(0.5, 1.0)
    state = tg.checkpoint(lambda a: nn.LSTMState(a.tanh(), a * a), x)
    assert type(state) is nn.LSTMState
    state.c.sum().backward()
    assert values(x.grad).tolist() == [1.0, 2.0]


def test_checkpoint_of_something_handed_through() -> None:
    """A function that returns its argument, or a captured tensor, loses the gradient."""
    x, w = vector(1.0, 2.0), vector(3.0, 4.0)
    y = x * 2.0
    out, through, captured = tg.checkpoint(lambda a: (a * 3.0, a, w), y)
    (out + through + captured).sum().backward()
    assert values(x.grad).tolist() == [8.0, 8.0]
    assert values(w.grad).tolist() == [1.0, 1.0]
    z = vector(1.0)
    tg.checkpoint(lambda a: a, z).sum().backward()
    assert values(z.grad).tolist() == [1.0]


@pytest.mark.parametrize("captured", [True, False])
def test_checkpoint_notices_overwritten_inputs(captured: bool) -> None:
    """The second run computes with numbers that an optimizer has changed since."""
    x, w = vector(1.0), vector(3.0)
    out = tg.checkpoint(lambda a: a * w, x)
    with tg.no_grad():
        (w if captured else x).assign(100.0)
    with pytest.raises(GraphError, match="overwritten"):
        out.sum().backward()


def test_checkpoint_keeps_nothing_in_between() -> None:
    """The graph inside is kept after all: reachable nodes grow with the work inside."""
    x = vector(1.0)

    def long(a: tg.Tensor) -> tg.Tensor:
        for _ in range(100):
            a = a.tanh()
        return a

    assert len(engine.reachable([tg.checkpoint(long, x)])) == 1
