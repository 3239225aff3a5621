"""What is going on in this thread: is a graph being recorded, for which module and time step.

Imports nothing from the package. Everything here is per thread.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

# Code that no user wrote: ours, and NumPy's where it asks a tensor for its numbers.
_FOLDERS = tuple(os.path.dirname(os.path.abspath(x)) + os.sep for x in (__file__, np.__file__))
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Scope(NamedTuple):
    """Where in a model an operation belongs: the module's path, and the time step if any."""

    path: str
    step: int | None

    def __str__(self) -> str:
        step = "" if self.step is None else f"t={self.step}"
        return ", ".join(part for part in (self.path, step) if part)


class Site(NamedTuple):
    """A place in the user's code: compiled code, and the offset of an instruction in it.

    Finding the line is left until someone asks, because a site is kept for every operation.
    """

    code: CodeType
    offset: int

    @property
    def file(self) -> str:
        """Path of the source file."""
        return self.code.co_filename

    @property
    def line(self) -> int:
        """Number of the line, counted from 1."""
        for start, end, line in self.code.co_lines():
            if start <= self.offset < end and line is not None:
                return line
        return self.code.co_firstlineno

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class _State(threading.local):
    grad_enabled: bool = True
    scope: Scope = Scope("", None)
    site: tuple[CodeType, int] | None = None
    quiet: bool = False
    # What `jit` listens with while it records a step; None at all other times.
    recorder: Any = None
    # Who wants to see what cells name, the last to come at the end.
    observers: tuple[Any, ...] = ()


state = _State()


class _Settings:
    """Counts changes that recordings depend on, so that looking for one is one comparison."""

    # Of plain settings of modules and optimizers.
    version = 0
    # Of the array that a tensor is made of.
    arrays = 0


settings = _Settings()


# Whether a source file is in one of these folders; asked once a file, then looked up.
_is_own: dict[str, bool] = {}


def caller() -> Site:
    """Return the nearest place on the call stack that is a user's."""
    return Site(*position())


def position(depth: int = 1) -> tuple[CodeType, int]:
    """Return what `caller` does as a plain pair, which is all that a hot path can afford.

    The frames of so many callers are known to be of this package.
    """
    if state.site is not None:
        return state.site
    frame = sys._getframe(depth)
    while True:
        file = frame.f_code.co_filename
        own = _is_own.get(file)
        if own is None:
            own = _is_own[file] = os.path.abspath(file).startswith(_FOLDERS)
        if not own or frame.f_back is None:
            return frame.f_code, frame.f_lasti
        frame = frame.f_back


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let NumPy compute infinities and NaN without warnings: they show in the result.

    Every operation does; entering this once for many of them is cheaper.
    """
    before = state.quiet
    state.quiet = True
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        state.quiet = before


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


def _under(mode: bool, function: _Function) -> _Function:
    """Return `function` with recording switched on or off while it runs."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            # A generator gives up control at each yield, and the mode with it.
            steps = function(*args, **kwargs)
            value = None
            while True:
                with _Mode(mode):
                    try:
                        item = steps.send(value)
                    except StopIteration as stop:
                        return stop.value
                value = yield item

        return cast(_Function, generator)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _Mode(mode):
            return function(*args, **kwargs)

    return cast(_Function, wrapped)


class _Mode:
    """Recording on or off inside a `with` block."""

    def __init__(self, mode: bool) -> None:
        self._mode = mode
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(state.grad_enabled)
        state.grad_enabled = self._mode

    def __exit__(self, *exception: object) -> None:
        state.grad_enabled = self._before.pop()

    def __call__(self, function: _Function) -> _Function:
        """Return `function` with the mode while it runs."""
        return _under(self._mode, function)


def no_grad(function: _Function | None = None) -> Any:
    """Record no graph: `with no_grad():`, or `@no_grad()` on a function or generator."""
    return _Mode(False) if function is None else _under(False, function)


def enable_grad(function: _Function | None = None) -> Any:
    """Record a graph, even within `no_grad`: `with enable_grad():`, or `@enable_grad()`."""
    return _Mode(True) if function is None else _under(True, function)


def inference_mode(mode: Any = True) -> Any:
    """Record no graph, as `no_grad` does; with `mode` False, record one, as `enable_grad` does."""
    return _under(False, mode) if callable(mode) else _Mode(not mode)


class set_grad_enabled(_Mode):  # noqa: N801 - PyTorch's name
    """Switch recording on or off at once; as `with set_grad_enabled(mode):`, for the block."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._at_once = state.grad_enabled
        state.grad_enabled = self._mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        state.grad_enabled = self._at_once

    def __call__(self, function: _Function) -> _Function:
        """Return `function` with the mode while it runs."""
        # As a decorator it is meant for the function, and not from here on.
        state.grad_enabled = self._at_once
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require a gradient are being recorded."""
    return state.grad_enabled
