"""What docs/jit.md shows does what it says."""

import re
from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn.jit.passes import NAMES

PAGE = Path(__file__).parents[2] / "docs" / "jit.md"


def test_the_example_trains() -> None:
    """The example cannot be copied and run, or its step does not learn."""
    code = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    tg.manual_seed(0)
    x, target = tg.randn(5, 3, 64), tg.randn(5, 3, 128)
    state = names["model"].initial_state(3)
    losses = [names["step"](x, target, state)[0].item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_the_passes_it_names_exist() -> None:
    """The page leaves out a pass that does not exist."""
    named = re.findall(r'off=\["(\w+)"\]', PAGE.read_text(encoding="utf-8"))
    assert named
    assert set(named) <= set(NAMES)
