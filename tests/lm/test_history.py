"""The history of a run: whole lines, cut back on resuming, and drawn as a curve."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.lm import Record, plot_history, read_history
from tinygrad_rnn.lm.history import History


def record(iteration: int, validation: float | None = None) -> Record:
    return Record(iteration, 0.5, 2.0, validation, 7.5, 0.25, 0.002, 1.5, 1000.0)


def test_lines_are_read_back(tmp_path: Path) -> None:
    """A number is lost or changed on its way through the file."""
    history = History(tmp_path / "history.csv")
    records = [record(1), record(2, 2.25)]
    for one in records:
        history.append(one)
    assert history.rows == 2
    assert read_history(tmp_path / "history.csv") == records


def test_resuming_cuts_back_to_the_checkpoint(tmp_path: Path) -> None:
    """Lines that a killed run wrote after its last checkpoint stay, and come a second time."""
    path = tmp_path / "history.csv"
    first = History(path)
    for number in range(5):
        first.append(record(number))
    with path.open("a") as file:
        file.write("5,0.5,2")  # killed in the middle of a line
    history = History(path, rows=3)
    history.append(record(3))
    assert [r.iteration for r in read_history(path)] == [0, 1, 2, 3]


def test_resuming_without_the_file_goes_on(tmp_path: Path) -> None:
    """A run cannot be resumed because its history was deleted."""
    history = History(tmp_path / "new" / "history.csv", rows=3)
    history.append(record(4))
    assert [r.iteration for r in read_history(tmp_path / "new" / "history.csv")] == [4]


def test_a_run_in_memory_writes_nothing() -> None:
    """A run without a folder fails, or leaves files behind."""
    history = History(None)
    history.append(record(1))
    assert history.rows == 1


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", ",".join(Record._fields) + "\nx,y\n"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """Any CSV is taken for a history."""
    path = tmp_path / "other.csv"
    path.write_text(content)
    with pytest.raises(DataError, match="not the history"):
        read_history(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_history(tmp_path / "none.csv")


def test_the_curve_is_a_png(tmp_path: Path) -> None:
    """No picture is made, or it is none."""
    pytest.importorskip("matplotlib")
    history = History(tmp_path / "history.csv")
    for number in range(3):
        history.append(record(number, 2.0 if number else None))
    assert plot_history(tmp_path / "history.csv", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_curve_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training ends with a traceback where an optional package is missing."""
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    History(tmp_path / "history.csv").append(record(1))
    monkeypatch.setattr(builtins, "__import__", without)
    assert not plot_history(tmp_path / "history.csv", tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()
