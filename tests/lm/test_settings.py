"""Training settings: what is refused, and the learning rate of each epoch."""

import dataclasses
import math
from typing import Any

import pytest

from tinygrad_rnn.errors import ArgumentError, CheckpointError
from tinygrad_rnn.lm import TrainingSettings
from tinygrad_rnn.lm.settings import MAY_CHANGE, require_same


def test_the_defaults_are_those_of_char_rnn() -> None:
    """The losses printed for the defaults belong to others."""
    s = TrainingSettings()
    assert (s.batch_size, s.window, s.epochs, s.learning_rate, s.alpha) == (50, 50, 50, 2e-3, 0.95)
    assert (s.clip, s.clip_by, s.fractions) == (5.0, "value", (0.95, 0.05, 0.0))


def test_the_rate_falls_after_epoch_10() -> None:
    """The schedule begins an epoch early or late."""
    factors = [TrainingSettings().rate_factor(epoch) for epoch in range(13)]
    assert factors[:10] == [1.0] * 10
    assert factors[10:] == pytest.approx([0.97, 0.97**2, 0.97**3])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("window", 2.5),
        ("epochs", True),
        ("iterations", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", "fast"),
        ("alpha", 1.0),
        ("rate_decay", -1.0),
        ("rate_decay_after", -1),
        ("clip", 0.0),
        ("clip_by", "size"),
        ("validate_every", 0),
        ("validation_rows", 0),
        ("checkpoint_every", 0),
        ("log_every", 0),
        ("sample_length", -1),
        ("split", "middle"),
        ("jit", 1),
        ("fractions", (0.5, 0.5)),
        ("fractions", (1.5, -0.5, 0.0)),
        ("fractions", (0.5, 0.4, 0.0)),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: Any) -> None:
    """A run starts with a setting that makes no sense."""
    with pytest.raises(ArgumentError, match=f"{name} is "):
        TrainingSettings(**{name: value})


def test_settings_survive_json() -> None:
    """A resumed run has other settings than the one that was stopped."""
    s = TrainingSettings(clip=None, iterations=3, fractions=(0.5, 0.25, 0.25))
    data = s.to_json()
    assert TrainingSettings(**(data | {"fractions": list(data["fractions"])})) == s


def test_every_setting_that_matters_is_compared() -> None:
    """A run goes on with another setting, and nobody notices."""
    other: dict[str, Any] = {
        "clip_by": "norm",
        "fractions": (0.9, 0.1, 0.0),
        "split": "tail",
        "alpha": 0.5,
        "jit": False,
    }
    base = TrainingSettings()
    for field in dataclasses.fields(base):
        changed = other.get(field.name)
        if changed is None:
            changed = (getattr(base, field.name) or 0) + 1
        given = dataclasses.replace(base, **{field.name: changed})
        if field.name in MAY_CHANGE:
            require_same(base, given, "it")
        else:
            with pytest.raises(CheckpointError, match=f"{field.name} is .* there and .* here"):
                require_same(base, given, "it")
