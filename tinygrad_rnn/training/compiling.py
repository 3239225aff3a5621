"""Compiled steps whose bits do not depend on which call was the first.

The call in which `jit` records a step computes it operation by operation, which rounds otherwise
than the compiled step does. What is here runs the compiled step in that call, too: the same
arguments give the same bits in a run that goes on and in one that was resumed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.jit import JitFunction, jit
from tinygrad_rnn.nn import Module, state_tensors
from tinygrad_rnn.optim import Optimizer
from tinygrad_rnn.tensor import Tensor


class CompiledFunction:
    """A function that leaves nothing behind but its results, recorded at its first call.

    Attributes:
        recorded: the function as `jit` returned it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.recorded: JitFunction = jit(function)

    def __call__(self, *arguments: Any) -> Any:
        """Return what the compiled function gives."""
        before = self.recorded.recordings
        result = self.recorded(*arguments)
        if self.recorded.recordings == before:
            return result
        return self.recorded(*arguments)


class Compiled:
    """The compiled functions of one model. A copy of the model begins without any."""

    def __init__(self) -> None:
        self._functions: dict[Callable[..., Any], CompiledFunction] = {}

    def of(self, function: Callable[..., Any], model: Module) -> CompiledFunction:
        """Return `function(model, …)` as a compiled function of its other arguments."""
        found = self._functions.get(function)
        if found is None:
            found = CompiledFunction(functools.partial(function, model))
            self._functions[function] = found
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return Compiled()

    def __reduce__(self) -> tuple[type[Compiled], tuple[()]]:
        return Compiled, ()


class CompiledUpdate:
    """A training step, which changes a model and an optimizer, recorded at its first call.

    Args:
        step: a function of tensors, or structures of them; None among them stands for nothing.
        model: what it trains.
        optimizer: what it trains it with.
        most: the kinds of arguments for which it is recorded; for others the step runs as it is.

    Attributes:
        recorded: the step as `jit` returned it.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        model: Module,
        optimizer: Optimizer,
        most: int | None = None,
    ) -> None:
        self.recorded: JitFunction = jit(step)
        self._step = step
        self._most = most
        self._model = model
        self._optimizer = optimizer
        self._seen: set[Any] = set()

    def __call__(self, *arguments: Any) -> Any:
        """Return what the compiled step gives."""
        full = self._most is not None and len(self._seen) >= self._most
        if full and signature(arguments) not in self._seen:
            return self._step(*arguments)
        self.prepare(*arguments)
        return self.recorded(*arguments)

    def prepare(self, *arguments: Any) -> None:
        """Record the step for arguments like these, unless it has been; nothing else changes."""
        kind = signature(arguments)
        if kind not in self._seen:
            self._record(arguments)
            self._seen.add(kind)

    def _record(self, arguments: tuple[Any, ...]) -> None:
        # Run, then put back what it changed.
        weights = self._model.state_dict()
        before = {name: tensor.clone() for name, tensor in weights.items()}
        held = {key: tensor.detach().clone() for key, tensor in self._buffers().items()}
        self.recorded(*arguments)
        with no_grad():
            for name, tensor in weights.items():
                tensor.assign(before[name])
            for key, tensor in self._buffers().items():
                tensor.assign(held.get(key, self._initial(*key)))
        for generator, numbers in self.recorded.tape.generators:
            place = generator.get_state()
            generator.set_state({**place, "counter": place["counter"] - numbers})

    def _initial(self, p: Tensor, name: str) -> float:
        """What an optimizer makes its state of: zeros, but for Adagrad's sum of squares."""
        if name != "sum":
            return 0.0
        groups = self._optimizer.param_groups
        group = next(group for group in groups if any(q is p for q in group["params"]))
        return float(group.get("initial_accumulator_value", 0.0))

    def _buffers(self) -> dict[tuple[Tensor, str], Tensor]:
        state = self._optimizer.state
        return {(p, name): tensor for p, kept in state.items() for name, tensor in kept.items()}


def signature(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what decides whether a recording fits: the shape and type of every tensor."""
    return tuple(
        None if given is None else tuple((t.shape, t.dtype) for t in state_tensors(given))
        for given in arguments
    )
