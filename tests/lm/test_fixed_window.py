"""The fixed-window model: its equation, its window, and that it is a model like any other."""

import numpy as np
import pytest

from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.generator import manual_seed
from tinygrad_rnn.gradcheck import gradcheck
from tinygrad_rnn.lm import FixedWindowLanguageModel, evaluate, generate_text, surprises
from tinygrad_rnn.nn.functional import cross_entropy
from tinygrad_rnn.text import Vocabulary


def model_of(window: int = 3, direct: bool = False) -> FixedWindowLanguageModel:
    manual_seed(1)
    return FixedWindowLanguageModel(5, window, 4, 6, direct=direct).double()


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("window", [1, 3])
def test_logits_follow_the_equation(window: int, direct: bool) -> None:
    """The logits are not those of b + W x + U tanh(d + H x), x the last n vectors in order."""
    model = model_of(window, direct)
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    ids = [2, 0, 1, 4, 4]
    logits, state = model(from_numpy(np.array(ids)[:, None]))
    padded = [5] * window + ids
    for t in range(len(ids)):
        x = np.concatenate([w["embedding.weight"][s] for s in padded[t + 1 : t + 1 + window]])
        y = w["output.bias"] + w["output.weight"] @ np.tanh(
            w["hidden.weight"] @ x + w["hidden.bias"]
        )
        if direct:
            y = y + w["direct.weight"] @ x
        np.testing.assert_allclose(logits.detach().numpy()[t, 0], y, rtol=1e-10)
    assert state.numpy()[:, 0].tolist() == padded[-window:]


def test_the_state_carries_the_window() -> None:
    """Symbols at the edge between two calls are forgotten."""
    model = model_of()
    ids = from_numpy(np.random.default_rng(0).integers(0, 5, (7, 2)))
    whole, _ = model(ids)
    first, state = model(ids[:2])
    second, _ = model(ids[2:], state)
    parts = np.concatenate([first.detach().numpy(), second.detach().numpy()])
    np.testing.assert_array_equal(whole.detach().numpy(), parts)


def test_what_lies_before_the_window_does_not_matter() -> None:
    """The model remembers more than its window."""
    model = model_of(2)
    a, b = (model(from_numpy(np.array([[s], [1], [2]])))[0].detach().numpy() for s in (0, 4))
    np.testing.assert_array_equal(a[2], b[2])
    assert not np.array_equal(a[1], b[1])


def test_gradients() -> None:
    """A parameter is not trained, or trained wrongly."""
    model = model_of(direct=True)
    ids = from_numpy(np.array([[0, 1], [2, 3], [4, 1]]))
    targets = from_numpy(np.array([1, 2, 3, 4, 0, 0]))

    def loss(*_: object) -> object:
        return cross_entropy(model(ids)[0].reshape(-1, 5), targets)

    assert gradcheck(loss, tuple(model.parameters()))


def test_parameters_grow_with_the_window() -> None:
    """Positions of the window share what the paper keeps apart."""
    sizes = [FixedWindowLanguageModel(5, n, 4, 6).parameter_count() for n in (1, 2, 3)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] == 4 * 6


def test_it_is_evaluated_and_writes_as_other_models_do() -> None:
    """Compiled evaluation or drawing differs from the operations, or the window is lost."""
    manual_seed(0)
    vocabulary = Vocabulary("abcde")
    model = FixedWindowLanguageModel(5, 3, 4, 6)
    ids = np.random.default_rng(0).integers(0, 5, 60)
    results = [evaluate(model, ids, 20, jit=jit) for jit in (True, False)]
    assert results[0].nats == pytest.approx(results[1].nats, rel=1e-6)
    assert results[0].nats == pytest.approx(surprises(model, ids, 7, jit=False).mean(), rel=1e-6)
    texts = [generate_text(model, vocabulary, "abc", length=20, seed=1, jit=j) for j in (1, 0)]
    assert texts[0] == texts[1]


def test_wrong_sizes_are_refused() -> None:
    """A size of 0 gives a model that cannot work."""
    for bad in ({"window": 0}, {"embedding_size": 0}, {"hidden_size": 0}, {"dropout": 2.0}):
        with pytest.raises(ArgumentError):
            FixedWindowLanguageModel(5, **bad)
    with pytest.raises(ShapeError):
        model_of()(from_numpy(np.array([1, 2])))
