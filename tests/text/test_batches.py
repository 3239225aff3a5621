"""Padding and bucketed batches: every example once, in few shapes, with little padding."""

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import examples
from tinygrad_rnn.errors import ArgumentError, DataError, DtypeError, ShapeError
from tinygrad_rnn.text import BucketedBatches, pad

LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=60)


def sequences_of(lengths: list[int]) -> list[np.ndarray[Any, Any]]:
    """Sequence i holds i + 1, so that a value tells whose it is."""
    return [np.full(length, i + 1) for i, length in enumerate(lengths)]


@given(
    lengths=LENGTHS, value=st.sampled_from([0, -1]), multiple=st.integers(1, 5), first=st.booleans()
)
def test_padding_fills_up_the_end(
    lengths: list[int], value: int, multiple: int, first: bool
) -> None:
    """A step is lost, moved or counted as padding."""
    values, found = pad(sequences_of(lengths), value, multiple, batch_first=first)
    rows = values if first else values.T
    assert found.tolist() == lengths
    assert rows.shape[1] % multiple == 0
    assert max(lengths) <= rows.shape[1] < max(lengths) + multiple
    for i, length in enumerate(lengths):
        assert rows[i].tolist() == [i + 1] * length + [value] * (rows.shape[1] - length)
    assert values.flags.c_contiguous


def test_vectors_are_padded_too() -> None:
    """Frames of sound cannot be put side by side, or change their type."""
    frames = [np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.empty((0, 3))]
    values, lengths = pad(frames, length=5)
    assert (values.shape, values.dtype) == ((5, 3, 3), np.float32)
    assert lengths.tolist() == [2, 4, 0]
    assert values.sum() == 18
    assert pad([[1, 2], []]).values.dtype == np.int64


@examples(60)
@given(
    lengths=LENGTHS,
    batch=st.integers(1, 9),
    buckets=st.integers(1, 6),
    multiple=st.integers(1, 4),
    shuffle=st.booleans(),
    epoch=st.integers(0, 3),
)
def test_every_example_comes_once_in_few_shapes(
    lengths: list[int], batch: int, buckets: int, multiple: int, shuffle: bool, epoch: int
) -> None:
    """An example is lost, doubled or cut; labels go astray; or there are more shapes than said."""
    sequences = sequences_of(lengths)
    labels = np.arange(len(lengths)) + 1
    batches = BucketedBatches(
        sequences,
        labels,
        [s[::2] for s in sequences],
        batch_size=batch,
        buckets=buckets,
        multiple=multiple,
        values=(0, -7),
        shuffle=shuffle,
    )
    seen: list[int] = []
    shapes = set()
    made = list(batches(epoch))
    assert len(made) == len(batches)
    for values, found, own, other, counts in made:
        assert values.shape[1] == len(found) == len(own) == other.shape[1] <= batch
        shapes.add((values.shape, other.shape))
        for row, label in enumerate(own.tolist()):
            length = lengths[label - 1]
            assert found[row] == length
            assert counts[row] == (length + 1) // 2
            assert values[:, row].tolist() == [label] * length + [0] * (len(values) - length)
            assert set(other[counts[row] :, row].tolist()) <= {-7}
        seen += own.tolist()
    assert sorted(seen) == labels.tolist()
    assert len(shapes) <= buckets + 1
    assert {shape[0] for shape in shapes} == batches.shapes
    assert [rows.tolist() for rows in batches.rows(epoch)] == [(b[2] - 1).tolist() for b in made]


def test_the_epoch_and_the_seed_decide_the_order() -> None:
    """A resumed run sees other batches, or every epoch the same."""
    sequences = sequences_of(list(range(1, 40)))

    def order(seed: int, epoch: int) -> list[list[int]]:
        batches = BucketedBatches(sequences, batch_size=4, seed=seed)
        return [rows.tolist() for rows in batches.rows(epoch)]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2) != order(1, 2)
    fixed = BucketedBatches(sequences, batch_size=4, shuffle=False)
    assert [r.tolist() for r in fixed.rows(0)] == [r.tolist() for r in fixed.rows(5)]
    first = [values for values, _ in fixed]
    assert all(len(a) <= len(b) for a, b in pairwise(first))


@examples(30)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12), buckets=st.integers(1, 3)
)
def test_buckets_waste_as_little_as_can_be(lengths: list[int], buckets: int) -> None:
    """Another choice of lengths would need fewer steps."""
    # With batches of one nothing goes up to a longer bucket.
    batches = BucketedBatches(sequences_of(lengths), batch_size=1, buckets=buckets)
    steps = sum(steps for values, _ in batches for steps in [len(values)])
    different = sorted(set(lengths))
    least = min(
        sum(min(edge for edge in edges if edge >= length) for length in lengths)
        for count in range(1, buckets + 1)
        for edges in combinations(different, min(count, len(different)))
        if edges[-1] == different[-1]
    )
    assert steps == least
    assert batches.padding == pytest.approx(1 - sum(lengths) / steps)


def test_thousands_of_lengths_are_rounded_first() -> None:
    """Long sequences of all lengths take for ever to be sorted."""
    batches = BucketedBatches([np.zeros(n) for n in range(3000)], batch_size=10, buckets=10)
    assert batches.padding < 0.12
    assert len(batches.shapes) <= 10


def test_what_goes_into_no_batch_is_refused() -> None:
    """Bad examples end in an error of NumPy."""
    with pytest.raises(DataError, match="no sequences"):
        pad([])
    with pytest.raises(ArgumentError, match="length is 1"):
        pad([[1, 2]], length=1)
    with pytest.raises(ShapeError, match="one shape"):
        pad([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(DtypeError, match="sequence 1"):
        pad([[1], "ab"])
    with pytest.raises(ArgumentError, match="first column"):
        BucketedBatches(np.arange(3))
    with pytest.raises(ShapeError, match=r"\[2, 1\]"):
        BucketedBatches([[1], [2]], [5])
    with pytest.raises(DataError, match="no examples"):
        BucketedBatches([])
    with pytest.raises(ArgumentError, match="buckets"):
        BucketedBatches([[1]], buckets=0)
