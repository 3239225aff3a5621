"""Bad input of n-gram and fixed-window models, of searches, and of the training loop."""

import math
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.core import in_a_folder
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import lm, nn, optim, training
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    DtypeError,
    NumericalError,
    OutOfRangeError,
    RecordingError,
    ShapeError,
    VocabularyError,
)
from tinygrad_rnn.text import Vocabulary


def counted(**settings: Any) -> lm.NGramLanguageModel:
    return lm.NGramLanguageModel([0, 1, 2, 0, 1], 3, **settings)


def step(symbols: tg.Tensor, state: Any) -> tuple[tg.Tensor, Any]:
    return tg.zeros(len(symbols), 3), state


def searched(**settings: Any) -> None:
    lm.beam_search(**({"step": step, "start": [0], "state": None} | settings))


def drawn(**settings: Any) -> None:
    lm.sample(**({"step": step, "start": [0], "state": None} | settings))


def fitted(scale: float = 1.0, **settings: Any) -> None:
    model = nn.Linear(2, 1)
    given: dict[str, Any] = {
        "model": model,
        "optimizer": optim.SGD(model.parameters(), lr=0.1),
        "loss_of_batch": lambda x: (model(x) * scale).sum(),
        "batches": [np.ones((3, 2), np.float32)],
        "epochs": 1,
        "progress": False,
        "jit": False,
    }
    training.fit(**(given | settings))


def fitted_twice() -> None:
    fitted(folder="run")
    fitted(folder="run")


MODELS = [
    Mistake("NGramLanguageModel", "n of 0", lambda: counted(n=0), ArgumentError, ("n is 0",)),
    Mistake(
        "NGramLanguageModel",
        "an unknown smoothing",
        lambda: counted(smoothing="good-turing"),
        ArgumentError,
        ("good-turing", "kneser-ney", "add-k"),
    ),
    Mistake(
        "NGramLanguageModel",
        "nothing added",
        lambda: counted(smoothing="add-k", k=0.0),
        ArgumentError,
        ("k is 0.0", "above 0"),
    ),
    Mistake(
        "NGramLanguageModel",
        "an empty text",
        lambda: lm.NGramLanguageModel(np.empty(0, np.int64), 3),
        DataError,
        ("no text",),
    ),
    Mistake(
        "NGramLanguageModel",
        "a number outside the vocabulary",
        lambda: lm.NGramLanguageModel([0, 7], 3),
        OutOfRangeError,
        ("0..7", "0..2"),
    ),
    Mistake(
        "NGramLanguageModel",
        "letters",
        lambda: lm.NGramLanguageModel(list("abc"), 3),
        DtypeError,
        ("encode",),
    ),
    Mistake(
        "NGramLanguageModel.unseen",
        "longer than was counted",
        lambda: counted(n=2).unseen([0, 1, 2], 3),
        ArgumentError,
        ("3", "2"),
    ),
    Mistake(
        "NGramLanguageModel.unseen",
        "a text shorter than n",
        lambda: counted(n=3).unseen([0, 1]),
        DataError,
        ("2 symbols", "3-grams"),
    ),
    Mistake(
        "NGramLanguageModel.forward",
        "inside jit",
        lambda: tg.jit(lambda ids: counted()(ids)[0])(tg.tensor([[0]])),
        RecordingError,
        ("numpy()",),
    ),
    Mistake(
        "FixedWindowLanguageModel",
        "a window of 0",
        lambda: lm.FixedWindowLanguageModel(3, 0),
        ArgumentError,
        ("window", "0"),
    ),
    Mistake(
        "FixedWindowLanguageModel.forward",
        "a single row",
        lambda: lm.FixedWindowLanguageModel(3)(tg.tensor([0, 1])),
        ShapeError,
        ("(2,)", "unsqueeze"),
    ),
    Mistake(
        "surprises",
        "a model of another kind",
        lambda: lm.surprises(nn.Linear(2, 2), [0, 1]),
        DtypeError,
        ("LanguageModel", "Linear"),
    ),
    Mistake(
        "surprises",
        "two texts",
        lambda: lm.surprises(counted(), [[0, 1], [1, 2]]),
        ShapeError,
        ("one row", "(2, 2)"),
    ),
]

