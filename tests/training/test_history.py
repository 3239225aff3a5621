"""Curves as pictures, and CSV files of any columns."""

from pathlib import Path

import pytest

from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.training import CsvHistory, plot_curves


def test_columns_are_the_fields(tmp_path: Path) -> None:
    """A value stands under another name, or an absent one as a word."""
    history = CsvHistory(tmp_path / "new" / "a.csv", ["epoch", "loss", "own measure"])
    history.append([1, 0.123456789, None])
    history.append([2, 1e-9, 3.0])
    text = (tmp_path / "new" / "a.csv").read_text()
    assert text == "epoch,loss,own measure\n1,0.123457,\n2,1e-09,3\n"
    assert history.rows == 2


def test_curves_are_drawn(tmp_path: Path) -> None:
    """No picture is made, or a baseline ends in an error."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "a.png"
    curves = {"LSTM": ([1, 2], [0.5, 0.25]), "RNN": ([1], [0.5])}
    assert plot_curves(path, curves, "epoch", "loss", ["RNN"], {"trivial": 1 / 6})
    assert path.read_bytes().startswith(b"\x89PNG")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        plot_curves(tmp_path / "file" / "a.png", curves, "epoch", "loss")
    with pytest.raises(ArgumentError, match="path"):
        plot_curves(5, curves, "epoch", "loss")  # type: ignore[arg-type]
