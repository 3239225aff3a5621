"""Recorded gates and states, against the equations written in NumPy."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.inspection.models import B, H, OwnCell, T, layers, sequence
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.errors import ArgumentError


def sigmoid(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return 1.0 / (1.0 + np.exp(-x))


def test_an_lstm_against_its_equations() -> None:
    """A gate or state is recorded under another's name, or for another step."""
    model, x = nn.LSTM(3, H, dtype=tg.float64), sequence()
    shown = inspect.record_activations(model, x)
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    h = c = np.zeros((B, H))
    for t in range(T):
        total = x[t].numpy() @ w["weight_ih_l0"].T + w["bias_ih_l0"]
        total = total + h @ w["weight_hh_l0"].T + w["bias_hh_l0"]
        i, f, g, o = np.split(total, 4, 1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h, "output": h}.items():
            np.testing.assert_allclose(shown[f"l0.{name}"][t], value, atol=1e-13, err_msg=name)
    assert list(shown.steps["l0.f"]) == list(range(T))


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "own"])
def test_recorded_equals_record_true(kind: str) -> None:
    """What is recorded differs from what the layers themselves return."""
    model, x = layers(kind, 2, bidirectional=True), sequence()
    shown = inspect.record_activations(model, x)
    _, _, recording = model(x, record=True)
    for layer, named in recording.items():
        for name, value in named.items():
            np.testing.assert_array_equal(shown[f"{layer}.{name}"], value.detach().numpy())


def test_the_table_has_every_number_once() -> None:
    """A row of the table says another step, row or unit than its number's."""
    shown = inspect.record_activations(layers("gru"), sequence())
    rows = list(shown.table(["l0.r", "l0.z"]))
    assert len(rows) == 2 * T * B * H
    for entry in rows:
        place = (entry.step, entry.row, entry.unit)
        assert shown[f"{entry.layer}.{entry.name}"][place] == entry.value
    assert len({entry[:5] for entry in rows}) == len(rows)
    assert "l0.r" in str(shown)


def test_saturation_is_counted() -> None:
    """A gate that is always closed or open is not reported as such."""
    model = layers("lstm")
    with tg.no_grad():
        bias = model.cells()[0].bias_ih
        bias.assign(np.repeat([-9.0, 9.0, 0.0, 0.0], H))
    shown = inspect.record_activations(model, sequence())
    assert set(shown.gates()) >= {"l0.i", "l0.f", "l0.o"}
    assert "l0.g" not in shown.gates()
    found = shown.saturation()
    assert found["l0.i"].total() == (1.0, 0.0)
    assert found["l0.f"].total() == (0.0, 1.0)
    values = shown["l0.o"].reshape(-1, H)
    np.testing.assert_allclose(found["l0.o"].left, (values < 0.1).mean(0))
    np.testing.assert_allclose(found["l0.o"].right, (values > 0.9).mean(0))
    with pytest.raises(ArgumentError, match="about gates"):
        shown.saturation(["l0.g"])


def test_recording_changes_nothing() -> None:
    """Recording leaves a model in another mode, or keeps a graph."""
    model = nn.LSTM(3, H, 2, dropout=0.5, dtype=tg.float64)
    x = sequence()
    first = inspect.record_activations(model, x)
    second = inspect.record_activations(model, x)
    np.testing.assert_array_equal(first["l1.h"], second["l1.h"])
    assert model.training
    assert inspect.record_activations(nn.Recurrent(OwnCell(3)), x)["l0.z"].shape == (T, B, H)
