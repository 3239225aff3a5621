"""Passes: each may be off; what they did is told; kernels are compiled once and kept."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies, gradients, integers
from tinygrad_rnn import nn, optim
from tinygrad_rnn.jit import jit
from tinygrad_rnn.jit.passes import NAMES
from tinygrad_rnn.nn import functional


class Model(nn.Module):
    """Embedding, two layers of GRU in two directions, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, dtype=tg.float64)
        self.gru = nn.GRU(4, 3, 2, bidirectional=True, dropout=0.2, dtype=tg.float64)
        self.out = nn.Linear(6, 6, dtype=tg.float64)

    def forward(self, tokens: tg.Tensor) -> tg.Tensor:
        return self.out(self.gru(self.embedding(tokens))[0])


def trained(wrap: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Train for a few steps; return what came out, and the step."""
    tg.manual_seed(8)
    model = Model()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def body(tokens: tg.Tensor, targets: tg.Tensor) -> Any:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(tokens).reshape(-1, 6), targets)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        return loss, norm

    step = wrap(body)
    shown = [
        copies(step(integers(6, 5, 2, seed=seed), integers(6, 10, seed=seed))) for seed in range(4)
    ]
    return (shown, copies(dict(model.state_dict())), gradients(model.parameters())), step


@pytest.mark.parametrize("off", [(), *[(name,) for name in NAMES], NAMES], ids=str)
def test_every_pass_may_be_off(off: tuple[str, ...]) -> None:
    """The program is right only with some pass, or only without."""
    wanted, _ = trained(lambda body: body)
    found, step = trained(lambda body: jit(body, off=off))
    assert_agree(found, wanted, 1e-9)
    notes = {name for name, _ in step.program.graph.notes}
    assert not notes & (set(off) - {"place", "fuse"})


def test_the_tape_and_the_program_explain_themselves() -> None:
    """Modules, time steps, lines, kernels, work, memory or passes are missing from the texts."""
    _, step = trained(jit)
    tape = str(step.tape)
    for part in ("gru.l0", "gru.l1_reverse", "t=0", "t=4", "embedding", "backward through", "out"):
        assert part in tape, part
    for part in ("gru.weight_hh_l0", "out.bias", ".grad ←", "return ", Path(__file__).name):
        assert part in tape, part
    assert len(step.tape) == len(step.tape.entries) > 100
    text = step.program.explain()
    for part in ("kernel calls", "multiplications", "bytes", "arena", "passes:", "product", "FLOP"):
        assert part in text, part
    for name in ("dead", "fuse", "place", "common", "constants"):
        assert name in text, name
    assert set(step.seconds) >= {"recording", "passes and compiling"}


def test_memory_is_used_again() -> None:
    """The arena is as large as if nothing were used twice, or "reuse" cannot be switched off."""
    _, step = trained(jit)
    _, other = trained(lambda body: jit(body, off={"reuse"}))
    assert step.program.arena_size < step.program.unshared_size
    assert other.program.arena_size == other.program.unshared_size


COUNT = """
import json, numpy as np
from numba.core import event
seen = []
class Listener(event.Listener):
    def on_start(self, happened): seen.append(happened.data["dispatcher"].py_func.__name__)
    def on_end(self, happened): pass
import tinygrad_rnn as tg
from tinygrad_rnn.jit import jit
counts = []
with event.install_listener("numba:compile", Listener()):
    for factor in (None, None, 3.0, 3.0):
        def function(x, y, factor=factor):
            z = (x * y + x).tanh()
            return (z if factor is None else z * factor), (y * x + y).tanh()
        step = jit(function)
        for side in (2, 3):
            for _ in range(3):
                x = tg.ones(side, 4, dtype=tg.float64)
                step(x, x * 2.0)
        counts.append(len(seen))
print(json.dumps(counts))
"""


def test_expressions_are_compiled_once_and_kept_on_disk(tmp_path: Path) -> None:
    """An expression is compiled for each step, shape or process that uses it."""
    environment = {**os.environ, "TINYGRAD_RNN_CACHE_DIR": str(tmp_path)}
    runs = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        runs.append(json.loads(run.stdout))
    first, second, third, fourth = runs[0]
    assert first > 0
    assert second == first
    assert third > second
    assert fourth == third
    assert runs[1] == [0, 0, 0, 0]
