"""Bad input of `tinygrad_rnn.inspect`."""

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    GraphError,
    RecordingError,
    ShapeError,
)


def leaf() -> tg.Tensor:
    return tg.ones(2, 3, requires_grad=True)


def loss() -> tg.Tensor:
    return (leaf() * 2.0).sum()


def released() -> tg.Tensor:
    y = loss()
    y.backward()
    return y


def stepped() -> tg.Tensor:
    h = leaf()
    for t in range(4):
        with tg.scope("cell", t):
            h = h.tanh()
    return h.sum()


def seen() -> inspect.Observation:
    with inspect.observe() as observation:
        nn.LSTM(3, 2)(tg.ones(4, 1, 3))
    return observation


def states() -> tuple[tg.Tensor, tg.Tensor]:
    first = leaf().tanh()
    return first, first @ tg.ones(3, 3)


def untracked() -> tg.Tensor:
    with tg.no_grad():
        return loss()


class Silent(nn.Module):
    """A model that names nothing."""

    def forward(self, ids: tg.Tensor, state: Any) -> tuple[tg.Tensor, Any]:
        return tg.ones(*ids.shape, 3), state


def reading(count: int = 4) -> inspect.Reading:
    values = {"h": np.ones((count, 2), np.float32)}
    return inspect.Reading(values, np.zeros((count, 1), np.int64), np.ones((count, 1)))


def activations() -> inspect.Activations:
    return inspect.Activations({"l0.g": np.array([[[-0.5, 0.5]]])}, {"l0.g": np.array([0])})


def noise() -> dict[str, Any]:
    return {"h": np.random.default_rng(0).normal(size=(20, 2))}


HALF = np.arange(20) % 2 == 0

