"""`jit`: record a function of tensors at its first call, replay it compiled from then on."""

from __future__ import annotations

import copy
import functools
import operator
import threading
import time
import types
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import state
from tinygrad_rnn.dtypes import get_default_dtype
from tinygrad_rnn.errors import ArgumentError, RecordingError, RecordingWarning
from tinygrad_rnn.jit.check import Checked
from tinygrad_rnn.jit.guards import Guards
from tinygrad_rnn.jit.names import places
from tinygrad_rnn.jit.passes import check_names
from tinygrad_rnn.jit.program import Program
from tinygrad_rnn.jit.recorder import Recorder
from tinygrad_rnn.jit.replay import Captured, Replay
from tinygrad_rnn.jit.signature import (
    aliases,
    array_of,
    flatten,
    objects,
    result_builder,
    skeleton,
    with_tensors,
    without_values,
)
from tinygrad_rnn.jit.tape import Tape
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor, wrap

# Recordings of one signature that differ in what they found outside: gradients, modes, settings.
MOST_VARIANTS = 8
# Signatures that differ in plain values only.
MOST_VALUES = 64


class JitFunction:
    """A function that is recorded once for each signature, and replayed as one compiled call."""

    def __init__(self, function: Callable[..., Any], check: bool, off: Collection[str]) -> None:
        if not callable(function):
            raise ArgumentError(f"jit takes a function, not {function!r}")
        functools.update_wrapper(self, function)
        self._function = function
        self._check = check
        self._off = check_names(off)
        self._recordings: dict[Any, list[Replay]] = {}
        self._last: Replay | None = None
        self._has_warned = False
        self._lock = threading.RLock()

    def __deepcopy__(self, memo: dict[int, Any]) -> JitFunction:
        """A function that has recorded nothing yet: recordings know the tensors of this one."""
        return JitFunction(copy.deepcopy(self._function, memo), self._check, self._off)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the step: recorded the first time, compiled afterwards."""
        if state.recorder is not None or state.observers:
            # Inside another recording, or watched by somebody who wants to see each tensor.
            return self._function(*args, **kwargs)
        latest = self._last
        if latest is not None and not kwargs:
            # Mostly a call is like the one before, which is quicker to see than to look up.
            leaves: list[Any] = []
            arrays: list[Array] = []
            stale = latest.fits(leaves, arrays) if latest.like(args, leaves, arrays) else None
            if stale is not None:
                return latest(leaves, arrays, stale)
        leaves = []
        structure = flatten((args, kwargs), leaves) if kwargs else flatten(args, leaves)
        arrays = list(map(array_of, leaves))
        # Named arguments are not to be taken for a call with a tuple and a dict.
        seen = (aliases(arrays), state.grad_enabled, get_default_dtype(), bool(kwargs))
        key = (structure, *seen)
        fitting = self._fitting(key, leaves, arrays)
        if fitting is None:
            with self._lock:
                # Another thread may have recorded it meanwhile.
                fitting = self._fitting(key, leaves, arrays)
                if fitting is None:
                    return self._record(key, args, kwargs)
        recording, stale = fitting
        self._last = recording
        return recording(leaves, arrays, stale)

    def _fitting(
        self, key: Any, leaves: Sequence[Any], arrays: Sequence[Array]
    ) -> tuple[Replay, list[Captured]] | None:
        for recording in list(self._recordings.get(key, ())):
            stale = recording.fits(leaves, arrays)
            if stale is not None:
                return recording, stale
        return None

    def _record(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        alike = self._alike(key)
        self._warn_of_many(key, alike)
        begun = time.perf_counter()
        given: list[Any] = []
        leaves: list[Any] = []
        structure = flatten((args, kwargs), given)
        named = places(self._function, args, kwargs, objects(structure))
        args, kwargs = with_tensors(args), with_tensors(kwargs)
        before = flatten((args, kwargs), leaves)
        recorder = Recorder(leaves, given, self._check)
        for thing in (*objects(structure), *[place.value for place in named]):
            if isinstance(thing, Module):
                for module in thing.modules():
                    recorder.visits(module)
        state.recorder = recorder
        try:
            result = self._function(*args, **kwargs)
        finally:
            state.recorder = None
        _refuse_changed(before, leaves, (args, kwargs))
        _give_back(leaves, given)
        made: list[Tensor] = []
        builder = result_builder(result, made)
        results = [x.detach() for x in made]
        del result, made
        tape = recorder.finish(results)
        # Later calls may write to the memory of what the step was given, or made and returned.
        results = [wrap(x._array.copy(order="C")) for x in results]
        recorded = time.perf_counter() - begun
        kind = Checked if self._check else Replay
        guards = Guards(recorder, tape, named)
        recording = kind(recorder, tape, builder, guards, self._off)
        recording.expect(key)
        recording.seconds = {"recording": recorded, **recording.seconds}
        variants = self._recordings.setdefault(key, [])
        variants.insert(0, recording)
        del variants[MOST_VARIANTS:]
        for old in alike[: max(0, len(alike) + 1 - MOST_VALUES)]:
            del self._recordings[old]
        self._last = recording
        return builder(results)

    def _alike(self, key: Any) -> list[Any]:
        """The other signatures that differ in plain values only, the oldest first."""
        general = without_values(key)
        return [
            other for other in self._recordings if other != key and without_values(other) == general
        ]

    def _warn_of_many(self, key: Any, alike: Collection[Any]) -> None:
        """Say once why nearly every call is recorded, if that is so."""
        if self._has_warned:
            return
        variants = self._recordings.get(key, [])
        if len(variants) >= MOST_VARIANTS:
            what = ", ".join(variants[0].guards.changes()) or "which gradients there are"
            remedy = "what changes with every call can be a tensor among the arguments"
        elif len(alike) >= MOST_VARIANTS:
            what = "a plain value among the arguments"
            remedy = "a number that changes with every call can be a tensor"
        else:
            return
        self._has_warned = True
        warnings.warn(
            f"{self._function!r} is recorded anew once more, which takes much longer than a "
            f"replay: changed is {what}; {remedy}",
            RecordingWarning,
            stacklevel=3,
        )

    # ------------------------------------------------------------------ reading

    @property
    def recordings(self) -> list[Replay]:
        """Every recording, in the order of their signatures' first calls."""
        return [recording for several in self._recordings.values() for recording in several]

    @property
    def tape(self) -> Tape:
        """The tape of the recording that ran last."""
        return self._latest().tape

    @property
    def program(self) -> Program:
        """The program of the recording that ran last."""
        return self._latest().program

    @property
    def seconds(self) -> dict[str, float]:
        """How long the parts of that recording took."""
        return self._latest().seconds

    def _latest(self) -> Replay:
        if self._last is None:
            raise ArgumentError("nothing is recorded yet; call the step once")
        return self._last


