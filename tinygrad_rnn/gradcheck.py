"""Gradients against finite differences, to any order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.autograd import grad
from tinygrad_rnn.autograd.arguments import require_function, several
from tinygrad_rnn.context import enable_grad, no_grad
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, DtypeError, GradcheckError
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.tensor import Tensor

_SEED = 0x5EED


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Tensor],
    order: int = 1,
    eps: float = 1e-5,
    atol: float = 1e-7,
    rtol: float = 1e-5,
) -> bool:
    """Compare the gradient of `function` at `inputs` with central differences.

    The outputs are weighted with fixed random numbers u, and for each element x_i the derivative
    of Σ u·f is compared with (Σ u·f(x_i + eps) - Σ u·f(x_i - eps)) / (2 eps), improved by
    Richardson's extrapolation with eps / 2. For order n > 1 the function checked is the gradient
    of order n - 1 itself.

    Args:
        function: takes the inputs; returns a tensor or a tuple of tensors.
        inputs: float64 tensors; those that require a gradient are checked.
        order: 1 for gradients, 2 for gradients of gradients, and so on.
        eps: step of the differences.
        atol: absolute difference that is let pass.
        rtol: relative difference that is let pass.

    Returns:
        True.

    Raises:
        GradcheckError: names the input, the element and both numbers where they differ, or the
            input that `function` modified.
        DtypeError: if a checked input is not float64, too coarse a type for differences.
    """
    require_function(function, "gradcheck")
    tensors = several(inputs, "gradcheck")
    positive(order, "order")
    if not all(isinstance(n, (int, float)) for n in (eps, atol, rtol)) or not eps > 0:
        raise ArgumentError(
            f"eps is a number above 0, atol and rtol are numbers, not {eps!r}, {atol!r}, {rtol!r}"
        )
    checked = [i for i, x in enumerate(tensors) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ArgumentError("gradcheck needs at least one input that requires a gradient")
    for i in checked:
        if tensors[i].dtype != float64:
            raise DtypeError(f"input {i} is {tensors[i].dtype}; gradcheck needs float64: .double()")
    # Leaves that no other code holds, laid out in memory as the inputs are.
    leaves = [x.detach() if isinstance(x, Tensor) else x for x in tensors]
    before: list[Any] = [x.numpy().copy() if isinstance(x, Tensor) else None for x in leaves]
    for i in checked:
        leaves[i].requires_grad = True

    weighted = _weighted(function)
    for level in range(1, order):
        weighted = _gradient_of(weighted, checked, level)
    with enable_grad():
        total = weighted(*leaves)
        if total.requires_grad:
            analytic = grad(total, [leaves[i] for i in checked], allow_unused=True)
        else:
            analytic = (None,) * len(checked)

    for i, x in enumerate(leaves):
        if isinstance(x, Tensor) and not np.array_equal(
            x.detach().numpy(), before[i], equal_nan=True
        ):
            raise GradcheckError(f"input {i} was modified by the function or its gradient")
    for i, gradient in zip(checked, analytic, strict=True):
        _compare(weighted, leaves, i, gradient, eps, atol, rtol, order)
    return True


def _weighted(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Return the function's outputs, weighted and added up to one number."""

    def weighted(*inputs: Any) -> Tensor:
        outputs = function(*inputs)
        total = Tensor(np.zeros(()))
        for k, out in enumerate(outputs if isinstance(outputs, (tuple, list)) else (outputs,)):
            if not isinstance(out, Tensor):
                kind = type(out).__name__
                raise DtypeError(f"gradcheck takes functions that return tensors, not {kind}")
            if out.is_floating_point():
                total = total + (out.to(float64) * _weights(out.shape, k)).sum()
        return total

    return weighted


def _gradient_of(
    weighted: Callable[..., Tensor], checked: Sequence[int], level: int
) -> Callable[..., Tensor]:
    """Return the gradient of `weighted`, weighted and added up to one number."""

    def gradient(*inputs: Any) -> Tensor:
        with enable_grad():
            targets = [inputs[i] for i in checked]
            total = weighted(*inputs)
            result = Tensor(np.zeros(()))
            if total.requires_grad:
                for k, g in enumerate(grad(total, targets, create_graph=True, allow_unused=True)):
                    if g is not None:
                        result = result + (g * _weights(g.shape, 100 * level + k)).sum()
        return result

    return gradient


def _weights(shape: tuple[int, ...], k: int) -> Tensor:
    return Tensor(Generator(_SEED + k).uniform(shape, np.float64) + 0.5)


def _compare(
    weighted: Callable[..., Tensor],
    leaves: list[Any],
    i: int,
    gradient: Tensor | None,
    eps: float,
    atol: float,
    rtol: float,
    order: int,
) -> None:
    """Compare one input's gradient with differences, element by element."""
    x = leaves[i]
    analytic = np.zeros(x.shape) if gradient is None else gradient.detach().numpy()
    # The probe has the strides of the input, so that the same code paths are taken.
    probe = x._array.copy(order="K")

    def at(index: tuple[int, ...], value: float) -> float:
        kept = probe[index]
        probe[index] = value
        moved = list(leaves)
        moved[i] = Tensor(probe).requires_grad_()
        with enable_grad() if order > 1 else no_grad():
            result = float(weighted(*moved).detach())
        probe[index] = kept
        return result

    for index in itertools.product(*(range(n) for n in x.shape)):
        centre = float(probe[index])

        def slope(h: float, index: tuple[int, ...] = index, centre: float = centre) -> float:
            return (at(index, centre + h) - at(index, centre - h)) / (2.0 * h)

        coarse, fine = slope(eps), slope(eps / 2.0)
        numeric = (4.0 * fine - coarse) / 3.0
        if not abs(analytic[index] - numeric) <= atol + rtol * abs(numeric):
            raise GradcheckError(
                f"order {order}, input {i} {tuple(x.shape)}, element {list(index)}: the gradient "
                f"is {analytic[index]:.10g}, finite differences give {numeric:.10g} "
                f"(allowed {atol:g} + {rtol:g} relative)"
            )
