"""Bad input of the pages of `tinygrad_rnn.inspect`."""

from typing import Any

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.errors import ArgumentError, DtypeError, GraphError, ShapeError
from tinygrad_rnn.inspect.pages import Run, study_page


def run(name: str = "one", **changes: Any) -> Run:
    layer = nn.RNN(2, 3)
    with inspect.observe() as seen:
        output, _ = layer(tg.ones(4, 1, 2))
    given: dict[str, Any] = {"objectives": {"loss": output.sum()}, "module": layer, "seen": seen}
    return Run(name, **given | changes)


def released() -> tg.Tensor:
    y = (tg.ones(2, requires_grad=True) * 2.0).sum()
    y.backward()
    return y


def vector() -> tg.Tensor:
    return tg.ones(2, requires_grad=True) * 2.0


TABLE = {
    "Pages": [
        Mistake(
            "study_page([])",
            "nothing to show",
            lambda: study_page([]),
            ArgumentError,
            ("at least one run",),
        ),
        Mistake(
            "study_page([model])",
            "a model where a Run belongs",
            lambda: study_page([nn.RNN(2, 3)]),  # type: ignore[list-item]
            DtypeError,
            ("Run", "RNN"),
        ),
        Mistake(
            'study_page([Run("one", {}, ...)])',
            "a run without an objective",
            lambda: study_page([run(objectives={})]),
            ArgumentError,
            ("'one'", "objective"),
        ),
        Mistake(
            "study_page([Run(name, {'loss': losses}, ...)])",
            "an objective of several numbers",
            lambda: study_page([run(objectives={"loss": vector()})]),
            ShapeError,
            ("'loss'", "(2,)", "one number"),
        ),
        Mistake(
            'study_page([Run("one", ...), Run("one", ...)])',
            "two runs of one name",
            lambda: study_page([run(), run()]),
            ArgumentError,
            ("different names", "'one'"),
        ),
        Mistake(
            "study_page([Run(name, {'loss': loss}, ...)])",
            "a graph that backward released",
            lambda: study_page([run(objectives={"loss": released()})]),
            GraphError,
            ("released", "retain_graph"),
        ),
        Mistake(
            "study_page(runs, windows=[0])",
            "a window of no steps",
            lambda: study_page([run()], windows=[0]),
            ArgumentError,
            ("window", "0"),
        ),
        Mistake(
            "study_page(runs, inputs=[7, 8])",
            "numbers where texts belong",
            lambda: study_page([run()], inputs=[7, 8]),  # type: ignore[list-item]
            DtypeError,
            ("inputs", "strings"),
        ),
        Mistake(
            "study_page(runs, numbers=0)",
            "no numbers of each array",
            lambda: study_page([run()], numbers=0),
            ArgumentError,
            ("numbers", "0"),
        ),
    ]
}
