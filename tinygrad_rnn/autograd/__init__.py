"""Derivatives as functions: grad, jacobian, hvp, and recomputing instead of storing.

Everything here is built on `run_backward` and on gradients being graphs themselves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_rnn import engine
from tinygrad_rnn.autograd.arguments import require_function, require_tensors, several
from tinygrad_rnn.autograd.variable import Variable as Variable
from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.context import caller, enable_grad, state
from tinygrad_rnn.context import inference_mode as inference_mode
from tinygrad_rnn.context import no_grad as no_grad
from tinygrad_rnn.context import set_grad_enabled as set_grad_enabled
from tinygrad_rnn.creation import zeros, zeros_like
from tinygrad_rnn.errors import ArgumentError, DtypeError, GraphError, ShapeError, UnsupportedError
from tinygrad_rnn.functions import stack
from tinygrad_rnn.generator import default_generator
from tinygrad_rnn.tensor import Tensor, require_grad_of, run_backward


def grad(
    outputs: Tensor | Iterable[Tensor],
    inputs: Tensor | Iterable[Tensor],
    grad_outputs: Tensor | Iterable[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
    *,
    only_inputs: bool = True,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of `outputs` with respect to `inputs`, without touching `.grad`.

    Args:
        outputs: what is differentiated; several are added up.
        inputs: leaves or computed tensors.
        grad_outputs: the gradient of each output; may be left out where it has one element.
        retain_graph: keep the graph for another pass. Defaults to `create_graph`.
        create_graph: make the gradients differentiable.
        allow_unused: return None for an input that the outputs do not depend on.
        only_inputs: True; `backward` fills `.grad`.
        is_grads_batched: False; see `jacobian`.
        materialize_grads: return zeros for an input that the outputs do not depend on.

    Raises:
        GraphError: if an input requires no gradient, or is unused and `allow_unused` is False.
        ArgumentError: if there are no inputs.
        UnsupportedError: for `only_inputs=False` or `is_grads_batched`.
    """
    if not only_inputs or is_grads_batched:
        raise UnsupportedError(
            "grad takes the gradients of its inputs only, for one gradient of each output; use "
            "backward() in place of only_inputs=False, and jacobian() of is_grads_batched"
        )
    outs, ins = several(outputs, "grad"), several(inputs, "grad")
    seeds = [None] * len(outs) if grad_outputs is None else several(grad_outputs, "grad")
    require_tensors(outs, "grad differentiates Tensors")
    if not ins:
        raise ArgumentError("grad needs an input to take the gradient of")
    if len(seeds) != len(outs):
        raise ShapeError(f"{len(outs)} outputs, but {len(seeds)} gradients of outputs")
    require_grad_of(ins)
    found = run_backward(outs, seeds, ins, retain_graph, create_graph)
    gradients = tuple(found.of(x) for x in ins)
    if materialize_grads:
        pairs = zip(gradients, ins, strict=True)
        return tuple(zeros_like(x) if g is None else g for g, x in pairs)
    if not allow_unused:
        for i, gradient in enumerate(gradients):
            if gradient is None:
                raise GraphError(
                    f"input {i}, of shape {ins[i].shape}, was not used to compute the outputs; "
                    "pass allow_unused=True to get None for it"
                )
    return gradients


def jacobian(
    function: Callable[..., Tensor], inputs: Tensor | Sequence[Tensor], create_graph: bool = False
) -> Any:
    """Return ∂function(inputs)/∂inputs.

    The result has the shape of the output followed by that of the input, one for each input (a
    tuple if a sequence was given). One backward pass an element of the output.
    """
    require_function(function, "jacobian")
    single = isinstance(inputs, Tensor)
    with enable_grad():
        ins = _prepared(several(inputs, "jacobian"), create_graph)
        out = function(*ins)
        _require_output(out, "jacobian")
        flat = out.reshape(-1)
        rows: list[list[Tensor]] = [[] for _ in ins]
        for i in range(flat.numel()):
            gradients = (
                grad(flat[i], ins, None, True, create_graph, allow_unused=True)
                if flat.requires_grad
                else [None] * len(ins)
            )
            for row, x, gradient in zip(rows, ins, gradients, strict=True):
                row.append(zeros_like(x) if gradient is None else gradient)
        results = tuple(
            stack(row).reshape(out.shape + x.shape)
            if row
            else zeros(out.shape + x.shape, dtype=x.dtype)
            for row, x in zip(rows, ins, strict=True)
        )
    return results[0] if single else results


def hvp(
    function: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    v: Tensor | Sequence[Tensor],
    create_graph: bool = False,
) -> tuple[Tensor, Any]:
    """Return the scalar function's value and its Hessian times `v`, (∂²f/∂x²) v.

    Two backward passes; the Hessian is never formed.
    """
    require_function(function, "hvp")
    single = isinstance(inputs, Tensor)
    vectors = several(v, "hvp")
    require_tensors(vectors, "v is made of Tensors")
    with enable_grad():
        ins = _prepared(several(inputs, "hvp"), create_graph)
        if [x.shape for x in ins] != [x.shape for x in vectors]:
            raise ShapeError(
                f"v has shapes {[x.shape for x in vectors]}, the inputs {[x.shape for x in ins]}"
            )
        out = function(*ins)
        _require_output(out, "hvp")
        if out.numel() != 1:
            raise ShapeError(f"hvp needs a function with one number as result, not {out.shape}")
        first = grad(out, ins, create_graph=True, allow_unused=True)
        used = [(g, w) for g, w in zip(first, vectors, strict=True) if g is not None]
        curved = [(g, w) for g, w in used if g.requires_grad]
        if curved:
            second = grad(
                [g for g, _ in curved],
                ins,
                [w for _, w in curved],
                None,
                create_graph,
                allow_unused=True,
            )
        else:
            second = (None,) * len(ins)
    products = tuple(
        zeros_like(x) if g is None else g for x, g in zip(ins, second, strict=True)
    )
    value = out if create_graph else out.detach()
    return value, products[0] if single else products


