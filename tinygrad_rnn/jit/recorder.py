"""The recorder: listens at the door through which every primitive goes, and writes the tape.

It knows tensors by the arrays that hold their numbers, so that tensors that share an array are one
value. A tensor it has not seen before was there before the step: it is captured, and read anew in
every replay.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import engine
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import Scope, Site, caller, position, state
from tinygrad_rnn.errors import NumericalError, RecordingError
from tinygrad_rnn.jit.signature import array_of, frozen
from tinygrad_rnn.jit.tape import (
    ARGUMENT,
    CAPTURED,
    COMPUTED,
    CONSTANT,
    Entry,
    Gradient,
    Link,
    Reference,
    Tape,
    Value,
)
from tinygrad_rnn.ops import Primitive
from tinygrad_rnn.tensor import Tensor

# Assignments are entries of the tape like any other, although nothing applies them.
ASSIGN = Primitive("assign", lambda value, shape: np.array(np.broadcast_to(value, shape)))
UPDATE = Primitive("update", lambda whole, part, chain: _updated(whole, part, chain))


def _updated(whole: Array, part: Array, chain: Sequence[Link]) -> Array:
    """A copy of `whole` in which the view that the chain makes of it has become `part`."""
    result = whole.copy()
    view: Any = result
    for link in chain:
        view = link.primitive.forward(view, **link.params)
        view = view[link.slot] if link.primitive.multiple else view
    view[...] = part
    return result


class Recorder:
    """What `context.state.recorder` holds while a step is recorded."""

    def __init__(
        self, arguments: Sequence[Tensor], originals: Sequence[Any], checks: bool = False
    ) -> None:
        self.tape = Tape()
        # Arguments that the step also knows from outside: it fits no others.
        self.fixed: dict[int, Tensor] = {}
        self._places = {id(x): place for place, x in enumerate(originals)}
        self._arguments = arguments
        self._checks = checks
        self._begun = engine.now()
        self.modules: list[Any] = []
        # The settings of modules, by identity, when the step first met them.
        self.settings: dict[int, dict[str, Any]] = {}
        self.groups: list[Any] = []
        self.optimizers: list[Any] = []
        self._seen: set[int] = set()
        self._numbers: dict[int, tuple[weakref.ref[Array], int]] = {}
        self._tensors: dict[int, weakref.ref[Tensor]] = {}
        # How often the memory of a root was assigned to, and the value it holds since.
        self._versions: dict[int, int] = {}
        self._current: dict[int, int] = {}
        # The version of its root that a value shows.
        self._shows: dict[int, int] = {}
        # By the root of a leaf and the leaf itself, which may be gone by the end.
        self._gradients: dict[tuple[int, int], tuple[Gradient, weakref.ref[Tensor]]] = {}
        self._generators: dict[int, tuple[Any, dict[str, int]]] = {}
        self._seeded: list[Any] = []
        self._backward_of: tuple[Scope, Site] | None = None
        self._region = 0
        self._regions = 0
        for place, tensor in enumerate(arguments):
            value = self._new(tensor._array, ARGUMENT)
            value.place = place
            value.tensor = tensor

    # ------------------------------------------------------------------ values

    def _bare(self, shape: tuple[int, ...], dtype: Any, origin: str = COMPUTED) -> Value:
        value = Value(len(self.tape.values), shape, dtype, origin)
        self.tape.values.append(value)
        return value

    def _new(self, array: Array, origin: str) -> Value:
        value = self._bare(array.shape, array.dtype, origin)
        self._numbers[id(array)] = (weakref.ref(array), value.number)
        return value

    def _known(self, array: Array) -> int | None:
        held = self._numbers.get(id(array))
        # The place in memory may have had another array before.
        return held[1] if held is not None and held[0]() is array else None

    def number_of(self, tensor: Tensor) -> int:
        """The value that a tensor is at this moment of the step."""
        array = tensor._array
        place = self._places.get(id(tensor))
        if place is not None and tensor is not self._arguments[place]:
            self.fixed[place] = tensor
        number = self._known(array)
        if number is None:
            value = self._new(array, CAPTURED)
            value.tensor = tensor
            return value.number
        value = self.tape.values[number]
        version = self._versions.get(value.root, 0)
        if self._shows.get(number, 0) == version:
            return number
        # Its memory was assigned to: take the same view of what is there now.
        fresh = self.tape.values[self._current[value.root]]
        for link in value.chain:
            outputs = [self._bare(self.tape.values[n].shape, value.dtype) for n in link.outputs]
            given = (Reference(fresh.number), *link.inputs[1:])
            numbers = tuple(out.number for out in outputs)
            self._append(link.primitive, given, link.params, numbers)
            fresh = outputs[link.slot]
        fresh.root, fresh.chain = value.root, value.chain
        self._shows[fresh.number] = version
        self._numbers[id(array)] = (weakref.ref(array), fresh.number)
        return fresh.number

    def _append(
        self,
        primitive: Primitive,
        inputs: tuple[Any, ...],
        params: dict[str, Any],
        outputs: tuple[int, ...],
    ) -> Entry:
        backward = self._backward_of
        scope, site = (state.scope, Site(*position())) if backward is None else backward
        is_backward = backward is not None
        entry = Entry(
            primitive, inputs, params, outputs, scope, site, is_backward, self._region
        )
        self.tape.entries.append(entry)
        return entry

    # ------------------------------------------------------------------ what the engine tells

    def record(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        params: dict[str, Any],
        outputs: Sequence[Tensor],
    ) -> None:
        """A primitive was applied."""
        given = tuple(
            [Reference(self.number_of(x)) if isinstance(x, Tensor) else x for x in inputs]
        )
        if primitive.name in ("getitem", "sum_slices"):
            _refuse_masks(inputs)
        made = [self._new(out._array, COMPUTED) for out in outputs]
        entry = self._append(primitive, given, params, tuple([value.number for value in made]))
        if self._checks:
            require_no_new_nan(entry, [array_of(x) for x in inputs], [x._array for x in outputs])
        if primitive.name == "uniform":
            entry.offset = self._offset(params["generator"], params["start"])
        if primitive.view and made and not any(isinstance(x, Tensor) for x in inputs[1:]):
            base = self.tape.values[given[0]]
            if np.may_share_memory(outputs[0]._array, inputs[0]._array):
                shown = self._versions.get(base.root, 0)
                for slot, value in enumerate(made):
                    value.root = base.root
                    value.chain = (*base.chain, Link(primitive, given, params, entry.outputs, slot))
                    self._shows[value.number] = shown

    def _offset(self, generator: Any, start: int) -> int:
        held = self._generators.get(id(generator))
        if held is None:
            begun = {**generator.get_state(), "counter": start}
            self._generators[id(generator)] = held = (generator, begun)
        return start - held[1]["counter"]

    def seeds(self, generator: Any) -> None:
        """A random stream was started anew."""
        if id(generator) in self._generators:
            raise RecordingError(
                f"the random stream was seeded anew at {caller()}, after the step read it; seed it "
                "before"
            )
        self._generators[id(generator)] = (generator, generator.get_state())
        self._seeded.append(generator)

    def constant(self, tensor: Tensor) -> None:
        """A tensor was made of plain numbers."""
        value = self._new(tensor._array, CONSTANT)
        value.array = tensor._array.copy()
        self._tensors[value.number] = weakref.ref(tensor)

    def assigns(self, target: Tensor, source: Tensor) -> None:
        """The numbers of `target` are about to be overwritten with those of `source`."""
        whole = self.tape.values[self.number_of(target)]
        given = Reference(self.number_of(source))
        root = self.tape.values[whole.root]
        made = self._bare(root.shape, root.dtype)
        if whole.chain:
            before = Reference(self._current.get(root.number, root.number))
            self._append(UPDATE, (before, given), {"chain": whole.chain}, (made.number,))
        else:
            self._append(ASSIGN, (given,), {"shape": root.shape}, (made.number,))
        self._current[root.number] = made.number
        self._versions[root.number] = self._versions.get(root.number, 0) + 1
        made.root = root.number
        self._shows[made.number] = self._versions[root.number]
        if not whole.chain:
            self._numbers[id(target._array)] = (weakref.ref(target._array), made.number)

    def pulls(self, node: Any) -> None:
        """A gradient is about to be pulled back through `node`, or (None) the pass is over."""
        if node is None:
            self._backward_of = None
            self._region = 0
            return
        if node.order < self._begun:
            raise RecordingError(
                f"backward at {caller()} goes back to {node.describe()}, which was computed before "
                "the step: a replay would use the graph of this call for ever. detach() what the "
                "step is given, or compute it inside"
            )
        self._backward_of = (node.scope, node.site)

    def recomputes(self) -> None:
        """What follows was computed once already, and thrown away to save memory."""
        self._regions += 1
        self._region = self._regions

    def visits(self, module: Any) -> None:
        """A module was called."""
        if id(module) not in self._seen:
            self._seen.add(id(module))
            self.modules.append(module)
            self.settings[id(module)] = {n: frozen(x) for n, x in vars(module).items()}

    def uses_optimizer(self, optimizer: Any) -> None:
        """An optimizer is about to change its parameters."""
        if id(optimizer) not in self._seen:
            self._seen.add(id(optimizer))
            self.optimizers.append(optimizer)
        for group in optimizer.param_groups:
            self.uses_settings(group)

    def uses_settings(self, group: Any) -> None:
        """An optimizer reads the settings of a parameter group."""
        if id(group) not in self._seen:
            self._seen.add(id(group))
            self.groups.append(group)

    def reads(self, tensor: Tensor, how: str) -> None:
        """A number is about to be read back: refused, unless it is a constant of the step."""
        number = self._known(tensor._array)
        if number is not None:
            value = self.tape.values[number]
            if value.origin == CONSTANT and value.number not in self._versions:
                return
        raise RecordingError(
            f"{how} at {caller()} reads a number back while the step is being recorded: a replay "
            "would use the number of this call for ever. Return the tensor and read it outside; "
            "in place of `if`, use where()"
        )

    def reads_gradient(self, tensor: Tensor) -> None:
        """`tensor.grad` was read."""
        slot = self._gradient(tensor)
        if slot is None or slot.written or slot.read:
            return
        slot.read = True
        gradient = tensor._gradient()
        if gradient is None:
            return
        if self._known(gradient._array) is not None:
            raise RecordingError(
                f"the gradient read at {caller()} is also a gradient of another tensor, or was "
                "used by the step before: a replay would take one for the other. Give each a "
                "clone()"
            )
        slot.before = self.number_of(gradient)

    def writes_gradient(self, tensor: Tensor) -> None:
        """`tensor.grad` is about to be set."""
        slot = self._gradient(tensor)
        if slot is not None:
            slot.written = True

    def _gradient(self, tensor: Tensor) -> Gradient | None:
        if not tensor._requires_grad or tensor._node is not None:
            return None
        number = self.number_of(tensor)
        root = self.tape.values[self.tape.values[number].root]
        if root.origin not in (ARGUMENT, CAPTURED):
            return None
        if root.place >= 0 and self._places.get(id(tensor)) == root.place:
            tensor = self._arguments[root.place]
        key = (root.number, id(tensor))
        slot, leaf = self._gradients.get(key, (None, None))
        if slot is None or leaf is None or leaf() is not tensor:
            slot = Gradient(root.number)
            self._gradients[key] = (slot, weakref.ref(tensor))
        return slot

    def _outliving(self) -> list[Gradient]:
        """The gradients of leaves that the step did not make for itself."""
        leaves: dict[int, list[tuple[Gradient, weakref.ref[Tensor]]]] = {}
        for slot, leaf in self._gradients.values():
            leaves.setdefault(slot.owner, []).append((slot, leaf))
        return [slot for number, several in leaves.items() for slot in self._alone(number, several)]

    def _alone(
        self, number: int, leaves: Sequence[tuple[Gradient, weakref.ref[Tensor]]]
    ) -> list[Gradient]:
        """Of the leaves that show one value, the one that is still there, if any."""
        value = self.tape.values[number]
        if value.place < 0:
            assert value.tensor is not None
            array, value.tensor = value.tensor._array, None
        there = [(slot, tensor) for slot, leaf in leaves if (tensor := leaf()) is not None]
        if value.place < 0:
            value.tensor = there[0][1] if there else Tensor._wrap(array)
        if any(tensor is not value.tensor for _, tensor in there):
            raise RecordingError(
                f"{self.tape.name(number)} and another tensor with a gradient share their memory, "
                "so a replay could not tell them apart; give one of them a clone()"
            )
        return [slot for slot, _ in there]

    # ------------------------------------------------------------------ the end

    def finish(self, results: Sequence[Tensor]) -> Tape:
        """Complete the tape with what the step returns and leaves behind."""
        tape = self.tape
        values = tape.values
        self._name_parameters()
        tape.results = [self.number_of(result) for result in results]
        kept = [result._array for result in results]
        tape.gradients = self._outliving()
        for slot in tape.gradients:
            owner = values[slot.owner].tensor
            assert owner is not None
            gradient = owner._gradient()
            if slot.written and gradient is not None:
                slot.after = self.number_of(gradient)
                kept.append(gradient._array)
        self._adopt_state(kept)
        tape.writes = [
            (root, last)
            for root, last in self._current.items()
            if values[root].origin in (ARGUMENT, CAPTURED)
        ]
        for i, (generator, begun) in enumerate(self._generators.values()):
            now = generator.get_state()
            if now["seed"] != begun["seed"]:
                raise RecordingError("the state of a random stream was replaced inside the step")
            tape.generators.append((generator, now["counter"] - begun["counter"]))
            if any(generator is seeded for seeded in self._seeded):
                tape.seeds[i] = begun["seed"]
        self._fix_arguments()
        self._refuse_overlaps()
        return tape

    def _fix_arguments(self) -> None:
        """Find the arguments that are parameters of a module or optimizer of the step."""
        outside = {
            id(tensor): tensor
            for module in self.modules
            for tensor in (*module._parameters.values(), *module._buffers.values())
        }
        groups = [group for group in self.groups if isinstance(group, dict)]
        outside |= {id(p): p for group in groups for p in group["params"]}
        for place, tensor in enumerate(self._arguments):
            # A twin of what the caller gave can only be held by a module that the step made.
            if id(tensor) in outside and id(tensor) in self._places:
                self.fixed[place] = tensor

    def _refuse_overlaps(self) -> None:
        """Two tensors from outside that share memory would not see each other's changes."""
        given = [
            (value, value.tensor._array)
            for value in self.tape.values
            if value.tensor is not None and value.origin in (ARGUMENT, CAPTURED)
        ]
        written = {root for root, _ in self.tape.writes}
        for value, array in given:
            if value.number not in written:
                continue
            for other, shown in given:
                if array is not shown and shares_memory(array, shown):
                    raise RecordingError(
                        f"the step assigns to {self.tape.name(value.number)}, whose memory "
                        f"{self.tape.name(other.number)} shows too; give it a clone(), or take the "
                        "view inside the step"
                    )

    def _name_parameters(self) -> None:
        """Give captured parameters their names, and the tensor that the module holds."""
        by_array = {
            id(value.tensor._array): value
            for value in self.tape.values
            if value.tensor is not None
        }
        for module in self.modules:
            for name, parameter in module.named_parameters(module._name):
                value = by_array.get(id(parameter._array))
                if value is not None and value.number not in self.tape.names:
                    self.tape.names[value.number] = name
                    if value.origin == CAPTURED:
                        value.tensor = parameter

    def _adopt_state(self, kept: Sequence[Array]) -> None:
        """Treat constants that outlive the step as captured, and refuse results that do.

        A constant that is still there is state made on first use, such as an optimizer's. A result
        that somebody kept would go stale: no later call renews it.
        """
        allowed = {id(owner) for array in kept for owner in _owners(array)}
        values = self.tape.values
        if any(values[value.root].origin == COMPUTED for value, _ in self._alive(allowed)):
            # Perhaps nobody holds it, and it only waits to be collected.
            gc.collect()
        for value, array in self._alive(allowed):
            root = values[value.root]
            if root.origin == CONSTANT and not value.chain:
                held = self._tensors[root.number]()
                root.origin = CAPTURED
                root.tensor = Tensor._wrap(array) if held is None else held
            elif root.origin == COMPUTED:
                self._refuse(value.number)

    def _alive(self, allowed: Collection[int]) -> Iterator[tuple[Value, Array]]:
        """The values whose arrays somebody else still holds."""
        for reference, number in list(self._numbers.values()):
            array = reference()
            if array is not None and id(array) not in allowed:
                yield self.tape.values[number], array

    def _refuse(self, number: int) -> None:
        made = next((e for e in self.tape.entries if number in e.outputs), None)
        raise RecordingError(
            f"the step keeps a tensor that it computed ({'' if made is None else made.describe()}) "
            "in a place that outlives the call, where no replay would renew it. Return it and pass "
            "it in with the next call, or make a tensor before the step and assign() to it"
        )


def shares_memory(a: Array, b: Array) -> bool:
    """Whether two arrays have bytes in common; mostly a short look tells."""
    return bool(np.may_share_memory(a, b) and np.shares_memory(a, b))


def require_no_new_nan(entry: Entry, inputs: Sequence[Any], outputs: Sequence[Array]) -> None:
    """Raise NumericalError if an entry makes a NaN out of none."""
    if any(map(_has_nan, outputs)) and not any(map(_has_nan, inputs)):
        raise NumericalError(f"NaN comes from {entry.describe()}, whose inputs have none")


def _has_nan(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and bool(np.isnan(x).any())


def _owners(array: Array) -> Iterator[Any]:
    """An array, and those whose memory it is a view of."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        yield owner
        owner = owner.base


def _refuse_masks(inputs: Sequence[Any]) -> None:
    for x in inputs[1:]:
        if isinstance(x, Tensor) and x._array.dtype.kind == "b":
            raise RecordingError(
                "indexing with a boolean mask gives a result whose size depends on the numbers, so "
                f"it cannot be recorded ({caller()}); use where(), or multiply by the mask"
            )