TABLE = {
    "Looking inside": [
        Mistake(
            "inspect.graph_of(x)",
            "a graph that backward released",
            lambda: inspect.graph_of(released()),
            GraphError,
            ("released", "before calling backward", "retain_graph=True"),
        ),
        Mistake(
            "inspect.graph_of(x)",
            "a tensor without a graph",
            lambda: inspect.graph_of(untracked()),
            GraphError,
            ("no graph", "no_grad()", "jit"),
        ),
        Mistake(
            "inspect.graph_of(x)",
            "a call inside jit",
            lambda: tg.jit(lambda x: len(inspect.graph_of((x * x).sum())))(leaf()),
            RecordingError,
            ("inside jit", "eagerly"),
        ),
        Mistake(
            "inspect.graph_of(x)",
            "an array",
            lambda: inspect.graph_of(np.ones(3)),  # type: ignore[arg-type]
            DtypeError,
            ("Tensor", "ndarray"),
        ),
        Mistake(
            "inspect.graph_of(x, module)",
            "something else than a module",
            lambda: inspect.graph_of(loss(), [leaf()]),  # type: ignore[arg-type]
            DtypeError,
            ("Module", "list"),
        ),
        Mistake(
            "inspect.graph_of(x, names={...})",
            "a name for a computed tensor",
            lambda: inspect.graph_of(loss(), names={"y": loss()}),
            ArgumentError,
            ("'y'", "leaves", "nn.record"),
        ),
        Mistake(
            "inspect.to_svg(graph)",
            "a tensor",
            lambda: inspect.to_svg(loss()),  # type: ignore[arg-type]
            DtypeError,
            ("Graph", "graph_of"),
        ),
        Mistake(
            "inspect.to_text(graph, unfold=9)",
            "a step that there is not",
            lambda: inspect.to_text(inspect.graph_of(stepped()), unfold=9),
            ArgumentError,
            ("no step 9", "0 … 3"),
        ),
        Mistake(
            "inspect.to_dot(graph, show=0)",
            "no step to show",
            lambda: inspect.to_dot(inspect.graph_of(stepped()), show=0),
            ArgumentError,
            ("from 1", "0"),
        ),
        Mistake(
            "inspect.trace(x)",
            "several elements and no gradient",
            lambda: inspect.trace(leaf() * 2.0),
            ShapeError,
            ("(2, 3)", "sum()"),
        ),
        Mistake(
            "inspect.trace([a, b], [g])",
            "gradients for some outputs only",
            lambda: inspect.trace([loss(), loss()], [None]),
            ShapeError,
            ("2 outputs", "1 gradients"),
        ),
        Mistake(
            "inspect.window_cut(0)",
            "an empty window",
            lambda: inspect.window_cut(0),
            ArgumentError,
            ("window", "0"),
        ),
        Mistake(
            "inspect.contributions_of(x, w)",
            "a weight that was not used",
            lambda: inspect.contributions_of(loss(), leaf()),
            GraphError,
            ("(2, 3)", "no part"),
        ),
        Mistake(
            "inspect.gradient_flow(x, states)",
            "a name that was not observed",
            lambda: inspect.gradient_flow(loss(), seen(), ["q"]),
            ArgumentError,
            ("'q'", "l0.c"),
        ),
        Mistake(
            "inspect.gradient_flow(x, states)",
            "no states",
            lambda: inspect.gradient_flow(loss(), {}),
            ArgumentError,
            ("no states",),
        ),
        Mistake(
            "inspect.gradient_flow(x, states)",
            "states outside the graph",
            lambda: inspect.gradient_flow(loss(), {"h": [tg.ones(2)]}),
            GraphError,
            ("requires no gradient",),
        ),
        Mistake(
            "inspect.series(seen)",
            "a recording instead of an observation",
            lambda: inspect.series({}),  # type: ignore[arg-type]
            ArgumentError,
            ("observe()", "dict"),
        ),
        Mistake(
            "inspect.state_jacobian(later, earlier)",
            "states in the wrong order",
            lambda: inspect.state_jacobian(*states()),
            GraphError,
            ("does not depend", "order of"),
        ),
        Mistake(
            "inspect.state_jacobian(later, earlier, row)",
            "a row that there is not",
            lambda: inspect.state_jacobian(*states()[::-1], row=2),
            ShapeError,
            ("row 2", "(2, 3)"),
        ),
        Mistake(
            "inspect.elementwise_factor(later, earlier)",
            "a Jacobian that is not diagonal",
            lambda: inspect.elementwise_factor(*states()[::-1]),
            ArgumentError,
            ("not diagonal", "holding"),
        ),
        Mistake(
            "inspect.rnn_factors(cell, states)",
            "another cell",
            lambda: inspect.rnn_factors(nn.GRUCell(3, 2), []),  # type: ignore[arg-type]
            ArgumentError,
            ("RNNCell", "GRUCell", "state_jacobians"),
        ),
        Mistake(
            "inspect.product_of([])",
            "no factors",
            lambda: inspect.product_of([]),
            ArgumentError,
            ("at least one",),
        ),
        Mistake(
            "inspect.memory_factors(seen, path)",
            "a layer that there is not",
            lambda: inspect.memory_factors(seen(), "l7"),
            ArgumentError,
            ("'l7.h'", "l0.h"),
        ),
        Mistake(
            "inspect.record_activations(model, x)",
            "a model that names nothing",
            lambda: inspect.record_activations(nn.Linear(3, 2), tg.ones(1, 3)),
            ArgumentError,
            ("nothing was named", "nn.record"),
        ),
        Mistake(
            "inspect.record_activations(model, x)",
            "no module",
            lambda: inspect.record_activations(len, []),  # type: ignore[arg-type]
            DtypeError,
            ("Module", "builtin_function_or_method"),
        ),
        Mistake(
            "activations['q']",
            "a name that was not recorded",
            lambda: inspect.activations_of(seen())["q"],
            ArgumentError,
            ("'q'", "l0.f"),
        ),
        Mistake(
            "activations.saturation(['l0.g'])",
            "no gate",
            lambda: activations().saturation(["l0.g"]),
            ArgumentError,
            ("l0.g", "gates"),
        ),
        Mistake(
            "inspect.read(model, ids)",
            "two rows of symbols",
            lambda: inspect.read(Silent(), np.zeros((2, 3), int)),
            ShapeError,
            ("(N,)", "(2, 3)"),
        ),
        Mistake(
            "inspect.read(model, ids)",
            "text that is not encoded",
            lambda: inspect.read(Silent(), ["a", "b"]),
            DtypeError,
            ("symbol numbers",),
        ),
        Mistake(
            "inspect.read(model, ids)",
            "a model that names nothing",
            lambda: inspect.read(Silent(), [0, 1]),
            ArgumentError,
            ("h, c", "observed"),
        ),
        Mistake(
            "reading.unit(name, number)",
            "a unit that there is not",
            lambda: reading().unit("h", 2),
            ArgumentError,
            ("0 … 1", "2"),
        ),
        Mistake(
            "inspect.rank_units(values, target)",
            "a property of another length",
            lambda: inspect.rank_units(noise(), HALF[:-1]),
            ShapeError,
            ("(20, 2)", "(19,)"),
        ),
        Mistake(
            "inspect.rank_units(values, target)",
            "a property that never changes",
            lambda: inspect.rank_units(noise(), np.zeros(20, bool)),
            DataError,
            ("same everywhere", "longer text"),
        ),
        Mistake(
            "inspect.rank_units(values, target, split=1)",
            "nothing left to check",
            lambda: inspect.rank_units(noise(), HALF, split=1.0),
            ArgumentError,
            ("between 0 and 1",),
        ),
        Mistake(
            "inspect.search_units(reading, text)",
            "another text",
            lambda: inspect.search_units(reading(), "abc"),
            ShapeError,
            ("4 symbols", "3 characters"),
        ),
        Mistake(
            "inspect.search_units(reading, text, properties)",
            "a property with too few values",
            lambda: inspect.search_units(reading(), "abcd", {"mine": lambda text: [1.0]}),
            ShapeError,
            ("mine", "(1,)", "4 characters"),
        ),
        Mistake(
            "inspect.search_units(reading, text, properties)",
            "a property that gives text",
            lambda: inspect.search_units(reading(), "abcd", {"mine": list}),
            DtypeError,
            ("mine", "truth values or numbers"),
        ),
        Mistake(
            "inspect.colour_html(text, values)",
            "too few values",
            lambda: inspect.colour_html("abc", [1.0]),
            ShapeError,
            ("3 characters", "(1,)"),
        ),
        Mistake(
            "inspect.colour_ansi(text, values, scale=0)",
            "a scale of 0",
            lambda: inspect.colour_ansi("a", [1.0], scale=0.0),
            ArgumentError,
            ("above 0",),
        ),
        Mistake(
            "inspect.predictions_under(reading, symbols)",
            "too few symbols",
            lambda: inspect.predictions_under(reading(), ""),
            ShapeError,
            ("0 symbols", "number 0"),
        ),
        Mistake(
            "inspect.plot_credit(path, matrix)",
            "no matrix",
            lambda: inspect.plot_credit("credit.png", [1.0]),
            ShapeError,
            ("two axes", "(1,)"),
        ),
    ]
}
