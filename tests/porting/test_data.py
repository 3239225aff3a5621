"""Batches of examples, as torch.utils.data makes them."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import (
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)


class Pair(NamedTuple):
    left: Any
    right: Any


class Words(Dataset):
    """Examples of every kind of container."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return {
            "name": "x" * index,
            "pair": Pair(index, 0.5 * index),
            "array": np.full(2, index, np.float32),
            "nested": [(tg.tensor([index]), index % 2 == 0)],
        }


def test_examples_are_joined_part_by_part() -> None:
    """A container of an example is lost, or a number gets another type than PyTorch's."""
    torch = pytest.importorskip("torch")
    examples = [Words()[i] for i in range(3)]
    batch = default_collate(examples)
    for example in examples:
        example["nested"] = [(torch.tensor(x.tolist()), flag) for x, flag in example["nested"]]
    expected = torch.utils.data.default_collate(examples)
    assert batch["name"] == expected["name"]
    assert type(batch["pair"]) is Pair

    def pairs(a: Any, b: Any) -> None:
        assert tuple(a.shape) == tuple(b.shape)
        assert str(b.dtype) == f"torch.{a.dtype}"
        assert a.tolist() == b.tolist()

    pairs(batch["pair"].left, expected["pair"].left)
    pairs(batch["pair"].right, expected["pair"].right)
    pairs(batch["array"], expected["array"])
    for a, b in zip(batch["nested"][0], expected["nested"][0], strict=True):
        pairs(a, b)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_batches_cover_the_data_set_once(count: int, drop_last: bool) -> None:
    """An example is left out or comes twice, or the length is another than that of PyTorch's."""
    data = TensorDataset(tg.arange(count), tg.arange(count) * 2.0)
    loader = DataLoader(data, batch_size=3, drop_last=drop_last)
    batches = list(loader)
    seen = [x for batch, _ in batches for x in batch.tolist()]
    assert seen == list(range(count - count % 3 if drop_last else count))
    assert len(loader) == len(batches)
    assert all(y.tolist() == [2.0 * n for n in x.tolist()] for x, y in batches)


def test_shuffling_follows_the_generator() -> None:
    """The order is the same in every epoch, or differs with the same seed."""

    def order(loader: DataLoader) -> list[int]:
        return [int(x) for (batch,) in loader for x in batch]

    data = TensorDataset(tg.arange(20))
    first, second = (
        DataLoader(data, 4, shuffle=True, generator=tg.Generator(3)) for _ in range(2)
    )
    epochs = [order(first), order(first)]
    assert epochs == [order(second), order(second)]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20))


def test_the_order_can_be_given() -> None:
    """A sampler, a sampler of batches or single examples are not taken as they are given."""
    data = TensorDataset(tg.arange(6))
    by_index = [x.tolist() for (x,) in DataLoader(data, 2, sampler=[5, 0, 3])]
    assert by_index == [[5, 0], [3]]
    assert len(DataLoader(data, 2, sampler=[5, 0, 3])) == 2
    loader = DataLoader(data, batch_sampler=[[1, 2, 3], [0]])
    assert [x.tolist() for (x,) in loader] == [[1, 2, 3], [0]]
    assert len(loader) == 2
    assert [x.item() for (x,) in DataLoader(data, batch_size=None)] == list(range(6))
    joined = DataLoader(data, 2, collate_fn=lambda examples: sum(int(x) for (x,) in examples))
    assert list(joined) == [1, 5, 9]


def test_a_data_set_is_split_at_random() -> None:
    """Parts overlap, miss an example, or fractions are rounded otherwise than by PyTorch."""
    data = TensorDataset(tg.arange(10))
    parts = random_split(data, [0.75, 0.25], generator=tg.Generator(1))
    assert [len(part) for part in parts] == [8, 2]
    assert sorted(int(x) for part in parts for (x,) in (part[i] for i in range(len(part)))) == list(
        range(10)
    )
    again = random_split(data, [8, 2], generator=tg.Generator(1))
    assert [part.indices for part in again] == [part.indices for part in parts]
    assert Subset(data, [4, 2])[1][0].item() == 2
