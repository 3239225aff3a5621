"""Bad input of every public call gives a typed error that says what was wrong and what to do."""

import inspect

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.errors.cases import TABLE, Mistake
from tests.errors.table import PATH, markdown
from tinygrad_rnn import errors, functions

MISTAKES = [mistake for mistakes in TABLE.values() for mistake in mistakes]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda row: f"{row.call}: {row.mistake}")
def test_the_error_is_typed_and_says_what_to_do(mistake: Mistake) -> None:
    """Bad input is accepted, fails with a bare error, or the message leaves out what matters."""
    with pytest.raises(mistake.error) as caught:
        mistake.make()
    message = str(caught.value)
    for fragment in mistake.fragments:
        assert fragment in message
    assert "NotImplementedType" not in message
    assert tg.is_grad_enabled()


FUNCTIONS = [name for name in functions.__all__ if inspect.isfunction(getattr(functions, name))]


@pytest.mark.parametrize("bad", [np.ones(2), 1.5, None, "x"], ids=lambda bad: type(bad).__name__)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_refuse_what_is_no_tensor(name: str, bad: object) -> None:
    """A function of tensors fails with an AttributeError for arrays, numbers or None."""
    function = getattr(functions, name)
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    with pytest.raises(errors.TinygradRnnError):
        function(bad, *[0] * (len(needed) - 1))


def test_every_kind_of_error_is_the_builtin_one_too() -> None:
    """`except ValueError` and its like stop working."""
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(kind, (errors.TinygradRnnError, UserWarning)), name
        if kind is not errors.TinygradRnnError:
            assert len([base for base in kind.__mro__ if base.__module__ == "builtins"]) > 3, name


def test_the_page_of_errors_is_up_to_date() -> None:
    """docs/errors.md shows other messages than the library; run `python -m tests.errors.table`."""
    assert PATH.read_text(encoding="utf-8") == markdown()
