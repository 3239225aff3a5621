"""Sequences of unequal length as batches: padding, and batches of about equal length.

Arrays go in and come out; what a number means is the caller's business.
"""

import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, DataError, DtypeError, ShapeError
from tinygrad_rnn.text.arguments import require_number, size_of

Array = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]

_MOST_LENGTHS = 512
"""With more different lengths than this, they are rounded up before buckets are chosen."""


class Padded(NamedTuple):
    """Sequences side by side.

    Attributes:
        values: (T, B), or (T, B, …) for sequences of vectors; each padded at its end.
        lengths: the steps of each that are no padding, (B,).
    """

    values: Array
    lengths: Ids


def pad(
    sequences: Sequence[npt.ArrayLike],
    value: float = 0,
    multiple: int = 1,
    length: int | None = None,
    batch_first: bool = False,
) -> Padded:
    """Put sequences side by side, each filled up with `value` at its end.

    Args:
        sequences: arrays (T_i,) or (T_i, …) that agree in all but the first axis.
        value: the padding.
        multiple: T is rounded up to a multiple of it, so that there are fewer different shapes.
        length: T itself; None takes the longest sequence.
        batch_first: return (B, T, …).

    Raises:
        DataError: for no sequences.
        ShapeError, DtypeError: for sequences that do not go together.
        ArgumentError: for a length that is too short, or a multiple below 1.
    """
    if not isinstance(sequences, Iterable):
        raise DtypeError(f"pad takes a list of sequences, not {type(sequences).__name__}")
    arrays = [_array(sequence, number) for number, sequence in enumerate(sequences)]
    if not arrays:
        raise DataError("there are no sequences to pad")
    shapes = {array.shape[1:] for array in arrays if array.size}
    if len(shapes) > 1:
        raise ShapeError(
            f"sequences of one batch have steps of one shape, and these have {sorted(shapes)}"
        )
    lengths = np.array([len(array) for array in arrays], np.int64)
    steps = int(_rounded(lengths, size_of("multiple", multiple)).max())
    if length is not None:
        steps = size_of("length", length, 0)
        if steps < lengths.max():
            raise ArgumentError(f"length is {length}, and one sequence has {lengths.max()} steps")
    shape = (steps, len(arrays), *(shapes.pop() if shapes else ()))
    require_number("value", value)
    dtype = np.result_type(*(a.dtype for a in arrays if a.size), np.int8)
    if dtype.kind in "iu" and not float(value).is_integer():
        raise ArgumentError(f"value is {value!r}, and the sequences hold integers")
    filled = np.full(shape, value, dtype)
    for row, array in enumerate(arrays):
        if array.size:
            filled[: len(array), row] = array
    return Padded(np.ascontiguousarray(filled.swapaxes(0, 1)) if batch_first else filled, lengths)


