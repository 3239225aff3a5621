"""What the tests of `jit` share: a step run eagerly and compiled from one start, and compared."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygrad_rnn as tg

TOLERANCE = {"float32": 1e-5, "float64": 1e-11}


class Counted:
    """A function that counts how often its body runs."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.runs = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.runs += 1
        return self.function(*args, **kwargs)


def leaves_of(value: Any) -> Iterator[Any]:
    """Every tensor, array and plain value in nested results."""
    if isinstance(value, dict):
        for key in value:
            yield from leaves_of(value[key])
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from leaves_of(part)
    else:
        yield value


def assert_agree(found: Any, wanted: Any, tolerance: float | None = None) -> None:
    """Nested results agree: types and shapes exactly, floats to a part of the largest."""
    have, want = list(leaves_of(found)), list(leaves_of(wanted))
    assert len(have) == len(want)
    for a, b in zip(have, want, strict=True):
        if not isinstance(b, tg.Tensor):
            assert type(a) is type(b)
            assert a == b
            continue
        assert isinstance(a, tg.Tensor)
        first, second = a.detach().numpy(), b.detach().numpy()
        assert first.dtype == second.dtype
        assert first.shape == second.shape
        if first.dtype.kind != "f":
            np.testing.assert_array_equal(first, second)
            continue
        finite = np.isfinite(second)
        largest = float(np.abs(second[finite]).max(initial=1e-30))
        near = (TOLERANCE[first.dtype.name] if tolerance is None else tolerance) * largest
        np.testing.assert_allclose(first, second, rtol=0.0, atol=near)


def copies(value: Any) -> Any:
    """The same nesting of copies, so that what happens later cannot change them."""
    if isinstance(value, tg.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copies(part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [copies(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return [copies(part) for part in value] if isinstance(value, list) else value


def gradients(parameters: Any) -> list[tg.Tensor | None]:
    """Copies of the gradients of parameters."""
    return [None if p.grad is None else p.grad.clone() for p in parameters]


def normal(*shape: int, seed: int = 0, dtype: Any = np.float64) -> tg.Tensor:
    """A tensor of random numbers that does not touch the library's own stream."""
    numbers = np.random.default_rng((seed, *shape)).standard_normal(shape)
    return tg.tensor(np.asarray(numbers, dtype))


def integers(high: int, *shape: int, seed: int = 0) -> tg.Tensor:
    """A tensor of random integers from 0 to high - 1."""
    return tg.tensor(np.asarray(np.random.default_rng((seed, *shape)).integers(0, high, shape)))
