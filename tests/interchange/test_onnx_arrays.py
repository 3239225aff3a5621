"""ONNX' W, R, B and P compute here what ONNX' equations say, and come back as they were."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.interchange.equations import onnx_operator
from tests.tools import examples
from tinygrad_rnn import nn
from tinygrad_rnn.interchange import from_onnx, to_onnx

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
kinds = st.sampled_from(list(GATES))
sizes = st.integers(1, 4)


def onnx_weights(
    random: np.random.Generator,
    kind: str,
    features: int,
    size: int,
    directions: int = 1,
    bias: bool = True,
    peepholes: bool = False,
) -> dict[str, Any]:
    rows = GATES[kind] * size
    shapes = {"W": (directions, rows, features), "R": (directions, rows, size)}
    if bias:
        shapes["B"] = (directions, 2 * rows)
    if peepholes:
        shapes["P"] = (directions, 3 * size)
    return {name: random.uniform(-1.0, 1.0, shape) for name, shape in shapes.items()}


@examples(30)
@given(kind=kinds, features=sizes, size=sizes, bias=st.booleans(), both=st.booleans())
def test_a_layer_computes_what_the_operator_does(
    kind: str, features: int, size: int, bias: bool, both: bool
) -> None:
    """Gates in another order, or biases of the input and the state exchanged."""
    random = np.random.default_rng(features + 10 * size)
    arrays = onnx_weights(random, kind, features, size, 1 + both, bias)
    model = getattr(nn, kind)(features, size, bias=bias, bidirectional=both, dtype=tg.float64)
    model.load_state_dict(from_onnx(kind, arrays))
    x = random.standard_normal((5, 2, features))
    output, final = model(tg.tensor(x))
    settings = {"linear_before_reset": 1} if kind == "GRU" else {}
    Y, finals = onnx_operator(kind, x, arrays, backwards=(False, True)[: 1 + both], **settings)
    expected = Y.transpose(0, 2, 1, 3).reshape(5, 2, -1)
    np.testing.assert_allclose(output.detach().numpy(), expected, atol=1e-12)
    for got, wanted in zip(final if kind == "LSTM" else (final,), finals, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-12)


@examples(30)
@given(
    kind=kinds,
    features=sizes,
    size=sizes,
    bias=st.booleans(),
    both=st.booleans(),
    peepholes=st.booleans(),
)
def test_arrays_come_back_as_they_were(
    kind: str, features: int, size: int, bias: bool, both: bool, peepholes: bool
) -> None:
    """Reading and writing are no inverses."""
    random = np.random.default_rng(size)
    peepholes = peepholes and kind == "LSTM"
    arrays = onnx_weights(random, kind, features, size, 1 + both, bias, peepholes)
    before = {name: array.copy() for name, array in arrays.items()}
    back = to_onnx(kind, from_onnx(kind, arrays, layer=2), layer=2)
    assert back.keys() == before.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(back[name], array)
        np.testing.assert_array_equal(arrays[name], array)
