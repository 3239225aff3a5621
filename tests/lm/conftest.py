"""A small text and small models, so that every test takes a moment."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from tinygrad_rnn import kernels
from tinygrad_rnn.lm import RecurrentLanguageModel, TrainingSettings
from tinygrad_rnn.text import Vocabulary

SENTENCE = "the cat sat on the mat, and the dog sat on the cat. "


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small work gains nothing from threads."""
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    yield
    kernels.set_num_threads(before)


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary.from_text(SENTENCE)


@pytest.fixture
def ids(vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    return vocabulary.encode(SENTENCE * 20)


@pytest.fixture
def model(vocabulary: Vocabulary) -> RecurrentLanguageModel:
    return RecurrentLanguageModel(len(vocabulary), "lstm", hidden_size=8, num_layers=2)


@pytest.fixture
def settings() -> TrainingSettings:
    """Three windows an epoch are 4 x 60 symbols short of the text, so epochs end often."""
    return TrainingSettings(
        batch_size=4,
        window=10,
        epochs=100,
        iterations=12,
        fractions=(0.8, 0.2, 0.0),
        rate_decay_after=1,
        validate_every=7,
        checkpoint_every=4,
        log_every=2,
        sample_length=5,
    )
