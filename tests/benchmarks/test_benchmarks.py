"""The benchmarks: contenders compute the same, and each program prints and writes its figures."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from benchmarks import _sampling, _workers, generate, train_step
from benchmarks._rivals import numpy_bptt, ours
from benchmarks._steps import HELLO, Step, data_of, weights_of
from tinygrad_rnn.lm import generation

ROOT = Path(__file__).parents[2]
kinds = pytest.mark.parametrize(
    "step",
    [*(Step(kind, 5, layers, 3, 4) for kind in train_step.KINDS for layers in (1, 2)), HELLO],
    ids=lambda step: f"{step.kind}-{step.layers}",
)


def run(name: str, *arguments: object) -> str:
    """Run a benchmark as a user would, and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "benchmarks" / f"{name}.py")]
        + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def lines_of(output: str, name: str) -> list[list[str]]:
    """The figures, or the words, after a contender's name."""
    found = re.findall(rf"^ *{name} +((?:\d|no|failed).*)$", output, re.M)
    return [line.split() for line in found]


@kinds
def test_gradients_by_hand_are_those_of_autograd(step: Step) -> None:
    """The NumPy contender computes another gradient, so that its time says nothing."""
    weights = {name: array.astype(np.float64) for name, array in weights_of(step).items()}
    x, targets = data_of(step)
    x = x.astype(np.float64)
    if step.kind != "hello":
        targets = targets.astype(np.float64)
    module, loss_of = ours.network(step, weights)
    if step.kind == "hello":
        module.h_0 = module.h_0.double()
    loss = loss_of(tg.from_numpy(x), tg.from_numpy(targets))
    loss.backward()
    by_hand, gradients = numpy_bptt.loss_and_gradients(step, weights, x, targets)
    assert by_hand == pytest.approx(loss.item(), rel=1e-12)
    assert set(gradients) == {name for name, _ in module.named_parameters()}
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(
            gradients[name], parameter.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name
        )


def first_losses(function: Any, step: Step, **arguments: Any) -> list[float]:
    work = function(threads=tg.get_num_threads(), step=vars(step), **arguments)
    losses: list[float] = work.check(work.call())
    return losses


@kinds
def test_losses_agree_with_numpy(step: Step) -> None:
    """The update or the clipping differs between ours, eager or jit, and NumPy."""
    expected = first_losses(numpy_bptt.train_step, step)
    assert len(set(expected)) == 3
    for jit in (False, True):
        found = first_losses(ours.train_step, step, jit=jit)
        assert found == pytest.approx(expected, rel=1e-4), f"jit={jit}"


@kinds
def test_losses_agree_with_pytorch(step: Step) -> None:
    """The same for PyTorch's fused layers, or for its loop."""
    pytest.importorskip("torch")
    from benchmarks._rivals import pytorch

    expected = first_losses(numpy_bptt.train_step, step)
    for fused in (False, True):
        if fused and step.kind == "peephole":
            with pytest.raises(_workers.UnavailableError):
                first_losses(pytorch.train_step, step, fused=fused)
            continue
        found = first_losses(pytorch.train_step, step, fused=fused)
        assert found == pytest.approx(expected, rel=1e-4), f"fused={fused}"


def test_operations() -> None:
    """GFLOP/s are counted otherwise than the table says: 3 × 2 × multiplications of forward."""
    assert Step("lstm", 128).operations == 3 * 2 * 50 * 32 * 4 * 128 * 256
    assert Step("gru", 8, 2, 3, 4).operations == 3 * 2 * 4 * 3 * 2 * 3 * 8 * 16
    assert HELLO.operations == 3 * 2 * 4 * (3 * 4 + 3 * 3 + 4 * 3)


def test_disagreement_is_an_error() -> None:
    """Contenders that compute different things are measured all the same."""
    train_step.require_same_losses({"a": [1.0, 0.9], "peak": None, "b": [1.0005, 0.9]})
    for losses in ([1.0, 0.91], [float("nan"), 0.9]):
        with pytest.raises(_workers.DisagreementError, match="with b and"):
            train_step.require_same_losses({"a": [1.0, 0.9], "b": losses})
    with pytest.raises(_workers.DisagreementError):
        generate.require_same_text({"a": "x" * 40, "b": "x" * 39 + "y"})


SMALL = ("--threads", 1, "--layers", 2, "--repeat", 1, "--turn", 0.01)
SMALL_STEP = (*SMALL, "--hidden", 5, "--batch", 3, "--steps", 4)


def test_training_steps(tmp_path: Path) -> None:
    """A contender is missing from the table, or JAX disagrees: that ends with an error."""
    file = tmp_path / "figures.json"
    output = run("train_step", *SMALL_STEP, "--json", file, "--only", "peephole")
    table, _, targets = output.partition("=== targets ===")
    (row,) = json.loads(file.read_text())["rows"]
    assert row["peak"] > 0
    assert list(row["contenders"]) == train_step.NAMES
    assert row["contenders"][train_step.FUSED]["status"] in ("no such layer", "not installed")
    measured = {k: c for k, c in row["contenders"].items() if c["status"] == "measured"}
    assert {train_step.EAGER, train_step.NUMPY} <= set(measured)
    for found in measured.values():
        assert found["check"] == pytest.approx(measured[train_step.NUMPY]["check"], rel=1e-4)
        assert 0 < found["quartiles"][0] <= found["median"] <= found["quartiles"][1]
        assert found["first_call"] > 0
    for name, found in row["contenders"].items():
        (line,) = lines_of(table, name)
        if found["status"] == "measured":
            assert float(line[0]) == pytest.approx(1e3 * found["median"], abs=1e-3)
        else:
            assert " ".join(line) == found["status"]
    assert "peephole LSTM 2x5" in targets


