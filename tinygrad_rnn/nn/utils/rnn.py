"""Sequences of different lengths in one tensor, under the names of torch.nn.utils.rnn.

The layers take `lengths=` or `mask=` with a padded batch, which is the short way. Packed sequences
are here for programs that are written with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.arguments import Array, positive
from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.creation import full, tensor
from tinygrad_rnn.dtypes import int64
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    OutOfRangeError,
    RecordingError,
    ShapeError,
)
from tinygrad_rnn.functions import cat, stack
from tinygrad_rnn.tensor import Tensor


class PackedSequence:
    """The steps of several sequences without padding: first all first steps, then all second ones.

    Args:
        data: (sum of all lengths, ...).
        batch_sizes: how many sequences have a step t, for every t; never rising.
        sorted_indices: the order in which the sequences stand, longest first; as they were given if
            None.
        unsorted_indices: the inverse of it; computed if None.
    """

    def __init__(
        self,
        data: Tensor,
        batch_sizes: Any,
        sorted_indices: Any = None,
        unsorted_indices: Any = None,
    ) -> None:
        if not isinstance(data, Tensor):
            raise DtypeError(f"packed data is a Tensor, not {type(data).__name__}")
        self.data = data
        self._sizes = _whole_numbers(batch_sizes, "batch_sizes")
        if data.ndim == 0 or sum(self._sizes) != data.shape[0]:
            raise ShapeError(
                f"packed data of shape {data.shape} does not hold the {sum(self._sizes)} steps "
                "that batch_sizes tells of"
            )
        if any(later > earlier for earlier, later in pairwise(self._sizes)):
            raise ArgumentError("batch_sizes never rise: the longest sequence stands first")
        batch = self._sizes[0] if self._sizes else 0
        if sorted_indices is None and unsorted_indices is not None:
            sorted_indices = np.argsort(_whole_numbers(unsorted_indices, "unsorted_indices"))
        self._order = (
            None if sorted_indices is None else _whole_numbers(sorted_indices, "sorted_indices")
        )
        if self._order is not None and sorted(self._order) != list(range(batch)):
            raise ArgumentError(
                f"sorted_indices is an order of the {batch} sequences, not {list(self._order)}"
            )

    @property
    def batch_sizes(self) -> Tensor:
        """How many sequences have a step t, for every t."""
        return tensor(self._sizes, dtype=int64)

    @property
    def sorted_indices(self) -> Tensor | None:
        """The order in which the sequences stand, or None: as they were given."""
        return None if self._order is None else tensor(self._order, dtype=int64)

    @property
    def unsorted_indices(self) -> Tensor | None:
        """The place of each given sequence among the sorted ones, or None."""
        return None if self._order is None else tensor(np.argsort(self._order), dtype=int64)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.data, self.batch_sizes, self.sorted_indices, self.unsorted_indices))

    @property
    def lengths(self) -> tuple[int, ...]:
        """The length of each sequence, in the order in which they were given."""
        batch = self._sizes[0] if self._sizes else 0
        by_rank = [sum(size > rank for size in self._sizes) for rank in range(batch)]
        if self._order is None:
            return tuple(by_rank)
        found = [0] * batch
        for rank, place in enumerate(self._order):
            found[place] = by_rank[rank]
        return tuple(found)

    def with_steps(self, x: Tensor) -> PackedSequence:
        """Return the real steps of a padded batch (T, B, ...) packed in the same way."""
        batch = x.shape[1]
        order = range(batch) if self._order is None else self._order
        return PackedSequence(_packed(x, self._sizes, order), self._sizes, self._order)

    def __repr__(self) -> str:
        return f"PackedSequence(data={self.data!r}, lengths={list(self.lengths)})"


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch.

    Args:
        input: (T, B, ...), or (B, T, ...) with `batch_first`.
        lengths: of each sequence, 1 ... T; in a compiled step a list or tuple of integers.
        batch_first: the layout of `input`.
        enforce_sorted: insist that the longest comes first; with False any order is taken.

    Raises:
        OutOfRangeError: if a length is below 1 or beyond T.
        ArgumentError: if the lengths rise and `enforce_sorted` is True.
    """
    x = _time_major(input, batch_first)
    sizes = _whole_numbers(lengths, "lengths")
    steps, batch = x.shape[:2]
    if len(sizes) != batch:
        raise ShapeError(f"a batch of {batch} sequences needs as many lengths, not {len(sizes)}")
    if any(not 1 <= n <= steps for n in sizes):
        raise OutOfRangeError(
            f"lengths lie between 1 and the {steps} steps of the input, not {list(sizes)}; leave "
            "empty sequences out, or call the layer with lengths= instead"
        )
    order = np.argsort(np.negative(sizes), kind="stable")
    if enforce_sorted and any(a < b for a, b in pairwise(sizes)):
        raise ArgumentError(
            "the lengths have to fall, longest first; pass enforce_sorted=False to take any order"
        )
    ranked = [sizes[i] for i in order]
    batch_sizes = [sum(n > t for n in ranked) for t in range(max(ranked, default=0))]
    data = _packed(x, batch_sizes, order)
    return PackedSequence(data, batch_sizes, None if enforce_sorted else order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo the packing: return (T, B, ...) with padding, and the lengths (B,).

    `total_length` makes T longer than the longest sequence.
    """
    if not isinstance(sequence, PackedSequence):
        name = type(sequence).__name__
        raise DtypeError(f"pad_packed_sequence takes a PackedSequence, not {name}")
    sizes, lengths = sequence._sizes, sequence.lengths
    steps = len(sizes) if total_length is None else positive(total_length, "total_length")
    if steps < len(sizes):
        raise ArgumentError(f"total_length {total_length} is below the longest, {len(sizes)}")
    batch = len(lengths)
    order = range(batch) if sequence._order is None else sequence._order
    rows = np.full(steps * batch, sequence.data.shape[0])
    rows[_packed_rows(sizes, order, batch)] = np.arange(sequence.data.shape[0])
    shape = sequence.data.shape[1:]
    padding = full((1, *shape), padding_value, dtype=sequence.data.dtype)
    x = cat([sequence.data, padding])[tensor(rows, dtype=int64)].reshape(steps, batch, *shape)
    return x.transpose(0, 1) if batch_first else x, tensor(lengths, dtype=int64)


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences (T_i, ...) as one tensor (T, B, ...), padded to the longest."""
    if padding_side not in ("right", "left"):
        raise ArgumentError(f"padding_side is 'right' or 'left', not {padding_side!r}")
    several = _sequences(sequences)
    longest = max(s.shape[0] for s in several)
    padded = []
    for s in several:
        missing = (longest - s.shape[0], *s.shape[1:])
        padding = full(missing, padding_value, dtype=s.dtype)
        padded.append(cat([s, padding] if padding_side == "right" else [padding, s]))
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """Return the sequences of a batch that is padded on the right, one tensor each."""
    x = _time_major(padded_sequences, batch_first)
    sizes = _whole_numbers(lengths, "lengths")
    if len(sizes) != x.shape[1]:
        raise ShapeError(f"a batch of {x.shape[1]} needs as many lengths, not {len(sizes)}")
    return [x[:n, i] for i, n in enumerate(sizes)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (T_i, ...)."""
    several = _sequences(sequences)
    lengths = [s.shape[0] for s in several]
    return pack_padded_sequence(pad_sequence(several), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the packed sequences, one tensor each, in the order in which they were given."""
    padded, _ = pad_packed_sequence(packed_sequences)
    return unpad_sequence(padded, packed_sequences.lengths)


def _packed(x: Tensor, batch_sizes: Sequence[int], order: Any) -> Tensor:
    """Return the real steps of x (T, B, ...), as (sum of lengths, ...)."""
    steps, batch = x.shape[:2]
    rows = _packed_rows(batch_sizes, order, batch)
    return x.reshape(steps * batch, *x.shape[2:])[tensor(rows, dtype=int64)]


def _packed_rows(batch_sizes: Sequence[int], order: Any, batch: int) -> Array:
    """Return which row of the padded batch, seen as (T * B, ...), each packed row is."""
    places = np.asarray(order, dtype=np.int64)
    rows = [t * batch + places[:size] for t, size in enumerate(batch_sizes)]
    return np.concatenate([np.zeros(0, np.int64), *rows])


def _whole_numbers(values: Any, name: str) -> tuple[int, ...]:
    try:
        numbers = np.asarray(values.tolist() if isinstance(values, Tensor) else values)
    except RecordingError as error:
        raise RecordingError(
            f"{error}. The shape of a packed sequence depends on {name}: pass a tuple of integers, "
            "or leave the packing out and call the layer with lengths="
        ) from None
    except ValueError:
        raise DtypeError(f"{name} is a list of integers, not {values!r}") from None
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise DtypeError(
            f"{name} is a list of integers or an integer vector, not {numbers.dtype} of shape "
            f"{numbers.shape}"
        )
    return tuple(numbers.tolist())


def _time_major(x: Tensor, batch_first: bool) -> Tensor:
    if not isinstance(x, Tensor):
        raise DtypeError(f"a padded batch is a Tensor, not {type(x).__name__}")
    if x.ndim < 2:
        raise ShapeError(f"a padded batch has axes for time and batch, not shape {x.shape}")
    return x.transpose(0, 1) if batch_first else x


def _sequences(sequences: Sequence[Tensor]) -> list[Tensor]:
    if not isinstance(sequences, Iterable):
        raise DtypeError(f"a list of sequences is needed, not {type(sequences).__name__}")
    several = list(sequences)
    if not several:
        raise ArgumentError("there are no sequences to pad or pack")
    for s in several:
        if not isinstance(s, Tensor) or s.ndim == 0:
            raise DtypeError("sequences are tensors (time, ...), one for each row of the batch")
        if s.shape[1:] != several[0].shape[1:] or s.dtype != several[0].dtype:
            raise ShapeError(
                f"the sequences differ in more than length: {several[0].shape} {several[0].dtype} "
                f"and {s.shape} {s.dtype}"
            )
    return several


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
