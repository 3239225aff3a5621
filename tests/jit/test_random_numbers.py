"""Random numbers of a compiled step are those that eager execution draws."""

from typing import Any

import pytest

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies, normal
from tests.tools import same_bits
from tinygrad_rnn import errors, nn
from tinygrad_rnn.generator import default_generator
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn import functional

OWN = tg.Generator(11)


def several(x: tg.Tensor) -> Any:
    dropped = functional.dropout(x, 0.4)
    own = tg.rand(5, generator=OWN)
    return dropped, tg.rand(2, 3), tg.randn(3, 3), own, functional.dropout(x, 0.5, generator=OWN)


def seeded_inside(x: tg.Tensor) -> Any:
    tg.manual_seed(5)
    return functional.dropout(x, 0.5)


def made_inside(x: tg.Tensor) -> Any:
    return functional.dropout(x, 0.5, generator=tg.Generator(3)), tg.rand(4)


@pytest.mark.parametrize("function", [several, seeded_inside, made_inside])
def test_draws_are_eagers(function: Any) -> None:
    """A replay draws other numbers, the same ones twice, or leaves the stream elsewhere."""
    runs = []
    for compiled in (False, True):
        tg.manual_seed(4)
        OWN.manual_seed(11)
        step = jit(function) if compiled else function
        shown = []
        for seed in range(4):
            shown.append(copies(step(normal(7, 4, seed=seed))))
            shown.append((default_generator.get_state(), OWN.get_state()))
            tg.rand(3)
        runs.append(shown)
    for found, wanted in zip(runs[1], runs[0], strict=True):
        assert_agree(found, wanted)
    tg.manual_seed(0)


def test_new_numbers_at_every_replay() -> None:
    """Every replay uses the numbers of the recording."""
    step = jit(lambda: tg.rand(10))
    drawn = [step() for _ in range(4)]
    assert not any(same_bits(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_going_back_in_the_stream() -> None:
    """A replay from the same state gives other numbers."""
    step = jit(lambda x: functional.dropout(x, 0.3) * tg.rand(3).double())
    x = normal(4, 3)
    step(x)
    before = default_generator.get_state()
    first = step(x)
    default_generator.set_state(before)
    assert same_bits(step(x), first)


def test_seeding_after_drawing_is_refused() -> None:
    """A stream that a step starts anew half-way is read on in a replay."""

    def function() -> Any:
        first = tg.rand(2)
        tg.manual_seed(1)
        return first + tg.rand(2)

    with pytest.raises(errors.RecordingError, match="seeded"):
        jit(function)()


def test_dropout_between_layers_and_off_in_evaluation() -> None:
    """Dropout inside a layer draws other masks, or goes on in evaluation."""
    runs = []
    for compiled in (False, True):
        tg.manual_seed(2)
        model = nn.GRU(2, 3, 3, dropout=0.5, dtype=tg.float64)
        step = jit(model) if compiled else model
        shown = []
        for number in range(6):
            model.train(number % 2 == 0)
            shown.append(copies(step(normal(4, 2, 2, seed=number))))
        runs.append((shown, default_generator.get_state()))
    assert_agree(runs[1], runs[0])
