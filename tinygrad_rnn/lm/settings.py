"""How a language model is trained: the settings, checked once, and never changed."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from tinygrad_rnn.errors import ArgumentError, CheckpointError
from tinygrad_rnn.lm.arguments import is_number
from tinygrad_rnn.text.arguments import shares_of, size_of


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run; the defaults are char-rnn's (Karpathy, 2015).

    Attributes:
        batch_size: B, parallel positions in the text.
        window: T, steps through which gradients flow, and symbols between two updates.
        epochs: passes through the training part.
        iterations: end after so many updates, if that comes first.
        learning_rate: RMSprop's rate.
        alpha: RMSprop's decay of the running mean of g².
        rate_decay: the rate is multiplied by it after each epoch from `rate_decay_after` on.
        rate_decay_after: the number of epochs at the full rate.
        clip: the bound on gradients; None leaves them as they are.
        clip_by: "value" bounds every element, "norm" the length of the whole gradient.
        fractions: shares of the text for training, validation and test; they add up to 1.
        split: "rows" holds out the end of each of the B rows of the text, as char-rnn does;
            "tail" the end of the text, a harder test where that is of another kind.
        validate_every: updates between two validations; epochs end with one, too.
        validation_rows: for "tail": rows into which the validation part is cut (see `evaluate`);
            1 carries one state through all of it, which is slow. With "rows" they are the B rows.
        checkpoint_every: updates between two checkpoints; validations are followed by one, too.
        log_every: updates between two lines of the history.
        sample_length: symbols drawn at milestones; 0 draws none.
        jit: run updates, validations and samples as compiled steps. The compiled ones round
            otherwise, so a run is repeated bit for bit only with the same choice.

    Raises ArgumentError that names the setting and what it may be.
    """

    batch_size: int = 50
    window: int = 50
    epochs: int = 50
    iterations: int | None = None
    learning_rate: float = 2e-3
    alpha: float = 0.95
    rate_decay: float = 0.97
    rate_decay_after: int = 10
    clip: float | None = 5.0
    clip_by: str = "value"
    fractions: tuple[float, float, float] = (0.95, 0.05, 0.0)
    split: str = "rows"
    validate_every: int = 1000
    validation_rows: int = 10
    checkpoint_every: int = 100
    log_every: int = 10
    sample_length: int = 200
    jit: bool = True

    def __post_init__(self) -> None:
        for name in (
            "batch_size",
            "window",
            "epochs",
            "validate_every",
            "validation_rows",
            "checkpoint_every",
            "log_every",
        ):
            self._keep(name, size_of(name, getattr(self, name)))
        for name in ("rate_decay_after", "sample_length"):
            self._keep(name, size_of(name, getattr(self, name), 0))
        if self.iterations is not None:
            self._keep("iterations", size_of("iterations", self.iterations))
        for name in ("learning_rate", "rate_decay", *(["clip"] if self.clip is not None else [])):
            value = getattr(self, name)
            if not (is_number(value) and 0.0 < value < math.inf):
                raise ArgumentError(f"{name} is {value!r}; it must be above 0 and finite")
        if not (is_number(self.alpha) and 0.0 <= self.alpha < 1.0):
            raise ArgumentError(f"alpha is {self.alpha!r}; it must be 0 or more and below 1")
        if self.clip_by not in ("value", "norm"):
            raise ArgumentError(f'clip_by is {self.clip_by!r}; it must be "value" or "norm"')
        if self.split not in ("rows", "tail"):
            raise ArgumentError(f'split is {self.split!r}; it must be "rows" or "tail"')
        if not isinstance(self.jit, bool):
            raise ArgumentError(f"jit is {self.jit!r}; it must be True or False")
        # From JSON they come as a list.
        self._keep("fractions", shares_of(self.fractions))

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def rate_factor(self, epoch: int) -> float:
        """Return what the learning rate is multiplied by after `epoch` finished epochs."""
        return float(self.rate_decay ** max(0, epoch - self.rate_decay_after + 1))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return dataclasses.asdict(self)


MAY_CHANGE = frozenset(
    {
        "epochs",
        "iterations",
        "validate_every",
        "validation_rows",
        "checkpoint_every",
        "log_every",
        "sample_length",
        "jit",
    }
)
"""Settings that a resumed run may have otherwise: they do not change what is learned by when, but
for the rounding of `jit`."""


def require_same(saved: TrainingSettings, given: TrainingSettings, where: str) -> None:
    """Raise CheckpointError that names every setting in which a resumed run would differ."""
    before, now = saved.to_json(), given.to_json()
    differing = [
        f"{name} is {before[name]!r} there and {now[name]!r} here"
        for name in before
        if name not in MAY_CHANGE and before[name] != now[name]
    ]
    if differing:
        raise CheckpointError(
            f"{where} was trained with other settings: {'; '.join(differing)}. Resume with the "
            "same ones, or start a new run"
        )
