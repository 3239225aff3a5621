"""Evaluation: the numbers, and that nothing but model and text decides them."""

import copy
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.lm import RecurrentLanguageModel, evaluate, perplexity
from tinygrad_rnn.lm.evaluation import predict
from tinygrad_rnn.nn.init import constant_

Ids = npt.NDArray[np.int64]


def directly(model: RecurrentLanguageModel, ids: Ids) -> tuple[float, float]:
    """Nats a symbol and accuracy from the definition, in one forward pass and float64."""
    logits = model(from_numpy(ids[:-1, None]))[0].detach().numpy()[:, 0].astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    right = logits.argmax(-1) == ids[1:]
    return float(-log_p[np.arange(len(right)), ids[1:]].mean()), float(right.mean())


@pytest.mark.parametrize("jit", [True, False])
def test_equals_the_definition(model: RecurrentLanguageModel, ids: Ids, jit: bool) -> None:
    """The loss of another text or another model is reported."""
    result = evaluate(model, ids, window=100, jit=jit)
    nats, accuracy = directly(model, ids)
    assert result.nats == pytest.approx(nats, rel=1e-6)
    assert result.accuracy == accuracy
    assert result.count == len(ids) - 1
    assert result.bits == pytest.approx(nats / math.log(2), rel=1e-6)
    assert result.perplexity == pytest.approx(math.exp(nats), rel=1e-6)


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(window=st.integers(1, 300))
def test_the_window_changes_nothing(model: RecurrentLanguageModel, ids: Ids, window: int) -> None:
    """The state is lost, or a symbol left out or counted twice, at the edge of a window."""
    result = evaluate(model, ids[:200], window, jit=False)
    assert result.nats == pytest.approx(directly(model, ids[:200])[0], rel=1e-6)
    assert result.count == 199


def test_rows_cover_the_text(model: RecurrentLanguageModel, ids: Ids) -> None:
    """Rows read side by side leave symbols out, or read them with the state of another row."""
    side_by_side = evaluate(model, ids[:101], 10, rows=4)
    one_by_one = [evaluate(model, ids[start : start + 26], 10) for start in (0, 25, 50, 75)]
    assert side_by_side.count == 100
    assert side_by_side.nats == pytest.approx(np.mean([r.nats for r in one_by_one]), rel=1e-6)


def test_measures_without_dropout_and_keeps_the_mode(ids: Ids) -> None:
    """Measuring is noisy, or changes how the model goes on."""
    model = RecurrentLanguageModel(20, "gru", 8, dropout=0.5)
    assert evaluate(model, ids[:50], 10) == evaluate(model, ids[:50], 10)
    assert model.training


def test_a_window_is_recorded_once(ids: Ids) -> None:
    """Every validation records its windows anew, or goes on with weights that are no more."""
    model = RecurrentLanguageModel(20, "gru", 8)
    before = evaluate(model, ids[:50], 10)
    recorded = model.compiled.of(predict, model).recorded
    with no_grad():
        for parameter in model.parameters():
            parameter.assign(parameter * 1.5)
    after = evaluate(model, ids[:60], 10)
    assert len(recorded.recordings) == 1
    assert after.nats != before.nats
    assert after.nats == pytest.approx(evaluate(model, ids[:60], 10, jit=False).nats, rel=1e-6)


def test_a_copy_of_a_model_compiles_for_itself(ids: Ids) -> None:
    """A copy is measured with the weights of the model that it was copied from."""
    model = RecurrentLanguageModel(20, "rnn", 4)
    evaluate(model, ids[:50], 10)
    copied = copy.deepcopy(model)
    constant_(copied.output.bias, 0.0)
    constant_(copied.output.weight, 0.0)
    assert evaluate(copied, ids[:50], 10).nats == pytest.approx(math.log(20))
    assert evaluate(model, ids[:50], 10).nats != pytest.approx(math.log(20))


def test_memory_mapped_small_integers_are_read(
    model: RecurrentLanguageModel, ids: Ids, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A text larger than memory cannot be measured."""
    path = tmp_path_factory.mktemp("ids") / "ids.bin"
    ids.astype(np.uint8).tofile(path)
    assert evaluate(model, np.memmap(path, np.uint8, "r"), 50) == evaluate(model, ids, 50)


def test_bits_per_character() -> None:
    """Losses a word and a character are compared as if they were the same."""
    result = evaluate(RecurrentLanguageModel(4, "rnn", 2), np.array([0, 1, 2, 3, 0]))
    assert result.bits_per_character(4) == pytest.approx(result.bits)
    assert result.bits_per_character(16) == pytest.approx(result.bits / 4)
    with pytest.raises(ArgumentError, match="characters"):
        result.bits_per_character(0)


def test_perplexity_of_a_hopeless_loss_is_infinite() -> None:
    """A large loss ends the run with an OverflowError."""
    assert perplexity(1e6) == math.inf
    assert perplexity(0.0) == 1.0


def test_what_cannot_be_measured_is_refused(model: RecurrentLanguageModel, ids: Ids) -> None:
    """A text without a prediction gives a division by zero, or a size of 0 an endless loop."""
    with pytest.raises(DataError, match="at least 2"):
        evaluate(model, ids[:1])
    with pytest.raises(ArgumentError, match="window"):
        evaluate(model, ids, 0)
    with pytest.raises(ArgumentError, match="batch_size"):
        evaluate(model, ids, rows=0)
