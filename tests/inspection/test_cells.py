"""The search for units: scores by their definition, chance by its own, and planted units found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.inspect.cells import _Auc, _ranks, _Spearman
from tinygrad_rnn.text import Vocabulary

TEXT = 'He said "no (not I)" and left.\n  "Why?" asked SHE.\n\n' * 12


class Model(nn.Module):
    """The smallest language model."""

    def __init__(self, V: int, kind: type[nn.Recurrent] = nn.LSTM) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, 5)
        self.layers = kind(5, 6, 2)  # type: ignore[call-arg, arg-type]
        self.output = nn.Linear(6, V)

    def forward(self, ids: tg.Tensor, state: object = None) -> tuple[tg.Tensor, object]:
        h, state = self.layers(self.embedding(ids), state)
        return self.output(h), state


@examples(40)
@given(seed=st.integers(0, 10_000), N=st.integers(4, 40), ties=st.booleans())
def test_scores_are_their_definitions(seed: int, N: int, ties: bool) -> None:
    """A score is not the share of pairs in the right order, or not the correlation of ranks."""
    random = np.random.default_rng(seed)
    units = random.normal(size=(N, 3))
    if ties:
        units = np.round(units)
    has = random.random(N) < 0.5
    has[:2] = (True, False)
    above = (units[has][:, None] > units[~has][None]).mean((0, 1))
    level = (units[has][:, None] == units[~has][None]).mean((0, 1))
    np.testing.assert_allclose((_Auc(units).at(has) + 1) / 2, above + level / 2, atol=1e-12)
    numbers = np.round(random.normal(size=N), 1)
    expected = [
        np.corrcoef(_ranks(column), _ranks(numbers))[0, 1] if np.ptp(column) else 0.0
        for column in units.T
    ]
    if np.ptp(numbers):
        np.testing.assert_allclose(_Spearman(units).at(numbers), expected, atol=1e-12)
    for score, target in ((_Auc(units), has), (_Spearman(units), numbers)):
        if np.ptp(target.astype(float)) == 0:
            continue
        shifted = np.concatenate(list(score.shifted(target)))
        for s in range(N):
            np.testing.assert_allclose(shifted[:, s], score.at(np.roll(target, s)), atol=1e-10)


def test_ranks_share_the_mean_of_equals() -> None:
    """Saturated units, whose values are equal, are ranked by chance."""
    assert list(_ranks(np.array([3.0, 1.0, 3.0, 2.0, 3.0]))) == [4.0, 1.0, 4.0, 2.0, 4.0]


@pytest.mark.parametrize("name", ["inside quotes", "position in the line"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_unit_is_found(name: str, sign: int) -> None:
    """A unit that tracks a property is not ranked first, or its sign or check is wrong."""
    random = np.random.default_rng(0)
    target = inspect.PROPERTIES[name](TEXT)
    noise = random.normal(size=(len(TEXT), 30))
    noise[:, 17] = sign * target.astype(float) / target.astype(float).std() + 0.3 * noise[:, 17]
    ranking = inspect.rank_units({"l0.h": noise[:, :15], "l0.c": noise[:, 15:]}, target)
    best = ranking.best()
    assert (best.name, best.unit, best.sign) == ("l0.c", 2, sign)
    assert best.held_out > ranking.chance
    assert best.held_out > 0.85
    assert best.p == pytest.approx(1 / (1 + ranking.shifts))
    assert all(score.p > 0.01 for score in ranking.scores[1:])
    assert ranking.measure == ("AUC" if target.dtype == bool else "Spearman")
    assert "l0.c[2]" in str(ranking)


def test_chance_is_seldom_beaten_by_noise() -> None:
    """The check against chance passes units that have nothing to do with the property."""
    target = inspect.PROPERTIES["inside quotes"](TEXT)
    passed = 0
    for seed in range(40):
        # Slow noise, as units are: a check that ignored this would pass much of it.
        steps = np.random.default_rng(seed).normal(size=(len(TEXT), 12))
        slow = np.cumsum(steps, 0)
        ranking = inspect.rank_units({"h": slow}, target, shifts=99, keep=1)
        passed += ranking.best().p <= 0.05
    assert passed <= 6


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("jit", [True, False])
def test_reading_is_the_model_run_over_the_text(kind: type[nn.Recurrent], jit: bool) -> None:
    """A value belongs to another character, or the state is lost between windows."""
    vocabulary = Vocabulary.from_text(TEXT)
    model = Model(len(vocabulary), kind)
    ids = vocabulary.encode(TEXT[:70])
    reading = inspect.read(model, ids, window=16, top=3, jit=jit)
    with inspect.observe() as seen, tg.no_grad():
        logits, _ = model(tg.tensor(ids[:, None]))
    assert len(reading) == 70
    for name, values in reading.values.items():
        path, _, field = name.rpartition(".")
        whole = np.stack([seen.values[path][field][t].numpy()[0] for t in range(70)])
        np.testing.assert_allclose(values, whole, atol=1e-6)
    assert set(reading.values) >= {"layers.l0.h", "layers.l1.h"}
    probabilities = logits.softmax(-1).numpy()[:, 0]
    np.testing.assert_array_equal(reading.top[:, 0], probabilities.argmax(1))
    best = np.sort(probabilities, 1)[:, ::-1][:, :3]
    np.testing.assert_allclose(reading.probabilities, best, atol=1e-6)
    under = inspect.predictions_under(reading, vocabulary.symbols)
    assert under[4][0][0] == vocabulary.symbols[int(probabilities[4].argmax())]
    column = reading.unit("layers.l1.h", 2)
    np.testing.assert_array_equal(column, reading.values["layers.l1.h"][:, 2])


def test_a_cell_of_ones_own_is_read() -> None:
    """Only models of `nn.Recurrent` layers can be searched."""

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(4, 3)

        def forward(self, ids: tg.Tensor, h: tg.Tensor | None) -> tuple[tg.Tensor, tg.Tensor]:
            x = nn.functional.one_hot(ids, 4, dtype=tg.float32)
            h = tg.zeros(1, 3) if h is None else h
            outputs = []
            for t in range(len(ids)):
                with tg.scope("mine", t):
                    h = self.cell(x[t], h)
                    nn.record(h=h)
                outputs.append(h)
            return tg.stack(outputs), h

    ids = np.arange(40) % 4
    by_window = inspect.read(Loop(), ids, window=8)
    assert by_window.values["mine.h"].shape == (40, 3)


def test_every_property_is_searched() -> None:
    """A property of the user's is ignored, or one that never changes stops the search."""
    vocabulary = Vocabulary.from_text(TEXT)
    reading = inspect.read(Model(len(vocabulary)), vocabulary.encode(TEXT), jit=False)
    own = {"vowel": lambda text: np.array([c in "aeiou" for c in text])}
    found = inspect.search_units(reading, TEXT, {**inspect.PROPERTIES, **own}, shifts=20)
    assert {"inside quotes", "vowel", "upper case"} <= set(found)
    assert "inside a comment" not in found
    # After a vowel the state has just been moved by that vowel's own vector.
    assert found["vowel"].best().held_out > 0.7
