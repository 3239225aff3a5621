"""Batches from a data set, under the names of torch.utils.data, in one process.

For a long text there are contiguous streams: `text.Streams`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.creation import as_tensor, randperm, tensor
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from tinygrad_rnn.functions import stack
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.tensor import Tensor


class Dataset:
    """Base of data sets: subclasses define `__getitem__`, and `__len__`."""

    def __class_getitem__(cls, item: Any) -> type[Dataset]:
        """Return the class itself, so that `Dataset[item]` can be written as a base."""
        return cls

    def __getitem__(self, index: int) -> Any:
        """Return one example."""
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")


class TensorDataset(Dataset):
    """Rows of several tensors: example i is `(x[i], y[i], ...)`."""

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors or any(not isinstance(x, Tensor) or x.ndim == 0 for x in tensors):
            raise DtypeError("a TensorDataset is made of one or more tensors with rows")
        if any(len(x) != len(tensors[0]) for x in tensors):
            rows = " and ".join(str(len(x)) for x in tensors)
            raise ShapeError(f"the tensors of a TensorDataset have equally many rows, not {rows}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Return one example."""
        return tuple(x[index] for x in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The examples of a data set that are named by a list of indices."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> Any:
        """Return one example."""
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """Cut a data set at random into parts of given sizes, or of given fractions that add up to 1.

    Raises:
        ArgumentError: if they do not add up to the data set.
    """
    if not hasattr(dataset, "__len__"):
        raise DtypeError(f"a data set with a length is split, not {type(dataset).__name__}")
    if not isinstance(lengths, Iterable) or not all(isinstance(n, (int, float)) for n in lengths):
        raise ArgumentError(f"lengths are sizes or fractions, such as [0.9, 0.1], not {lengths!r}")
    count = len(dataset)
    sizes = list(lengths)
    if math.isclose(sum(sizes), 1.0) and any(isinstance(n, float) for n in sizes):
        sizes = [math.floor(count * fraction) for fraction in sizes]
        for i in range(count - int(sum(sizes))):
            sizes[i % len(sizes)] += 1
    if any(not isinstance(n, int) or n < 0 for n in sizes) or sum(sizes) != count:
        raise ArgumentError(
            f"the parts {list(lengths)} do not add up to the {count} examples of the data set"
        )
    order = randperm(count, generator).tolist()
    ends = np.cumsum(sizes, dtype=np.int64).tolist()
    return [
        Subset(dataset, order[end - int(n) : end]) for end, n in zip(ends, sizes, strict=True)
    ]


def default_collate(batch: Sequence[Any]) -> Any:
    """Join examples: tensors, arrays and numbers along a new first axis, containers part by part.

    Raises:
        DtypeError: for anything else.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray):
        return stack([as_tensor(x) for x in batch])
    if isinstance(first, (bool, int, float, np.generic)):
        # Python's floats are doubles, and PyTorch's loader keeps them so.
        return tensor(np.asarray(batch))
    if isinstance(first, str):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([example[key] for example in batch]) for key in first}
    if isinstance(first, Sequence):
        if any(len(example) != len(first) for example in batch):
            raise ShapeError("the examples of a batch have parts of different number; pad them")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    raise DtypeError(
        f"a batch cannot be made of {type(first).__name__}; pass collate_fn= to DataLoader"
    )


class DataLoader:
    """Goes over a data set in batches, in a new order each time if `shuffle` is set.

    Args:
        dataset: anything with `__getitem__` and `__len__`.
        batch_size: examples a batch; None yields single examples.
        shuffle: go over it in random order, drawn from `generator`.
        sampler: goes over the indices, in place of `shuffle`.
        batch_sampler: goes over lists of indices, in place of all of these.
        num_workers: 0; batches are made in this process.
        collate_fn: makes a batch of a list of examples; `default_collate` unless given.
        pin_memory: changes nothing.
        drop_last: leave out a last batch that is not full.
        generator: where the order is drawn from.

    Raises:
        UnsupportedError: for workers.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None:
        if num_workers:
            raise UnsupportedError(
                f"DataLoader makes its batches in this process; leave out num_workers={num_workers}"
            )
        if not hasattr(dataset, "__len__"):
            raise UnsupportedError(
                f"DataLoader needs a data set with a length, not {type(dataset).__name__}; write "
                "`for batch in ...` over an endless one yourself"
            )
        for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
            if given is not None and not isinstance(given, Iterable):
                raise ArgumentError(f"{name} goes over indices; {given!r} does not")
        if collate_fn is not None and not callable(collate_fn):
            raise ArgumentError(
                f"collate_fn is a function of a list of examples, not {collate_fn!r}"
            )
        if sampler is not None and shuffle:
            raise ArgumentError("shuffle and sampler both say the order; give one of them")
        self.dataset = dataset
        self.batch_size = None if batch_size is None else positive(batch_size, "batch_size")
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self._shuffle = bool(shuffle)
        self._generator = generator

    def __iter__(self) -> Iterator[Any]:
        collate = self.collate_fn or default_collate
        if self.batch_size is None and self.batch_sampler is None:
            for i in self._order():
                example = self.dataset[i]
                yield example if self.collate_fn is None else self.collate_fn(example)
            return
        for indices in self.batch_sampler or self._batches():
            yield collate([self.dataset[i] for i in indices])

    def __len__(self) -> int:
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        size = self.batch_size or 1
        return count // size if self.drop_last else -(-count // size)

    def _order(self) -> Iterable[int]:
        if self.sampler is not None:
            return self.sampler
        count = len(self.dataset)
        if not self._shuffle:
            return range(count)
        drawn: list[int] = randperm(count, self._generator).tolist()
        return drawn

    def _batches(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for i in self._order():
            batch.append(i)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch


# Makes `import` ask for modules in here, such as torch.utils.data.dataset, and be told.
__path__: list[str] = []

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