class BucketedBatches:
    """Batches of examples of about equal length, so that little is padded.

    Examples are sorted into buckets by the length of their first sequence. Every epoch deals each
    bucket anew, in an order that `seed` and the number of the epoch decide alone, so a run that is
    resumed sees the same batches. What does not fill a batch goes up to the next longer bucket; the
    last of all may be smaller. So there are at most `buckets` + 1 different shapes, each of which
    `jit` records once.

        batches = BucketedBatches(sentences, labels, batch_size=32)
        for ids, lengths, labels in batches(epoch): ...

    Args:
        columns: what belongs to the examples. A list of sequences of unequal length comes out as
            two arrays, padded values (T, B, …) and lengths (B,); an array or a list of numbers as
            one, (B, …). At least the first is a list of sequences.
        batch_size: B.
        buckets: the most different lengths.
        multiple: lengths are rounded up to multiples of it.
        values: the padding of each list of sequences, in their order; 0 where there are none.
        shuffle: False gives the same batches in every epoch, short ones first.
        seed: decides the order.

    Raises:
        DataError: for no examples.
        ShapeError: for columns of unequal length.
        ArgumentError: for sizes below 1, or a first column that is no list of sequences.
    """

    def __init__(
        self,
        *columns: Sequence[Any] | Array,
        batch_size: int = 32,
        buckets: int = 8,
        multiple: int = 1,
        values: Sequence[float] = (),
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        for column in columns:
            if not isinstance(column, Sized):
                raise DtypeError(f"a column is a list or an array, not {type(column).__name__}")
        if not columns or _is_plain(columns[0]):
            raise ArgumentError("the first column is a list of sequences, by whose length to sort")
        self.batch_size = size_of("batch_size", batch_size)
        self.shuffle = bool(shuffle)
        self.seed = size_of("seed", seed, 0)
        counts = [len(column) for column in columns]
        if len(set(counts)) > 1:
            raise ShapeError(f"columns of one length are needed, and these have {counts} examples")
        if not counts[0]:
            raise DataError("there are no examples to make batches of")
        self._count = counts[0]
        size_of("multiple", multiple)
        self._columns: list[list[Array] | Array] = []
        self._values: list[float] = []
        spans: list[Ids] = []
        if not isinstance(values, Iterable):
            raise ArgumentError(f"values is {values!r}; it must be a number for each list")
        for value in values:
            require_number("a number of values", value)
        given = iter(values)
        for column in columns:
            if _is_plain(column):
                self._columns.append(np.asarray(column))
                continue
            arrays = [_array(sequence, number) for number, sequence in enumerate(column)]
            self._columns.append(arrays)
            self._values.append(next(given, 0))
            spans.append(np.array([len(array) for array in arrays], np.int64))
        self._lengths = np.array(spans)
        edges = _edges(_rounded(spans[0], multiple), size_of("buckets", buckets))
        bucket = np.searchsorted(edges, spans[0])
        self._buckets = [np.flatnonzero(bucket == number) for number in range(len(edges))]
        # What goes up from a shorter bucket must fit, in every column.
        tops = np.array([self._lengths[:, rows].max(1) for rows in self._buckets])
        self._steps = _rounded(np.maximum.accumulate(tops, axis=0), multiple).tolist()

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(self._count / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        """Yield the batches of epoch 0."""
        return self(0)

    def __call__(self, epoch: int = 0) -> Iterator[tuple[Array, ...]]:
        """Yield the batches of an epoch."""
        for rows, steps in self._dealt(epoch):
            yield self._batch(rows, steps)

    def rows(self, epoch: int = 0) -> list[Ids]:
        """Return which examples, by number, each batch of an epoch has."""
        return [rows for rows, _ in self._dealt(epoch)]

    @property
    def shapes(self) -> set[tuple[int, int]]:
        """The different (T, B) of the first column."""
        return {(steps[0], len(rows)) for rows, steps in self._dealt(0)}

    @property
    def padding(self) -> float:
        """The share of the first column's steps that are padding, 0 … 1."""
        steps = sum(steps[0] * len(rows) for rows, steps in self._dealt(0))
        return 1.0 - float(self._lengths[0].sum()) / max(steps, 1)

    def _dealt(self, epoch: int) -> list[tuple[Ids, list[int]]]:
        random = np.random.default_rng((self.seed, size_of("epoch", epoch, 0)))
        dealt = []
        over = np.empty(0, np.int64)
        for number, bucket in enumerate(self._buckets):
            rows = np.concatenate([over, random.permutation(bucket) if self.shuffle else bucket])
            last = number + 1 == len(self._buckets)
            whole = len(rows) if last else len(rows) - len(rows) % self.batch_size
            for begin in range(0, whole, self.batch_size):
                dealt.append((rows[begin : min(begin + self.batch_size, whole)], number))
            over = rows[whole:]
        if self.shuffle:
            dealt = [dealt[place] for place in random.permutation(len(dealt))]
        return [(rows, self._steps[number]) for rows, number in dealt]

    def _batch(self, rows: Ids, steps: list[int]) -> tuple[Array, ...]:
        made: list[Array] = []
        sequences = iter(zip(steps, self._values, strict=True))
        for column in self._columns:
            if isinstance(column, np.ndarray):
                made.append(column[rows])
            else:
                length, value = next(sequences)
                made += pad([column[row] for row in rows], value, length=length)
        return tuple(made)


def _is_plain(column: Any) -> bool:
    """Whether a column has one number, or one array of the same shape, for every example."""
    if isinstance(column, np.ndarray):
        return bool(column.dtype != object)
    return len(column) > 0 and isinstance(column[0], int | float | np.number | np.bool_)


def _array(sequence: npt.ArrayLike, number: int) -> Array:
    try:
        array = np.asarray(sequence)
    except ValueError:
        array = np.empty(0, object)
    if array.ndim < 1 or (array.size and array.dtype.kind not in "iufb"):
        raise DtypeError(
            f"sequence {number} is {str(sequence)[:40]!r}; it must be a row of numbers, or of "
            "vectors of one length; encode text first"
        )
    return array


def _rounded(lengths: Ids, multiple: int) -> Ids:
    return -(-lengths // multiple) * multiple


def _edges(lengths: Ids, buckets: int) -> Ids:
    """The lengths to which to pad, so that all sequences together have the fewest steps.

    By dynamic programming over the different lengths: fewest[j] is the least number of steps of
    all sequences up to the j-th length, with one bucket more in each round.
    """
    tops, counts = np.unique(lengths, return_counts=True)
    multiple = 1
    while len(tops) > _MOST_LENGTHS:
        multiple *= 2
        tops, counts = np.unique(_rounded(lengths, multiple), return_counts=True)
    shorter = np.concatenate([[0], np.cumsum(counts)])
    fewest = tops * shorter[1:]
    before = []
    for _ in range(min(buckets, len(tops)) - 1):
        # [j, i]: the last bucket has the lengths i + 1 … j.
        steps = fewest + tops[:, None] * (shorter[1:, None] - shorter[1:])
        steps[np.triu_indices(len(tops))] = np.iinfo(np.int64).max
        choice = steps.argmin(1)
        better = steps[np.arange(len(tops)), choice] < fewest
        before.append(np.where(better, choice, -1))
        fewest = np.where(better, steps[np.arange(len(tops)), choice], fewest)
    place = len(tops) - 1
    edges = [tops[place]]
    for chosen in reversed(before):
        if chosen[place] >= 0:
            place = chosen[place]
            edges.append(tops[place])
    return np.array(edges[::-1])
