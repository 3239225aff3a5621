"""ONNX' own test vectors, ONNX Runtime and the operators' equations pass through our cells."""

import importlib
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.interchange.equations import onnx_operator
from tests.interchange.test_onnx_arrays import onnx_weights
from tests.tools import examples, values
from tinygrad_rnn.interchange import OnnxLayer, from_onnx_node

onnx = pytest.importorskip("onnx")

KINDS = ("RNN", "LSTM", "GRU")
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
ROLES = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def node_of(kind: str, given: Any, **attributes: Any) -> Any:
    """A node whose inputs have the names of their roles, and those that are absent none."""
    roles = ROLES if kind == "LSTM" else ROLES[:6]
    names = [role if role in given else "" for role in roles]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    return onnx.helper.make_node(kind, names, outputs, **attributes)


def run(layer: OnnxLayer, arrays: dict[str, Any]) -> list[Any]:
    """What a layer computes of the inputs that are no weights."""
    roles = ("X", "sequence_lens", "initial_h", "initial_c")
    return values(layer(*(tg.tensor(arrays[r]) if r in arrays else None for r in roles)))


def vectors() -> Iterator[Any]:
    """The test vectors that ONNX makes for its backends: name, node, inputs and outputs."""
    found: list[Any] = []
    with warnings.catch_warnings():
        # The module around them casts infinities when it is imported.
        warnings.simplefilter("ignore")
        np.random.seed(0)
        for kind in KINDS:
            module = importlib.import_module(f"onnx.backend.test.case.node.{kind.lower()}")
            with pytest.MonkeyPatch.context() as patch:

                def expect(node: Any, inputs: Any, outputs: Any, name: str, **rest: Any) -> None:
                    found.append(pytest.param(node, inputs, outputs, id=name))

                patch.setattr(module, "expect", expect)
                cases = inspect.getmembers(getattr(module, kind), inspect.isfunction)
                for name, case in cases:
                    if name.startswith("export"):
                        case()
    return iter(found)


VECTORS = list(vectors())


@pytest.mark.parametrize(("node", "inputs", "outputs"), VECTORS)
def test_onnx_own_vectors(node: Any, inputs: Any, outputs: Any) -> None:
    """An operator of ONNX is read as something else than ONNX says it is."""
    arrays = dict(zip([name for name in node.input if name], inputs, strict=True))
    roles = dict(zip(node.input, ROLES, strict=False))
    layer = from_onnx_node(node, arrays)
    found = run(layer, {roles[name]: array for name, array in arrays.items()})
    labels = ["Y", "Y_h", "Y_c"]
    got = dict(zip(labels, found, strict=False))
    declared = dict(zip(node.output, labels, strict=False))
    wanted = [declared[name] for name in node.output if name]
    assert outputs
    for label, expected in zip(wanted, outputs, strict=True):
        assert got[label].shape == expected.shape
        np.testing.assert_allclose(got[label], expected, rtol=1e-5, atol=1e-6)


def test_the_vectors_are_all_there() -> None:
    """The collection of ONNX' vectors finds fewer than the package has, and the tests are empty."""
    names = {str(vector.id) for vector in VECTORS}
    assert len(names) >= 17
    for form in ("gru_reverse", "lstm_with_peepholes", "lstm_batchwise", "rnn_seq_length"):
        assert f"test_{form}" in names


