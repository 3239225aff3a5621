"""Plots: they draw what they are given, and ask for matplotlib only when one is drawn."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.inspection.models import layers, loss_of, sequence
from tinygrad_rnn import inspect
from tinygrad_rnn.errors import DataError, UnsupportedError

PNG = b"\x89PNG"


def test_every_plot_is_written(tmp_path: Path) -> None:
    """A plot fails on results that its function returns."""
    pytest.importorskip("matplotlib")
    model = layers("lstm", 2)
    with inspect.observe() as seen:
        loss = loss_of(model(sequence())[0])
    flow = inspect.gradient_flow(loss, seen, ["h", "c"])
    inspect.plot_flow(tmp_path / "flow.png", flow)
    inspect.plot_flow(tmp_path / "zero.png", {"none": np.zeros(3)})
    inspect.plot_credit(tmp_path / "credit.png", np.tril(np.ones((4, 4))))
    inspect.plot_credit(tmp_path / "nothing.png", np.zeros((2, 2)))
    shares = inspect.contributions_of(loss, model.cells()[0].weight_hh)
    inspect.plot_contributions(tmp_path / "shares.png", shares)
    gates = inspect.record_activations(model, sequence()).saturation()
    inspect.plot_saturation(tmp_path / "new" / "gates.png", gates)
    rows = [np.array([0.5, 0.1]), np.array([0.2, 0.0])]
    inspect.plot_singular_values(tmp_path / "values.png", {"rnn": rows})
    pictures = list(tmp_path.rglob("*.png"))
    assert len(pictures) == 7
    assert all(picture.read_bytes().startswith(PNG) for picture in pictures)
    with pytest.raises(DataError, match="cannot be written"):
        inspect.plot_flow(tmp_path / "flow.unknown", flow)


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without matplotlib a plot fails with an error that does not tell what to do."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match=r"pip install tinygrad_rnn\[viz\]"):
        inspect.plot_flow(tmp_path / "flow.png", {"h": np.ones(3)})


def test_importing_stays_light() -> None:
    """Importing the package imports this folder, or importing this folder imports matplotlib."""
    code = (
        "import sys, tinygrad_rnn as tg; assert 'tinygrad_rnn.inspect' not in sys.modules; "
        "tg.inspect.graph_of; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert tg.inspect is inspect
