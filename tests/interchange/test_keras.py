"""Keras' weights compute here what Keras' equations say, and come back as they were."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.interchange.equations import keras_layer
from tests.tools import examples
from tinygrad_rnn import nn
from tinygrad_rnn.interchange import from_keras, to_keras

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
LAYERS: dict[str, Any] = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}

kinds = st.sampled_from(list(GATES))
sizes = st.integers(1, 4)


def keras_weights(
    random: np.random.Generator,
    kind: str,
    features: int,
    units: int,
    bias: bool,
    reset_after: bool = True,
) -> list[Any]:
    columns = GATES[kind] * units
    shapes: list[tuple[int, ...]] = [(features, columns), (units, columns)]
    if bias:
        shapes.append((2, columns) if kind == "GRU" and reset_after else (columns,))
    return [random.uniform(-1.0, 1.0, shape) for shape in shapes]


@examples(30)
@given(
    kind=kinds,
    features=sizes,
    units=sizes,
    bias=st.booleans(),
    both=st.booleans(),
    after=st.booleans(),
)
def test_a_layer_computes_what_keras_does(
    kind: str, features: int, units: int, bias: bool, both: bool, after: bool
) -> None:
    """Gates in another order, a kernel not transposed, or a bias that went to another place."""
    random = np.random.default_rng(features + 10 * units)
    parts = [keras_weights(random, kind, features, units, bias, after) for _ in range(1 + both)]
    settings: dict[str, Any] = {"bias": bias, "batch_first": True, "bidirectional": both}
    if kind == "GRU":
        settings["reset_after"] = after
    model = LAYERS[kind](features, units, dtype=tg.float64, **settings)
    model.load_state_dict(from_keras(kind, [a for part in parts for a in part], 0, after))
    x = random.standard_normal((2, 5, features))
    output, final = model(tg.tensor(x))
    finals = final if kind == "LSTM" else (final,)
    for d, weights in enumerate(parts):
        expected, state = keras_layer(kind, x, weights, after, backwards=d == 1)
        ours = output.detach().numpy()[..., d * units : (d + 1) * units]
        np.testing.assert_allclose(ours, expected, atol=1e-12)
        for got, wanted in zip(finals, state, strict=True):
            np.testing.assert_allclose(got.detach().numpy()[d], wanted, atol=1e-12)


@examples(30)
@given(
    kind=kinds,
    features=sizes,
    units=sizes,
    bias=st.booleans(),
    both=st.booleans(),
    reset_after=st.booleans(),
)
def test_weights_come_back_as_they_were(
    kind: str, features: int, units: int, bias: bool, both: bool, reset_after: bool
) -> None:
    """Reading and writing are no inverses."""
    random = np.random.default_rng(units)
    arrays = [
        array
        for _ in range(1 + both)
        for array in keras_weights(random, kind, features, units, bias, reset_after)
    ]
    before = [array.copy() for array in arrays]
    state_dict = from_keras(kind, arrays, layer=3, reset_after=reset_after)
    back = to_keras(kind, state_dict, layer=3, reset_after=reset_after)
    assert len(back) == len(arrays)
    for array, again, copy in zip(arrays, back, before, strict=True):
        np.testing.assert_array_equal(again, copy)
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("kind", list(GATES))
def test_a_layer_of_ours_is_written_for_keras(kind: str) -> None:
    """Two biases of ours that Keras' one does not add up, or a layer that is mistaken for another.

    The reverse: our own layers' weights, run by Keras' equations.
    """
    model = LAYERS[kind](3, 2, num_layers=2, batch_first=True, dtype=tg.float64)
    x = np.random.default_rng(0).standard_normal((2, 4, 3))
    between = x
    for layer in range(2):
        weights = to_keras(kind, model.state_dict(), layer=layer)
        between, _ = keras_layer(kind, between, weights)
    np.testing.assert_allclose(model(tg.tensor(x))[0].detach().numpy(), between, atol=1e-12)


def test_a_cell_takes_names_without_a_layer() -> None:
    """A cell's weights get the names of a layer."""
    cell = nn.LSTMCell(3, 2, dtype=tg.float64)
    again = nn.LSTMCell(3, 2, dtype=tg.float64)
    again.load_state_dict(from_keras("LSTM", to_keras("LSTM", cell.state_dict(), None), None))
    x = tg.randn(1, 3, dtype=tg.float64)
    ours, back = cell(x), again(x)
    np.testing.assert_allclose(ours.h.detach().numpy(), back.h.detach().numpy(), atol=1e-12)