@st.composite
def operators(draw: Any, layouts: tuple[int, ...] = (0,)) -> Any:
    """A node of random attributes, and arrays for all of its inputs."""
    kind = draw(st.sampled_from(KINDS))
    direction = draw(st.sampled_from(list(DIRECTIONS)))
    D = len(DIRECTIONS[direction])
    T, B, features, H = (draw(st.integers(1, 4)) for _ in range(4))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    attributes: dict[str, Any] = {"hidden_size": H, "direction": direction}
    if draw(st.booleans()):
        attributes["clip"] = 0.5  # an attribute is a float32
    if draw(st.booleans()):
        attributes["layout"] = draw(st.sampled_from(layouts))
    if kind == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    if kind == "RNN":
        attributes["activations"] = [draw(st.sampled_from(["Tanh", "Relu"]))] * D
    peepholes = kind == "LSTM" and draw(st.booleans())
    if kind == "LSTM" and not peepholes:
        attributes["input_forget"] = draw(st.integers(0, 1))
    arrays = onnx_weights(random, kind, features, H, D, draw(st.booleans()), peepholes)
    arrays["X"] = random.uniform(-2.0, 2.0, (T, B, features))
    if draw(st.booleans()):
        arrays["sequence_lens"] = random.integers(1, T + 1, B).astype(np.int32)
    if draw(st.booleans()):
        for name in ("initial_h", "initial_c")[: 2 if kind == "LSTM" else 1]:
            arrays[name] = random.uniform(-2.0, 2.0, (D, B, H))
    return kind, attributes, arrays


@examples(60)
@given(operators(layouts=(0, 1)))
def test_the_equations(operator: Any) -> None:
    """An attribute or an input is dropped, or means something else; in float64."""
    kind, attributes, arrays = operator
    layout = attributes.get("layout", 0)
    settings = {k: attributes[k] for k in ("clip", "linear_before_reset") if k in attributes}
    if attributes.get("input_forget"):
        settings["input_forget"] = 1
    if attributes.get("activations", ["Tanh"])[0] == "Relu":
        settings["activation"] = lambda x: np.maximum(x, 0.0)
    weights = {name: arrays[name] for name in ("W", "R", "B", "P") if name in arrays}
    initial = [arrays[name] for name in ("initial_h", "initial_c") if name in arrays]
    Y, finals = onnx_operator(
        kind,
        arrays["X"],
        weights,
        initial or None,
        arrays.get("sequence_lens"),
        DIRECTIONS[attributes["direction"]],
        **settings,
    )
    given = dict(arrays)
    if layout:
        Y, finals = Y.transpose(2, 0, 1, 3), [f.swapaxes(0, 1) for f in finals]
        for name in {"X", "initial_h", "initial_c"} & given.keys():
            given[name] = given[name].swapaxes(0, 1)
    layer = from_onnx_node(node_of(kind, arrays, **attributes), weights)
    found = run(layer, given)
    assert len(found) == 1 + len(finals)
    for got, expected in zip(found, [Y, *finals], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


@examples(60)
@given(operators())
def test_onnx_runtime(operator: Any) -> None:
    """Another implementation of the operators disagrees; in float32, the only type it has."""
    runtime = pytest.importorskip("onnxruntime")
    kind, attributes, arrays = operator
    arrays = {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    node = node_of(kind, arrays, **attributes)
    helper = onnx.helper
    given = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in arrays.items()
    ]
    outputs = [helper.make_tensor_value_info(name, 1, None) for name in node.output]
    graph = helper.make_graph([node], "one", given, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    content = model.SerializeToString()
    session = runtime.InferenceSession(content, options, ["CPUExecutionProvider"])
    expected = session.run(None, arrays)
    found = run(from_onnx_node(node, arrays), arrays)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_a_layer_is_compiled_like_any_other() -> None:
    """A reversed node with lengths cannot be recorded, or computes something else then."""
    random = np.random.default_rng(0)
    arrays = onnx_weights(random, "LSTM", 3, 2, peepholes=True)
    arrays["X"] = random.standard_normal((4, 2, 3))
    arrays["sequence_lens"] = np.array([4, 2], np.int32)
    layer = from_onnx_node(node_of("LSTM", arrays, hidden_size=2, direction="reverse"), arrays)
    given = [tg.tensor(arrays[name]) for name in ("X", "sequence_lens")]
    eager = values(layer(*given))
    step = tg.jit(lambda x, lengths: layer(x, lengths))
    for _ in range(2):
        for got, wanted in zip(values(step(*given)), eager, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12)