def _prepared(inputs: Sequence[Tensor], keep_history: bool) -> list[Tensor]:
    """Return inputs that require a gradient, cut off from their history unless it is wanted."""
    require_tensors(inputs, "a derivative is taken with respect to Tensors")
    if keep_history:
        return [x if x.requires_grad else x.detach().requires_grad_() for x in inputs]
    return [x.detach().requires_grad_() for x in inputs]


def _require_output(out: Any, name: str) -> None:
    if not isinstance(out, Tensor):
        raise DtypeError(f"{name} needs a function that returns a Tensor, not {type(out).__name__}")


class _Recomputed(engine.Node):
    """A function whose graph was thrown away, and is recorded again when a gradient arrives."""

    __slots__ = ("args", "function", "random", "site")

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        inputs: tuple[Tensor, ...],
        outputs: int,
        random: dict[str, int],
    ) -> None:
        super().__init__(inputs, bytes([1] * len(inputs)), outputs)
        self.function = function
        self.args = args
        self.random = random
        self.site = caller()

    def pull(self, gradients: Sequence[Any], wanted: Sequence[int]) -> Sequence[Any]:
        """Run the function again with recording on, and go back through what it recorded."""
        assert self.inputs is not None
        for x in (*self.inputs, *self.args):
            memory = getattr(x, "_memory", None)
            changes = None if memory is None else memory.changes
            if changes is not None and changes.mutated_at > self.order:
                raise GraphError(
                    f"a tensor that {self.describe()} needs to compute again was overwritten at "
                    f"{changes.site}. Call backward before assigning, or assign to a clone()."
                )
        now = default_generator.get_state()
        default_generator.set_state(self.random)
        create_graph = state.grad_enabled
        if state.recorder is not None:
            state.recorder.recomputes()
        try:
            with enable_grad():
                outs = _as_tuple(self.function(*self.args))
        finally:
            default_generator.set_state(now)
        reached = [(o, g) for o, g in zip(outs, gradients, strict=True) if g is not None]
        targets = [x for x, want in zip(self.inputs, wanted, strict=True) if want]
        found = run_backward(
            [o for o, _ in reached],
            [g for _, g in reached],
            targets,
            None,
            create_graph,
            stop_at_inputs=True,
        )
        return [found.of(x) if want else None for x, want in zip(self.inputs, wanted, strict=True)]

    def release(self) -> None:
        """Forget the inputs and the arguments."""
        self.inputs = None
        self.args = ()

    def describe(self) -> str:
        """Name the call."""
        return f"`checkpoint` ({self.site})"


def checkpoint(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)` without keeping its graph; backward computes it a second time.

    Splitting T steps into √T checkpointed pieces keeps memory proportional to √T for about one
    extra forward pass (Chen, Xu, Zhang and Guestrin, 2016, "Training deep nets with sublinear
    memory cost"). Gradients also reach the tensors that `function` uses without taking them as
    arguments, such as the parameters of a module; random numbers come out the same both times.

    Args:
        function: returns a tensor or a tuple of tensors, and has no side effects.
        args: anything; nested tensors are fine.
    """
    require_function(function, "checkpoint")
    if not state.grad_enabled:
        return function(*args)
    random = default_generator.get_state()
    before = engine.now()
    result = function(*args)
    outs = _as_tuple(result)
    # A tensor that was only passed through keeps its place in the graph.
    inside = [o.grad_fn is not None and o.grad_fn.order > before for o in outs]
    if not any(inside):
        return result
    boundary = _boundary([o for o, made in zip(outs, inside, strict=True) if made], before)
    node = _Recomputed(function, args, boundary, len(outs), random)
    linked = []
    for slot, (out, made) in enumerate(zip(outs, inside, strict=True)):
        fresh = out
        if made:
            fresh = out.detach()
            fresh._requires_grad = True
            fresh._node = node
            fresh._slot = slot
        linked.append(fresh)
    if isinstance(result, Tensor):
        return linked[0]
    return type(result)(*linked) if hasattr(result, "_fields") else type(result)(linked)


def _as_tuple(result: Any) -> tuple[Tensor, ...]:
    outs = (result,) if isinstance(result, Tensor) else result
    if not isinstance(outs, (tuple, list)) or not all(isinstance(o, Tensor) for o in outs):
        raise DtypeError("checkpoint needs a function that returns a tensor or a tuple of tensors")
    return tuple(outs)


def _boundary(outputs: Sequence[Tensor], before: int) -> tuple[Tensor, ...]:
    """Return the tensors, recorded before a moment or leaves, that the outputs depend on."""
    found: dict[tuple[int, int], Any] = {}
    seen: set[engine.Node] = set()
    pending = [o.grad_fn for o in outputs]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for x in node.tracked_inputs():
            made_by = x._node
            if made_by is None:
                found[id(x), -1] = x
            elif made_by.order < before:
                found[id(made_by), x._slot] = x
            else:
                pending.append(made_by)
    return tuple(found.values())


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "functional":
            # It is made of what stands here.
            return importlib.import_module("tinygrad_rnn.autograd.functional")
        raise missing(__name__, name)
