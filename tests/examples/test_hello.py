"""examples/hello.py: it spells, and what it prints is what the equations give."""

import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import Program, assert_refused, load

NUMBERS = re.compile(r"^ +([xhyp])  [a-z-]+ +((?: *-?\d+\.\d{3})+)$", re.M)


def tables(output: str) -> list[dict[str, np.ndarray]]:
    """Every printed time step: x, h, y and p, those before training and then those after."""
    steps: list[dict[str, np.ndarray]] = []
    for name, numbers in NUMBERS.findall(output):
        if name == "x":
            steps.append({})
        steps[-1][name] = np.array([float(n) for n in numbers.split()])
    return steps


def test_hello_is_spelled_and_its_tables_are_true(program: Program) -> None:
    """The lesson does not learn its word, or shows numbers that do not follow from each other."""
    result = program("hello")
    assert (result.returncode, result.stderr.replace("\n", "")[:12]) in (
        (0, ""),
        (0, "tinygrad_rnn"),
    )
    assert "Vocabulary, in this order: h e l o" in result.stdout
    assert "it spells: hello" in result.stdout
    assert "compiled the update: " in result.stdout
    steps = tables(result.stdout)
    assert len(steps) == 8
    for number, step in enumerate(steps):
        assert step["x"].tolist() == np.eye(4)[[0, 1, 2, 2][number % 4]].tolist()
        assert len(step["h"]) == 3
        p = np.exp(step["y"]) / np.exp(step["y"]).sum()
        np.testing.assert_allclose(step["p"], p, atol=2e-3)
    targets = [1, 2, 2, 3]
    losses = [float(n) for n in re.findall(r"^  loss (\S+)$", result.stdout, re.M)]
    for part, loss in zip((steps[:4], steps[4:]), losses, strict=True):
        logits = np.array([s["y"] for s in part])
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        assert -log_p[range(4), targets].mean() == pytest.approx(loss, abs=2e-3)
    assert losses[1] < 0.1 < 1.0 < losses[0]
    assert [s["p"].argmax() for s in steps[4:]] == targets
    first_l, second_l = steps[6]["h"], steps[7]["h"]
    assert np.abs(first_l - second_l).max() > 0.1


def test_the_tables_follow_the_equations() -> None:
    """The hidden states are not those of tanh(W_xh x + W_hh h + b), from h_0 = 0."""
    hello = load("hello")
    network = hello.Network(4, 3)
    inputs = tg.tensor(np.eye(4, dtype=np.float32)[[0, 1, 2, 2]])
    states, logits = network(inputs)
    w = {name: p.detach().numpy().astype(np.float64) for name, p in network.named_parameters()}
    h = np.zeros(3)
    for t in range(4):
        h = np.tanh(w["W_xh"] @ inputs.numpy()[t] + w["W_hh"] @ h + w["b_h"])
        np.testing.assert_allclose(states.detach().numpy()[t], h, rtol=1e-5)
        np.testing.assert_allclose(
            logits.detach().numpy()[t], w["W_hy"] @ h + w["b_y"], rtol=1e-4, atol=1e-6
        )


def test_nothing_is_compiled_unless_wanted(program: Program) -> None:
    """`--no-jit` is not heeded, or does not learn the word."""
    result = program("hello", "--no-jit")
    assert result.returncode == 0
    assert "compiled" not in result.stdout


@pytest.mark.parametrize("seed", range(5))
def test_any_seed_learns_it(seed: int) -> None:
    """The lesson works for one lucky start only."""
    assert load("hello").lesson("hello", 3, 300, seed) == 0


@pytest.mark.parametrize("word", ["안녕하세요", "banana", "🙂🙃🙂🙂"])
def test_a_word_of_ones_own(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the word of the lecture works."""
    assert load("hello").lesson(word, 6, 300, 0) == 0
    assert f"it spells: {word}" in capsys.readouterr().out


def test_a_failure_is_admitted(program: Program) -> None:
    """A wrong spelling passes for a success."""
    result = program("hello", "mississippi", "--hidden", "1", "--steps", "3")
    assert result.returncode == 1
    assert "That is not mississippi" in result.stdout
    assert "--hidden 2" in result.stdout


@pytest.mark.parametrize("arguments", [["aaa"], ["a"], [""], ["hello", "--hidden", "0"]])
def test_what_cannot_work_is_one_sentence(program: Program, arguments: list[str]) -> None:
    """A word without anything to predict ends in a traceback."""
    result = program("hello", *arguments)
    assert_refused(result.returncode, result.stderr)
