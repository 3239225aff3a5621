"""What several test files share: numbers of examples, and arrays in every shape and layout."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

Array = np.ndarray[Any, Any]
Draw = Any

LAYOUTS = ("contiguous", "transposed", "strided", "reversed", "expanded")


def examples(count: int) -> settings:
    """Run a property test `count` times, ten times as often in the thorough profile."""
    thorough = settings.get_current_profile_name() == "thorough"
    return settings(max_examples=count * (10 if thorough else 1))


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> Any:
    """Draw shapes small enough for finite differences."""
    side = st.integers(min_side, max_side)
    drawn = st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)
    return drawn.filter(lambda shape: math.prod(shape) <= 12)


def laid_out(array: Array, layout: str) -> Array:
    """Return the same numbers with other strides ("expanded" repeats the first row)."""
    if array.ndim == 0 or layout == "contiguous":
        return array
    if layout == "transposed":
        return np.asfortranarray(array)
    if layout == "strided":
        room = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        room[..., ::2] = array
        return room[..., ::2]
    if layout == "reversed":
        return np.ascontiguousarray(array[::-1])[::-1]
    return np.broadcast_to(array[:1], array.shape)


def draw_array(
    draw: Draw,
    shape: Sequence[int],
    low: float = -2.0,
    high: float = 2.0,
    away_from: Sequence[float] = (),
    distinct: bool = False,
) -> Array:
    """Draw float64 numbers in a layout of hypothesis' choice.

    They keep a distance of 0.05 from `away_from`, where the function has a kink. With `distinct`
    no two are closer than 0.075, and their absolute values no closer than 0.025.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    if distinct:
        # The kinks lie on multiples of 0.1, the numbers half-way between.
        steps = np.arange(math.prod(shape)) - math.prod(shape) // 2
        # Their sizes differ too: one side of 0 is moved by a quarter of a step.
        numbers = 0.1 * steps + np.where(steps < 0, 0.025, 0.05)
        array = random.permutation(numbers).reshape(shape)
    else:
        array = np.asarray(random.uniform(low, high, shape))
    for kink in away_from:
        near = np.abs(array - kink) < 0.05
        array = np.where(near, kink + np.where(array < kink, -0.05, 0.05), array)
    layouts = LAYOUTS[:-1] if distinct else LAYOUTS
    return laid_out(array, draw(st.sampled_from(layouts)))


def leaf(array: Any, dtype: Any = None) -> tg.Tensor:
    """Return a tensor with the memory, layout and type of an array, that requires a gradient."""
    return tg.as_tensor(np.asarray(array), dtype).requires_grad_()


def values(x: Any) -> Any:
    """Return the numbers of a tensor, or of each of several."""
    if isinstance(x, tg.Tensor):
        return x.detach().numpy()
    return [values(part) for part in x]


class Listener:
    """Stands in for the recorder of `jit`: accepts everything but the reading of numbers."""

    def __getattr__(self, name: str) -> Any:
        if name == "reads":
            raise AssertionError("a number was read to compute a result")
        return lambda *told: None


def same_bits(a: Any, b: Any) -> bool:
    """Whether two tensors or arrays agree in type, shape and every bit."""
    first, second = (values(x) if isinstance(x, tg.Tensor) else np.asarray(x) for x in (a, b))
    return (
        first.dtype == second.dtype
        and first.shape == second.shape
        and np.ascontiguousarray(first).tobytes() == np.ascontiguousarray(second).tobytes()
    )
