"""Settings of the whole suite.

`--hypothesis-profile thorough` runs the property tests with ten times as many examples.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import tinygrad_rnn as tg

# A time limit per example would fail on a busy machine and show nothing about the library.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def same_start() -> Iterator[None]:
    """Seed the random numbers, and check that a test leaves the global settings as they were."""
    tg.manual_seed(0)
    threads = tg.get_num_threads()
    yield
    tg.set_num_threads(threads)
    assert tg.is_grad_enabled()
    assert tg.get_default_dtype() == tg.float32
