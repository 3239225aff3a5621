"""A compiled training step on other CPUs, threading layers and thread counts equals eager."""

import os
import platform
import subprocess
import sys

import pytest

STEP = """
import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn import functional
losses = []
for compiled in (False, True):
    tg.manual_seed(0)
    model, head = nn.LSTM(5, 8), nn.Linear(8, 6)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = optim.Adam(parameters, lr=0.01)
    def step(x, t):
        optimizer.zero_grad()
        loss = functional.cross_entropy(head(model(x)[0]).reshape(-1, 6), t)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        return loss
    if compiled:
        step = jit(step)
    r = np.random.default_rng(0)
    losses.append([])
    for _ in range(5):
        x = tg.tensor(r.normal(size=(4, 3, 5)).astype(np.float32))
        losses[-1].append(step(x, tg.tensor(r.integers(0, 6, 12))).item())
np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
print("done")
"""
AVX2 = ",".join(f"+{name}" for name in ("avx", "avx2", "fma", "sse4.2", "popcnt", "bmi", "bmi2"))
SETTINGS = {
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": AVX2},
    "plain": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    "workqueue": {"NUMBA_THREADING_LAYER": "workqueue"},
    "one thread": {"NUMBA_NUM_THREADS": "1"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_step_elsewhere(name: str) -> None:
    """Without AVX-512, without OpenMP or with one thread, a step crashes or is wrong."""
    if "CPU" in str(SETTINGS[name]) and platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("targets of x86 only")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEP],
        env={**os.environ, **SETTINGS[name]},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "done"
