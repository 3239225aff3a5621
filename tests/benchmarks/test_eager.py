"""The benchmark of steps that nothing compiles prints and writes its figures."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.train_step import EAGER, LOOP
from tests.benchmarks.test_benchmarks import run


def test_eager(tmp_path: Path) -> None:
    """A contender is missing, or the last line compares others than these two."""
    file = tmp_path / "figures.json"
    small = ("--threads", 1, "--repeat", 1, "--turn", 0.01, "--hidden", 5, "--batch", 3)
    output = run("eager", *small, "--steps", 4, "--json", file)
    (row,) = json.loads(file.read_text())["rows"]
    assert list(row["contenders"]) == [EAGER, LOOP]
    ours, other = row["contenders"].values()
    assert ours["status"] == "measured"
    (last,) = re.findall(r"^ *peephole LSTM 1x5 .*$", output, re.M)
    ratio = last.split()[4]
    if other["status"] == "measured":
        assert float(ratio) == pytest.approx(other["median"] / ours["median"], abs=0.006)
    else:
        assert ratio == "-"
