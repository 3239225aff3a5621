"""The thread count, and kernels called from several Python threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from tinygrad_rnn import kernels
from tinygrad_rnn.errors import ArgumentError

CROWD = """
import numpy as np
from concurrent.futures import ThreadPoolExecutor
import numba
from tinygrad_rnn import kernels
kernels.set_num_threads(2)
generator = np.random.default_rng(0)
a = generator.standard_normal((80, 300)).astype(np.float32)
b = generator.standard_normal((300, 400)).astype(np.float32)
x = generator.standard_normal(100_000).astype(np.float32)
expected = a @ b, kernels.tanh(x)
def work(_):
    for _ in range(100):
        assert np.allclose(kernels.matmul(a, b), expected[0], rtol=1e-3, atol=1e-3)
        assert np.array_equal(kernels.tanh(x), expected[1])
with ThreadPoolExecutor(4) as pool:
    list(pool.map(work, range(4)))
print(numba.threading_layer())
"""


@pytest.fixture(autouse=True)
def _same_count_afterwards():
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)


def test_default_is_the_cpus_this_process_may_use():
    """Wrong if a process confined to some CPUs started more threads than it may run."""
    code = "from tinygrad_rnn import kernels; print(kernels.get_num_threads())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert int(run.stdout) == usable


def test_set_and_capped():
    """Wrong if the count were not kept, or more threads than CPUs were promised."""
    usable = kernels.get_num_threads()
    kernels.set_num_threads(1)
    assert kernels.get_num_threads() == 1
    kernels.set_num_threads(np.int64(10_000))
    assert kernels.get_num_threads() >= usable
    assert kernels.get_num_threads() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("count", [0, -1, 1.0, "2", None, True])
def test_counts_that_mean_nothing(count):
    """Wrong if a mistake were taken silently, or the error did not say what to call."""
    with pytest.raises(ArgumentError, match="use set_num_threads"):
        kernels.set_num_threads(count)


def test_settings_of_others_stay_as_they_are():
    """Wrong if other users of Numba or OpenMP found their own thread settings changed."""
    before = numba.get_num_threads()
    environment = dict(os.environ)
    kernels.set_num_threads(1)
    kernels.tanh(np.zeros(100_000))
    kernels.set_num_threads(2)
    kernels.tanh(np.zeros(100_000))
    assert numba.get_num_threads() == before
    assert dict(os.environ) == environment


def test_several_python_threads_at_once():
    """Wrong if concurrent calls shared scratch memory or broke the threading layer."""
    generator = np.random.default_rng(0)
    work = []
    for size in (40, 90, 200, 300):
        a = generator.standard_normal((size, 200))
        b = generator.standard_normal((200, size))
        work.append((a, b, kernels.matmul(a, b), kernels.softmax(a @ b, 0)))

    def repeat(item):
        a, b, product, scores = item
        for _ in range(50):
            np.testing.assert_array_equal(kernels.matmul(a, b), product)
            np.testing.assert_array_equal(kernels.softmax(a @ b, 0), scores)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(repeat, work))


@pytest.mark.parametrize("layer", ["workqueue", "omp", "default"])
def test_threading_layers(layer):
    """Wrong if a layer that admits one caller at a time were entered by two, which aborts."""
    environment = dict(os.environ, NUMBA_THREADING_LAYER=layer)
    run = subprocess.run(
        [sys.executable, "-c", CROWD], env=environment, capture_output=True, text=True, check=False
    )
    if layer == "omp" and "No threading layer" in run.stderr:
        pytest.skip("Numba has no OpenMP layer here")
    assert run.returncode == 0, run.stderr
    assert layer in ("default", run.stdout.strip())


FORKED = """
import os
import numpy as np
from tinygrad_rnn import kernels
kernels.set_num_threads(2)
a = np.ones((500, 500), np.float32)
before = kernels.matmul(a, a)
child = os.fork()
if child == 0:
    kernels.set_num_threads(2)
    same = np.array_equal(kernels.matmul(a, a), before)
    os._exit(0 if same and kernels.get_num_threads() == 1 else 1)
print(os.waitstatus_to_exitcode(os.wait()[1]), kernels.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_forked_child_goes_on_alone():
    """Wrong if a child waited for threads that a fork does not copy, or died of asking for them."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, check=False
    )
    usable = kernels.get_num_threads()
    assert run.stdout.split() == ["0", str(min(2, usable))], run.stderr
