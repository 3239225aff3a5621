"""What a call looks like: the structure of its arguments, and the tensors in it.

Two calls of one signature can share a recording: same nesting, shapes and types, same plain values,
and the same arguments that are one array given twice.
"""

from __future__ import annotations

import copy
import dataclasses
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import RecordingError
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Plain values that are made of others, without tensors.
_COMPARED = (slice, range, frozenset)


class _Record:
    """Stands in a structure for objects that are their attributes."""


def is_record(value: Any) -> bool:
    """Whether it is a dataclass's object or a namespace, and no module, which has its own rules."""
    plain = dataclasses.is_dataclass(value) or type(value) is types.SimpleNamespace
    return plain and hasattr(value, "__dict__") and not isinstance(value, (type, Module))


def _is_sequence(value: Any) -> bool:
    """Whether it is a sequence that may hold tensors and reads its parts in the usual way."""
    return isinstance(value, tuple) or any(
        isinstance(value, kind) and type(value).__getitem__ is kind.__getitem__
        for kind in (list, deque)
    )


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and type(value).__getitem__ is dict.__getitem__


def flatten(value: Any, leaves: list[Any]) -> Any:
    """Append the tensors and arrays in `value` to `leaves`; return its structure, hashable."""
    if isinstance(value, Tensor):
        leaves.append(value)
        array = value._array
        return (Tensor, array.shape, array.dtype, value._requires_grad, value._node is None)
    kind = type(value)
    if isinstance(value, np.ndarray):
        leaves.append(value.view(np.ndarray) if kind is not np.ndarray else value)
        return (np.ndarray, value.shape, value.dtype)
    if kind is float:
        # Told apart by sign where they are 0, and the same where they are NaN.
        return (float, value.hex())
    if kind in _PLAIN:
        return (kind, value)
    if _is_sequence(value):
        return (kind, *[flatten(part, leaves) for part in value])
    if _is_mapping(value):
        return (kind, *[(key, flatten(part, leaves)) for key, part in value.items()])
    if isinstance(value, np.generic):
        return (kind, value.tobytes())
    if kind in _COMPARED:
        return Equal(value)
    if is_record(value):
        return (_Record, kind, *[(key, flatten(part, leaves)) for key, part in vars(value).items()])
    # A module, an optimizer, a generator: the object itself belongs to the signature.
    return Thing(value)


def skeleton(structure: Any) -> Any:
    """A structure without what is said of its tensors."""
    if not isinstance(structure, tuple):
        return structure
    if structure and structure[0] is Tensor:
        return Tensor
    return tuple(map(skeleton, structure))


def without_values(structure: Any) -> Any:
    """A structure with only the types of its plain values."""
    if not isinstance(structure, tuple):
        return Equal if isinstance(structure, Equal) else structure
    if len(structure) == 2 and structure[0] in _PLAIN:
        return structure[0]
    return tuple(map(without_values, structure))


Matcher = Callable[[Any, list[Any], list[Array]], bool]


def matcher(structure: Any) -> Matcher:
    """Compile a structure into `match(value, leaves, arrays)`: whether `value` has it.

    It appends the leaves as `flatten` does, and their arrays, and does without building the
    structure again.
    """
    if isinstance(structure, Thing):
        thing = structure.value
        return lambda value, leaves, arrays: value is thing
    if isinstance(structure, Equal):
        wanted = structure.value
        return lambda value, leaves, arrays: type(value) is type(wanted) and value == wanted
    kind, *parts = structure
    if kind is _Record:
        kind, *items = parts
        match_items = matcher((dict, *items))
        return lambda value, leaves, arrays: (
            type(value) is kind and match_items(vars(value), leaves, arrays)
        )
    if kind is Tensor:
        return _tensor_matcher(*parts)
    if kind is np.ndarray:
        return _array_matcher(*parts)
    if kind is float:
        (digits,) = parts
        return lambda value, leaves, arrays: type(value) is float and value.hex() == digits
    if kind in _PLAIN:
        (wanted,) = parts
        return lambda value, leaves, arrays: type(value) is kind and value == wanted
    if issubclass(kind, dict):
        keys = [key for key, _ in parts]
        matchers = [matcher(part) for _, part in parts]

        def match_dict(value: Any, leaves: list[Any], arrays: list[Array]) -> bool:
            if type(value) is not kind or list(value) != keys:
                return False
            pairs = zip(matchers, value.values(), strict=True)
            return all(match(part, leaves, arrays) for match, part in pairs)

        return match_dict
    if issubclass(kind, np.generic):
        (digits,) = parts
        return lambda value, leaves, arrays: type(value) is kind and value.tobytes() == digits
    if all(isinstance(part, tuple) and part[0] is Tensor for part in parts):
        return _tensors_matcher(kind, [part[1:] for part in parts])
    inner = [matcher(part) for part in parts]
    count = len(inner)

    def match_sequence(value: Any, leaves: list[Any], arrays: list[Array]) -> bool:
        if type(value) is not kind or len(value) != count:
            return False
        for i, match in enumerate(inner):  # noqa: SIM110 - a generator costs more, and so does zip
            if not match(value[i], leaves, arrays):
                return False
        return True

    return match_sequence


def _tensor_matcher(*wanted: Any) -> Matcher:
    matches = _tensors_matcher(tuple, [wanted])
    return lambda value, leaves, arrays: matches((value,), leaves, arrays)