SEARCH = [
    Mistake("beam_search", "no width", lambda: searched(width=0), ArgumentError, ("width", "0")),
    Mistake(
        "beam_search",
        "more hypotheses than width",
        lambda: searched(width=2, hypotheses=3),
        ArgumentError,
        ("3", "width 2"),
    ),
    Mistake(
        "beam_search",
        "an end outside the vocabulary",
        lambda: searched(end=3),
        OutOfRangeError,
        ("3", "0 … 2"),
    ),
    Mistake("beam_search", "no rows", lambda: searched(start=[]), ShapeError, ("start", "(B,)")),
    Mistake(
        "beam_search",
        "a step that returns another shape",
        lambda: searched(step=lambda x, s: (tg.zeros(4, 3, 1), s)),
        ShapeError,
        ("(4, 3, 1)", "(4, V)"),
    ),
    Mistake(
        "beam_search",
        "a step that returns NaN",
        lambda: searched(step=lambda x, s: (tg.zeros(4, 3) * math.nan, s)),
        NumericalError,
        ("NaN",),
    ),
    Mistake(
        "beam_search",
        "a state whose rows are another axis",
        lambda: searched(state=tg.zeros(2, 1, 3), start=[0], batch_axis=5),
        OutOfRangeError,
        ("axis 5",),
    ),
    Mistake(
        "sample",
        "a temperature below 0",
        lambda: drawn(temperature=-1.0),
        ArgumentError,
        ("temperature", "-1.0"),
    ),
    Mistake(
        "sample",
        "a seed and a generator",
        lambda: drawn(seed=1, generator=tg.Generator(1)),
        ArgumentError,
        ("not both",),
    ),
    Mistake(
        "sample",
        "letters to begin with",
        lambda: drawn(start=["a"]),
        DtypeError,
        ("encode",),
    ),
    Mistake(
        "generate_batch",
        "no texts",
        lambda: lm.generate_batch(counted(), Vocabulary("abc"), "a", 0),
        ArgumentError,
        ("count", "0"),
    ),
    Mistake(
        "completions",
        "an empty prefix",
        lambda: lm.completions(counted(), Vocabulary("abc"), ""),
        ArgumentError,
        ("empty",),
    ),
    Mistake(
        "completions",
        "an end that is not held",
        lambda: lm.completions(counted(), Vocabulary("abc"), "a"),
        VocabularyError,
        ("' '",),
    ),
]

LOOP = [
    Mistake("fit", "no model", lambda: fitted(model=3), DtypeError, ("Module", "int")),
    Mistake("fit", "no epochs", lambda: fitted(epochs=0), ArgumentError, ("epochs", "0")),
    Mistake("fit", "an unknown mode", lambda: fitted(mode="up"), ArgumentError, ("mode", "'up'")),
    Mistake("fit", "no batches", lambda: fitted(batches=[]), DataError, ("no batches",)),
    Mistake(
        "fit",
        "a measure named as a column",
        lambda: fitted(validate=lambda: {"loss": 1.0}),
        ArgumentError,
        ("loss", "other names"),
    ),
    Mistake(
        "fit",
        "a measure that is no number",
        lambda: fitted(validate=lambda: "good"),
        DtypeError,
        ("'good'", "number"),
    ),
    Mistake(
        "fit",
        "a loss that is NaN",
        lambda: fitted(scale=math.nan),
        NumericalError,
        ("epoch 1", "batch 1", "learning rate"),
    ),
    Mistake(
        "fit",
        "a folder that holds a run",
        lambda: in_a_folder(fitted_twice),
        CheckpointError,
        ("resume=True", "another folder"),
    ),
    Mistake(
        "plot_curves",
        "a number as path",
        lambda: training.plot_curves(5, {}, "x", "y"),  # type: ignore[arg-type]
        ArgumentError,
        ("path", "5"),
    ),
    Mistake("fit", "a number as batches", lambda: fitted(batches=3), DtypeError, ("batches", "3")),
    Mistake(
        "fit", "a number as schedule", lambda: fitted(schedule=3), DtypeError, ("schedule", "3")
    ),
    Mistake(
        "fit",
        "a loss that is no tensor",
        lambda: fitted(loss_of_batch=lambda x: 3.0),
        DtypeError,
        ("3.0",),
    ),
]

TABLE = {"N-gram and fixed-window models": MODELS, "Search": SEARCH, "Training loop": LOOP}
