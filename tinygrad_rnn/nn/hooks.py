"""Hooks on modules: functions that see, and may replace, what goes into `forward` and comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn.context import settings
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.tensor import RemovableHook

Hooks = dict[Any, tuple[Callable[..., Any], bool]]
"""By handle, in the order of the calls: a function, and whether it is given keyword arguments."""


class RemovableModuleHook(RemovableHook):
    """A handle to a hook; as a context manager it removes the hook at the end."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks: dict[Any, Any] = hooks

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        super().remove()
        # What `jit` recorded with the hook is out of date.
        settings.version += 1

    def __enter__(self) -> RemovableModuleHook:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def add(hooks: Hooks, hook: Callable[..., Any], with_kwargs: bool, prepend: bool) -> RemovableHook:
    """Put a hook last or, with `prepend`, first."""
    if not callable(hook):
        raise ArgumentError(f"a hook is a function, not {hook!r}")
    settings.version += 1
    later = dict(hooks) if prepend else {}
    handle = RemovableModuleHook(hooks)
    if prepend:
        hooks.clear()
    hooks[handle] = (hook, bool(with_kwargs))
    hooks.update(later)
    return handle


def call(module: Any, before: Hooks, after: Hooks, args: Any, kwargs: Any) -> Any:
    """Return what `module.forward` gives between its hooks."""
    for hook, with_kwargs in tuple(before.values()):
        if with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise ArgumentError(
                        "a forward pre-hook with_kwargs returns None or (args, kwargs), not "
                        f"{type(changed).__name__}"
                    )
                args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    output = module.forward(*args, **kwargs)
    for hook, with_kwargs in tuple(after.values()):
        given = (args, kwargs) if with_kwargs else (args,)
        changed = hook(module, *given, output)
        if changed is not None:
            output = changed
    return output
