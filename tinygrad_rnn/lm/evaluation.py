"""Measuring a language model on a text: nats, bits, perplexity and accuracy.

Nothing here changes a model.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import DataError
from tinygrad_rnn.lm.arguments import number_of, require, require_known
from tinygrad_rnn.lm.base import LanguageModel, State
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Window, evaluation_windows
from tinygrad_rnn.text.arguments import array_of, size_of, text_of
from tinygrad_rnn.training.modes import inference


@dataclass(frozen=True)
class Evaluation:
    """How well a model predicts a text.

    Attributes:
        nats: the mean of -ln p(symbol | all before it), nats a symbol.
        bits: the same in bits a symbol, nats / ln 2.
        perplexity: e^nats, symbols: as unsure as an equal choice among so many.
        accuracy: the share of symbols that were the most probable one, 0 … 1.
        count: the number of symbols predicted.
    """

    nats: float
    bits: float
    perplexity: float
    accuracy: float
    count: int

    def bits_per_character(self, characters: int) -> float:
        """Return the text's bits shared among its characters.

        So models over characters, bytes and words can be compared on one text.
        """
        return self.bits * self.count / size_of("characters", characters)


class Predicted(NamedTuple):
    """How a model read a window: three tensors, or structures of them.

    Attributes:
        nats: -ln p of each target, (T, B).
        right: whether it was the most probable symbol, (T, B).
        state: the state after the window.
    """

    nats: Tensor
    right: Tensor
    state: State


def predict(
    model: LanguageModel, inputs: Tensor, targets: Tensor, state: State
) -> Predicted:
    """Predict the targets (T, B) of a window from its inputs. Reads no number back."""
    logits, state = model(inputs, state)
    picked = logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return Predicted(-picked, logits.argmax(-1) == targets, state)


def predictor(model: LanguageModel, jit: bool) -> Callable[..., Predicted]:
    """Return `predict` for one model, compiled if wanted and possible."""
    compiles = jit and model.recordable
    return model.compiled.of(predict, model) if compiles else functools.partial(predict, model)


def perplexity(nats: float) -> float:
    """Return e^nats; infinity where that is too large for a float."""
    return math.exp(nats) if number_of(nats, "nats") < 709.0 else math.inf


def evaluate(
    model: LanguageModel,
    ids: npt.ArrayLike,
    window: int = 256,
    rows: int = 1,
    jit: bool = True,
) -> Evaluation:
    """Predict every symbol of a text but the first from those before it.

    The state is carried from window to window, so `window` bounds the memory used and does not
    change the result. Dropout is off, and no graph is kept.

    Args:
        model: any language model: n-gram, fixed-window or recurrent.
        ids: symbol numbers, (N,); or (R, N), R texts of one length, each with a state of its own.
        window: symbols at a time.
        rows: cut a single text into so many rows that are read side by side, which is faster.
            Each row begins with an empty state, so its first symbols are predicted without the
            text before them: the result comes out a little worse than with 1.
        jit: read whole windows by a compiled step, which is kept with the model. Recording it
            takes some seconds where `window` is long, so for a single short text False is faster.
            The results differ by rounding.

    Raises:
        DataError: for fewer than 2 symbols.
        OutOfRangeError: for a symbol number that the model does not know.
        ArgumentError, ShapeError, DtypeError: for sizes below 1, or anything but symbol numbers.
        RecordingError: with `jit`, for a cell of your own that reads a number back.
    """
    parts = list(_predictions(model, ids, window, rows, jit))
    # An exact sum does not depend on how the text was cut into windows.
    count = sum(part.nats.numel() for part in parts)
    nats = math.fsum(loss for part in parts for loss in part.nats.flatten().tolist()) / count
    right = sum(int(np.count_nonzero(part.right.numpy())) for part in parts)
    return Evaluation(nats, nats / math.log(2.0), perplexity(nats), right / count, count)


def surprises(
    model: LanguageModel, ids: npt.ArrayLike, window: int = 256, jit: bool = True
) -> npt.NDArray[np.float64]:
    """Return -ln p(symbol | all before it) of every symbol of a text but the first, in nats.

    Their mean is what `evaluate` reports. A text by the author whom a model was trained on
    surprises it least.

    Args:
        model: any language model.
        ids: symbol numbers, (N,).
        window: symbols at a time, as in `evaluate`.
        jit: as in `evaluate`.

    Returns:
        Nats, (N - 1,); entry i is about ids[i + 1].

    Raises what `evaluate` does, and ShapeError for more than one row.
    """
    parts = _predictions(model, text_of(ids), window, 1, jit)
    return np.concatenate([part.nats.numpy()[:, 0].astype(np.float64) for part in parts])


def _predictions(
    model: LanguageModel, ids: npt.ArrayLike, window: int, rows: int, jit: bool
) -> Iterator[Predicted]:
    """Read a text window by window, with the state carried from one to the next."""
    require(model, LanguageModel, "model")
    texts = array_of(ids)
    require_known(texts, model.vocabulary_size)
    state: State = None
    of_whole, of_rest = predictor(model, jit), predictor(model, False)
    for part in _windows(texts, window, rows):
        with inference(model):
            if part.starts:
                state = model.initial_state(part.inputs.shape[1])
            given = (from_numpy(part.inputs), from_numpy(part.targets), state)
            # The shorter window at the end comes once: recording it would take longer.
            read = (of_whole if len(part.inputs) == window else of_rest)(*given)
        state = read.state
        yield read._replace(state=None)


def _windows(ids: npt.NDArray[Any], window: int, rows: int) -> Iterator[Window]:
    if ids.ndim != 2:
        yield from evaluation_windows(ids, window, rows)
        return
    if len(ids) < 1:
        raise DataError("there is no text to evaluate: the array has no rows")
    # One row is asked for its windows, so that sizes are checked in one place.
    for part in evaluation_windows(ids[0], window):
        steps = slice(part.position * window, part.position * window + len(part.inputs) + 1)
        both = np.array(ids[:, steps].T, np.int64, order="C")
        yield Window(both[:-1], both[1:], part.position, part.starts)
