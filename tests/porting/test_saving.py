"""save and load bring back what was saved, and nothing is pickled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import CheckpointError


def test_everything_comes_back(tmp_path: Path) -> None:
    """A container, key or number comes back as another, or a tensor with other bits."""
    saved: dict[Any, Any] = {
        "epoch": 3,
        "best": None,
        7: (1.5, [True, "text", float("inf")]),
        "tensor": tg.randn(2, 3).requires_grad_(),
        "nested": {"index": tg.arange(4), "empty": tg.zeros(0, 2), "array": np.eye(2)},
        "nothing": {},
        "number": np.float32(0.5),
    }
    tg.save(saved, tmp_path / "all.pt")
    found = tg.load(tmp_path / "all.pt", map_location=tg.device("cpu"))
    assert list(found) == list(saved)
    for name in ("epoch", "best", 7, "nothing", "number"):
        assert found[name] == saved[name]
        assert name == "number" or type(found[name]) is type(saved[name])
    assert same_bits(found["tensor"], saved["tensor"])
    assert not found["tensor"].requires_grad
    found["tensor"].add_(1)
    for name in ("index", "empty", "array"):
        assert same_bits(found["nested"][name], saved["nested"][name])


def test_a_state_dict_is_a_file_that_pytorch_reads(tmp_path: Path) -> None:
    """The weights of a module cannot be read with safetensors, or not back into a module."""
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    model, theirs = nn.LSTM(2, 3), torch.nn.LSTM(2, 3)
    tg.save(model.state_dict(), tmp_path / "model.pt")
    theirs.load_state_dict(safetensors.load_file(tmp_path / "model.pt"))
    again = nn.LSTM(2, 3)
    again.load_state_dict(tg.load(tmp_path / "model.pt"))
    for a, b, c in zip(
        model.parameters(), again.parameters(), theirs.parameters(), strict=True
    ):
        assert same_bits(a, b)
        assert same_bits(a, c.detach().numpy())


def test_an_optimizer_goes_on_where_it_was(tmp_path: Path) -> None:
    """Training that is resumed from a file takes another step than training that went on."""

    def step(model: nn.Module, optimizer: optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(tg.ones(3, 2)).square().sum().backward()
        optimizer.step()

    model, again = nn.Linear(2, 2), nn.Linear(2, 2)
    first, second = (optim.Adam(m.parameters(), lr=0.1) for m in (model, again))
    step(model, first)
    tg.save({"model": model.state_dict(), "optimizer": first.state_dict()}, tmp_path / "run.pt")
    found = tg.load(tmp_path / "run.pt")
    again.load_state_dict(found["model"])
    second.load_state_dict(found["optimizer"])
    step(model, first)
    step(again, second)
    assert all(same_bits(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_file_of_pytorchs_own_is_named(tmp_path: Path) -> None:
    """A file that torch.save wrote is called damaged, and nobody says how to convert it."""
    torch = pytest.importorskip("torch")
    torch.save({"x": torch.ones(2)}, tmp_path / "theirs.pt")
    with pytest.raises(CheckpointError, match=r"PyTorch.*safetensors\.torch\.save_file"):
        tg.load(tmp_path / "theirs.pt")


def test_a_damaged_name_of_the_format_makes_no_weights_of_it(tmp_path: Path) -> None:
    """A list that was saved comes back as a dict of arrays after one bit was flipped."""
    path = tmp_path / "saved"
    tg.save([tg.ones(2)], path)
    content = path.read_bytes()
    for word in (b"tinygrad_rnn checkpoint", b"format", b"settings", b"sha256"):
        damaged = bytearray(content)
        damaged[content.index(word)] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            tg.load(path)
