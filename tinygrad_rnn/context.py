"""What is going on in this thread: is a graph being recorded, for which module and time step.

Imports nothing from the package. Everything here is per thread.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Scope(NamedTuple):
    """Where in a model an operation belongs: the module's path, and the time step if any."""

    path: str
    step: int | None

    def __str__(self) -> str:
        step = "" if self.step is None else f"t={self.step}"
        return ", ".join(part for part in (self.path, step) if part)


class Site(NamedTuple):
    """A line of the user's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class _State(threading.local):
    grad_enabled: bool = True
    scope: Scope = Scope("", None)
    site: Site | None = None


state = _State()


def caller() -> Site:
    """Return the nearest line on the call stack that is outside this package."""
    if state.site is not None:
        return state.site
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_PACKAGE) and frame.f_back is not None:
        frame = frame.f_back
    return Site(frame.f_code.co_filename, frame.f_lineno)


@contextlib.contextmanager
def scope(name: str = "", step: int | None = None) -> Iterator[None]:
    """Name the operations recorded inside: `name` is appended to the path, `step` replaces t."""
    before = state.scope
    path = ".".join(part for part in (before.path, name) if part)
    state.scope = Scope(path, before.step if step is None else step)
    try:
        yield
    finally:
        state.scope = before


class set_grad_enabled:  # noqa: N801 - PyTorch's name
    """Switch recording on or off at once; as `with set_grad_enabled(mode):`, for the block."""

    def __init__(self, mode: bool) -> None:
        self._before = state.grad_enabled
        state.grad_enabled = bool(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        state.grad_enabled = self._before


class _GradMode:
    """Recording on or off inside a `with` block or a decorated function."""

    _mode: bool

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(state.grad_enabled)
        state.grad_enabled = self._mode

    def __exit__(self, *exception: object) -> None:
        state.grad_enabled = self._before.pop()

    def __call__(self, function: _Function) -> _Function:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class no_grad(_GradMode):  # noqa: N801 - PyTorch's name
    """Record no graph inside: `with no_grad():`, or `@no_grad()` on a function."""

    _mode = False


class enable_grad(_GradMode):  # noqa: N801 - PyTorch's name
    """Record a graph inside, even within `no_grad`."""

    _mode = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require a gradient are being recorded."""
    return state.grad_enabled