def _refuse_changed(before: Any, leaves: Sequence[Any], arguments: Any) -> None:
    """Raise RecordingError if the step changed a list, dict or object that it was given."""
    found: list[Any] = []
    after = flatten(arguments, found)
    same = len(found) == len(leaves) and all(map(operator.is_, found, leaves))
    if not same or skeleton(after) != skeleton(before):
        raise RecordingError(
            "the step changes a list, dict or object among its arguments, which no replay would "
            "do; return what is new and put it there outside"
        )


def _give_back(leaves: Sequence[Any], given: Sequence[Any]) -> None:
    """Leave a gradient that a step asked for at the tensor that the caller holds."""
    for fresh, original in zip(leaves, given, strict=True):
        if isinstance(original, Tensor) and fresh is not original and fresh._requires_grad:
            original._requires_grad = True
            original._grad = fresh._grad


def jit(
    function: Callable[..., Any] | None = None,
    *,
    check: bool = False,
    off: Collection[str] = (),
) -> Any:
    """Return `function`, recorded at its first call and from then on run as one compiled call.

    Forward, `backward()`, clipping, optimizer and carried state may all be inside. Arguments and
    results are tensors and arrays in tuples, named tuples, lists and dicts; plain Python values
    and objects such as modules belong to the signature. Each signature is recorded once. Inside,
    arrays arrive as tensors. Results carry no graph.

    Args:
        function: what to record; left out when used as `@jit(...)`.
        check: compare every call with the same operations computed one by one by NumPy, and raise
            with the first operation that differs, or that makes a NaN. Slow.
        off: names of passes to leave out, for a look at what they do.

    Raises, when recording:
        RecordingError: if the function reads a number back, or keeps a tensor it computed in a
            place that outlives the call.
    """
    if function is None:
        return functools.partial(jit, check=check, off=off)
    return JitFunction(function, check, off)