def test_losses_agree_with_jax(tmp_path: Path) -> None:
    """JAX computes another cell. Its threads would disturb other tests in this process."""
    pytest.importorskip("jaxlib")
    file = tmp_path / "figures.json"
    kinds = ("--only", "lstm", "gru", "rnn", "peephole", "hello")
    both = ("--contenders", "JAX", "NumPy by hand")
    run("train_step", *SMALL_STEP, "--json", file, *kinds, *both)
    rows = json.loads(file.read_text())["rows"]
    assert [row["kind"] for row in rows] == list(kinds[1:])
    for row in rows:
        jax, by_hand = (row["contenders"][name]["check"] for name in both[1:])
        assert jax == pytest.approx(by_hand, rel=1e-4), row["title"]


def test_generation(tmp_path: Path) -> None:
    """A contender is missing from the table, or writes another text: that ends with an error."""
    file = tmp_path / "figures.json"
    output = run("generate", *SMALL, "--hidden", 8, "--length", 10, "--json", file)
    (row,) = json.loads(file.read_text())["rows"]
    texts = [c["check"] for c in row["contenders"].values() if c["status"] == "measured"]
    assert len(set(texts)) == 1
    # A text of one symbol would agree for models that do not.
    assert len(set(texts[0])) > 5
    for name, found in row["contenders"].items():
        (line,) = lines_of(output, name)
        if found["status"] == "measured":
            assert float(line[0]) == pytest.approx(1e5 * found["median"], abs=0.1)
        else:
            assert " ".join(line) == found["status"]


def test_blocks_are_as_long_as_in_generate() -> None:
    """JAX returns to Python more often, or less often, than the call it stands beside."""
    assert _sampling.BLOCK == generation.BLOCK


def test_jit_and_eager_draw_the_same_text() -> None:
    """Only the most probable texts are compared when the benchmark runs; draws differ."""
    settings = {"hidden": 8, "layers": 2, "length": 40}
    texts = []
    for jit in (False, True):
        work = ours.sampler(tg.get_num_threads(), settings, jit=jit)
        tg.manual_seed(0)
        texts.append(work.call())
    assert texts[0] == texts[1]


def test_scaling(tmp_path: Path) -> None:
    """A series, an exponent or the plot is missing; or checkpoints save no memory."""
    file, picture = tmp_path / "figures.json", tmp_path / "plot.png"
    output = run(
        "scaling",
        *("--threads", 1, "--hidden", 16, "--repeat", 1, "--turn", 0.01),
        *("--vary-steps", 5, 50, "--vary-batch", 32, "--vary-hidden", 16, "--vary-layers", 1, 2),
        *("--memory-steps", 100, 1600, "--json", file, "--plot", picture),
    )
    figures = json.loads(file.read_text())
    titles = ["T", "B", "H", "layers", "T"]
    assert [series["against"] for series in figures["series"]] == titles
    lengths = [len(series["lines"]["ours eager"]) for series in figures["series"][:-1]]
    assert lengths == [2, 1, 1, 2]
    # Ten times the steps take more than three times as long, and a single point has no exponent.
    exponents = [series["exponents"].get("ours eager") for series in figures["series"]]
    assert exponents[0] > 0.5
    assert exponents[1] is None
    memory = {name: dict(line) for name, line in figures["series"][-1]["lines"].items()}
    if memory["whole graph"]:
        assert memory["checkpointed"][1600] < memory["whole graph"][1600] / 3
    assert picture.read_bytes().startswith(b"\x89PNG") or "matplotlib is not installed" in output
    assert "first call of LSTM 2x16, 100 steps" in output


def test_a_missing_library_and_a_failure_are_told_apart() -> None:
    """What cannot run takes the rest with it, or a failure passes for a missing library."""
    contenders = {
        "missing": _workers.Contender("no_such_library", "prepare", {}),
        "failing": _workers.Contender("math", "sqrt", {}),
        "numpy": train_step.contenders(HELLO)[train_step.NUMPY],
    }
    row = _workers.measure(contenders, 1, 1, 0.001)
    assert row["missing"].status == _workers.NOT_INSTALLED
    assert row["failing"].status.startswith("failed: TypeError")
    assert row["numpy"].measured
    assert _workers.failures(row.values())
    assert not _workers.failures([row["missing"], row["numpy"]])


def test_powers() -> None:
    """The exponent is that of another power, or of the wrong axis."""
    assert _workers.power_of([(x, 5 * x**1.5) for x in (1, 2, 8, 20)]) == pytest.approx(1.5)
