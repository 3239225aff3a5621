"""Derivatives of functions, under the names of torch.autograd.functional."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.autograd import grad, hvp
from tinygrad_rnn.autograd import jacobian as _jacobian
from tinygrad_rnn.autograd.arguments import require_function, several
from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.errors import UnsupportedError
from tinygrad_rnn.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian"]


def jacobian(
    func: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
) -> Any:
    """See `tinygrad_rnn.jacobian`; `vectorize` changes nothing.

    Raises:
        UnsupportedError: for `strict`.
    """
    if strict:
        raise UnsupportedError("a jacobian is 0 where nothing depends; leave strict=True out")
    return _jacobian(func, inputs, create_graph)


def hessian(
    func: Callable[..., Tensor], inputs: Tensor | Sequence[Tensor], create_graph: bool = False
) -> Any:
    """Return ∂²func(inputs)/∂inputs² of a function with one number as its result.

    The shape is that of the input, twice; of several inputs, a tuple of tuples, one for each pair.
    """
    single = isinstance(inputs, Tensor)
    require_function(func, "hessian")
    ins = several(inputs, "hessian")

    def gradient(i: int) -> Callable[..., Tensor]:
        def of(*xs: Tensor) -> Tensor:
            found: Tensor = grad(func(*xs), xs, create_graph=True, materialize_grads=True)[i]
            return found

        return of

    rows = tuple(_jacobian(gradient(i), ins, create_graph) for i in range(len(ins)))
    return rows[0][0] if single else rows


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