def _tensors_matcher(kind: Any, wanted: Sequence[tuple[Any, ...]]) -> Matcher:
    """Of a sequence of nothing but tensors, which most steps take."""
    count = len(wanted)

    def match(values: Any, leaves: list[Any], arrays: list[Array]) -> bool:
        if type(values) is not kind or len(values) != count:
            return False
        for i, (shape, dtype, requires_grad, is_leaf) in enumerate(wanted):
            value = values[i]
            if not isinstance(value, Tensor) or value._requires_grad is not requires_grad:
                return False
            if requires_grad and (value._node is None) is not is_leaf:
                return False
            array = value._array
            if array.shape != shape or (array.dtype is not dtype and array.dtype != dtype):
                return False
            arrays.append(array)
        leaves += values
        return True

    return match


def _array_matcher(shape: Any, dtype: Any) -> Matcher:
    def match(value: Any, leaves: list[Any], arrays: list[Array]) -> bool:
        if type(value) is not np.ndarray:
            return False
        leaves.append(value)
        arrays.append(value)
        return bool(value.shape == shape and value.dtype == dtype)

    return match


def objects(structure: Any) -> Iterator[Any]:
    """The objects in a structure that count by identity."""
    if isinstance(structure, Thing):
        yield structure.value
    elif isinstance(structure, tuple):
        for part in structure:
            yield from objects(part)


class Thing:
    """An object that is compared by identity, and kept alive as long as it is compared."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


class Equal:
    """A plain value that cannot be hashed, or not everywhere, and is compared as a whole."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Equal) or type(other.value) is not type(self.value):
            return False
        return bool(other.value == self.value)

    def __hash__(self) -> int:
        return hash(type(self.value))


def frozen(value: Any, within: tuple[int, ...] = ()) -> Any:
    """Plain values as they are now; of everything else, which object it is."""
    kind = type(value)
    if kind is float:
        return value.hex()
    if kind in _PLAIN:
        return (kind, value)
    if isinstance(value, np.generic):
        return (kind, value.tobytes())
    if (kind not in (tuple, list, dict, set) and not is_record(value)) or id(value) in within:
        return Thing(value)
    within = (*within, id(value))
    if kind is set:
        return (kind, frozenset([frozen(part, within) for part in value]))
    if kind in (tuple, list):
        return (kind, *[frozen(part, within) for part in value])
    items = value if kind is dict else vars(value)
    parts = [(name, frozen(part, within)) for name, part in items.items()]
    return (kind, *parts) if kind is dict else (Thing(value), *parts)


def aliases(arrays: Sequence[Array]) -> tuple[int, ...]:
    """For each array, the first that is the same; nothing if none is given twice."""
    if len(arrays) < 2:
        return ()
    if len(arrays) == 2:  # inputs and targets: what most steps take
        return () if arrays[0] is not arrays[1] else (0, 0)
    numbers = list(map(id, arrays))
    if len(set(numbers)) == len(numbers):
        return ()
    first: dict[int, int] = {}
    return tuple([first.setdefault(number, i) for i, number in enumerate(numbers)])


def array_of(leaf: Any) -> Array:
    """The numbers of a tensor or array."""
    array: Array = leaf._array if isinstance(leaf, Tensor) else leaf
    return array


def with_tensors(value: Any) -> Any:
    """The same structure, its arrays replaced by tensors that share their memory.

    Tensors without gradients become others of the same numbers, so that a step that also knows one
    from outside can be told from a step that uses its argument.
    """
    kind = type(value)
    if isinstance(value, Tensor):
        return value if value._requires_grad else value.detach()
    if isinstance(value, np.ndarray):
        return Tensor(value)
    if isinstance(value, tuple):
        parts = [with_tensors(part) for part in value]
        return kind(*parts) if hasattr(value, "_fields") else kind(parts)
    if _is_sequence(value):
        twin = copy.copy(value)
        for i, part in enumerate(value):
            twin[i] = with_tensors(part)
        return twin
    if _is_mapping(value):
        twin = copy.copy(value)
        for key, part in value.items():
            twin[key] = with_tensors(part)
        return twin
    if is_record(value):
        twin = copy.copy(value)
        # Past a frozen dataclass's own way of setting.
        vars(twin).update({key: with_tensors(part) for key, part in vars(value).items()})
        return twin
    return value


Builder = Callable[[Sequence[Tensor]], Any]


def result_builder(value: Any, leaves: list[Tensor]) -> Builder:
    """Append the tensors of a result to `leaves`; return what builds its like from others."""
    if isinstance(value, Tensor):
        number = len(leaves)
        leaves.append(value)
        return lambda tensors: tensors[number]
    kind = type(value)
    if isinstance(value, tuple) or kind is list:
        parts = [result_builder(part, leaves) for part in value]
        if hasattr(value, "_fields"):
            return lambda tensors: kind(*[part(tensors) for part in parts])
        return lambda tensors: kind([part(tensors) for part in parts])
    if kind in (dict, OrderedDict):
        items = [(key, result_builder(part, leaves)) for key, part in value.items()]
        return lambda tensors: kind((key, part(tensors)) for key, part in items)
    if kind is np.ndarray:
        raise RecordingError(
            "the step returns a NumPy array, whose numbers a replay could not renew; return a "
            "Tensor and read it outside"
        )
    if not isinstance(value, _PLAIN):
        raise RecordingError(
            f"the step returns a {kind.__name__}; it can return tensors, plain Python values, and "
            "tuples, lists and dicts of them"
        )
    return lambda tensors: value
