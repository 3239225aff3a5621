"""Passes: each may be off; what they did is told; kernels are compiled once and kept."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies, gradients, integers, normal
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


def vectors(dtype: Any) -> tuple[list[tg.Tensor], Callable[..., Any]]:
    """A network as lecture notes write it, W x for a vector x, and a step of it."""
    weights = [normal(*shape, seed=i).to(dtype) for i, shape in enumerate(((5, 3), (5, 5), (5,)))]
    for weight in weights:
        weight.requires_grad_()
    W_x, W_h, b = weights

    def body(inputs: tg.Tensor) -> Any:
        h = tg.zeros(5, dtype=dtype)
        outputs = []
        for x in inputs:
            h = (W_x @ x + W_h @ h + b).tanh()
            outputs.append((h * b).sum())
        return tg.grad(tg.stack(outputs).sum(), weights)

    return weights, body


def test_a_cell_on_vectors_is_planned_as_one_on_rows() -> None:
    """W x moves weights about, takes a product a step for all inputs, or one for each gradient."""
    _, body = vectors(tg.float64)
    step = jit(body)
    inputs = normal(6, 3)
    for seed in range(2):
        assert_agree(step(inputs + seed), body(inputs + seed))
    count = Counter(call.name for call in step.program.calls)
    assert count["product 6×3×5"] == 1  # all inputs by W_x
    assert count["product 3×6×5"] == 1  # the gradient of W_x
    assert count["product 5×5×5"] == 1  # the gradient of W_h, but for what h_0 = 0 adds
    assert sum(count[name] for name in count if name.startswith("product")) == 6 + 5 + 4
    assert not any("pack" in name for name in count)
    assert count["copy"] == 0


def test_two_gradients_share_what_is_packed() -> None:
    """What two sums over time have in common is laid out twice, or a range begins elsewhere."""
    tg.manual_seed(3)
    model = nn.LSTM(32, 32)
    x, c = normal(20, 8, 32).float(), normal(1, 8, 32).float()

    def body(x: tg.Tensor, c: tg.Tensor) -> Any:
        model.zero_grad()
        output, _ = model(x, (c, c))
        (output * output).sum().backward()
        return output

    step = jit(body)
    found = [copies([step(x, c), gradients(model.parameters())]) for _ in range(2)][-1]
    assert_agree(found, [body(x, c), gradients(model.parameters())])
    names = Counter(call.name for call in step.program.calls)
    assert names["pack 160×128"] == 1
    assert names["product 32×160×128 packed"] == names["product 32×152×128 packed"] == 1


def test_nothing_is_packed_before_it_can_be_there() -> None:
    """A part waits for a whole that is computed from it, in a circle."""
    W = normal(512, 8).float().requires_grad_()

    def body(x: tg.Tensor, a: tg.Tensor) -> Any:
        first, second, third = x.split(16)
        totals = [functional.linear(x, W) for x in (first, second)]
        loss = sum((total.tanh().sum() for total in totals), tg.zeros(()))
        *of_totals, of_weight = tg.grad(loss, [*totals, W])
        later = functional.linear(third, of_weight).tanh()
        return a @ tg.cat([*of_totals, later])

    step = jit(body)
    for seed in range(2):
        x, a = normal(48, 8, seed=seed).float(), normal(4, 48, seed=seed).float()
        assert_agree(step(x, a), body(x, a), 1e-5)


STACKS: dict[str, tuple[int, Callable[..., Any]]] = {
    # How many steps of element-wise work remain, and what is computed.
    "of reductions": (1, lambda xs, b: tg.stack([x.sum().tanh() for x in xs])),
    "with a common term": (1, lambda xs, b: tg.stack([x * b for x in xs[0].unbind(0)])),
    "of slices": (1, lambda xs, b: tg.stack([x.exp() for x in xs[0].unbind(0)])),
    "of arguments": (4, lambda xs, b: tg.stack([x.exp() for x in xs])),
    "of two in turn": (1, lambda xs, b: tg.stack([x.sum(0).exp() * b for x in xs])),
    "of different operations": (2, lambda xs, b: tg.stack([xs[0].sum().tanh(), xs[1].sum().exp()])),
    "that are read elsewhere": (
        3,
        lambda xs, b: tg.stack([x.exp() for x in xs[0].unbind(0)[:2]]) + xs[0][0].exp(),
    ),
    "side by side": (4, lambda xs, b: tg.cat([x.exp() for x in xs], 1)),
    "of nothing": (0, lambda xs, b: tg.stack([x[:0].exp() for x in xs])),
    "of unlike sizes": (2, lambda xs, b: tg.cat([xs[0][:1].exp(), xs[1].exp()])),
}


@pytest.mark.parametrize("name", STACKS)
def test_what_is_only_stacked_is_computed_at_once(name: str) -> None:
    """Parts of a stack are computed one by one, or come out in the wrong place."""
    kernels, stacked = STACKS[name]
    xs = [normal(2, 3, seed=i) for i in range(4)]
    b = normal(3, seed=9)

    def body(*arguments: tg.Tensor) -> Any:
        return stacked(arguments[:-1], arguments[-1])

    step = jit(body)
    for _ in range(2):
        assert_agree(step(*xs, b), body(*xs, b), 1e-14)
    maps = [call for call in step.program.calls if call.op.kind == "fused"]
    assert len(maps) == kernels


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
