"""Arguments and results: nesting, plain values, layouts, aliases; one recording a signature."""

import copy
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.jit.tools import Counted, assert_agree, copies, integers, normal
from tinygrad_rnn import errors, nn
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn.functional import one_hot


class Pair(NamedTuple):
    first: Any
    second: Any


def nested(x: Any, scale: float = 2.0, **more: Any) -> Any:
    parts = x["list"]
    total = parts[0] * scale + parts[1][0] - x["pair"].second
    for name in more:
        total = total + more[name] * len(name)
    return {"sum": total, "pair": Pair(total * 2, (x["pair"].first, [total.sum(), 3, "text"]))}


def example(seed: int) -> dict[str, Any]:
    a, b, c, d = (normal(2, 3, seed=seed + i) for i in range(4))
    return {"list": [a, (b,)], "pair": Pair(c, d.numpy().copy()), "plain": (1, None, True, "x")}


def as_tensors(x: dict[str, Any]) -> dict[str, Any]:
    return {**x, "pair": Pair(x["pair"].first, tg.tensor(x["pair"].second))}


def test_nested_arguments_and_results() -> None:
    """Nesting, names or plain values of arguments or results are lost in a replay."""
    body = Counted(nested)
    step = jit(body)
    for seed in range(3):
        for more in ({}, {"scale": 3.0}, {"extra": normal(3, seed=seed)}):
            wanted = nested(as_tensors(example(seed)), **more)
            found = step(example(seed), **more)
            assert list(found) == ["sum", "pair"]
            assert type(found["pair"]) is Pair
            assert type(found["pair"].second) is tuple
            assert type(found["pair"].second[1]) is list
            assert_agree(found, wanted)
    assert body.runs == len(step.recordings) == 3


def test_state_dicts_go_in_and_out() -> None:
    """An ordered dict is taken for one object, and recorded anew for each."""
    step = jit(lambda state: OrderedDict((name, x * 2) for name, x in state.items()))
    for _ in range(3):
        layer = tg.nn.Linear(2, 2)
        found = step(layer.state_dict())
        assert type(found) is OrderedDict
        assert list(found) == ["weight", "bias"]
        assert_agree(found["weight"], layer.weight.detach() * 2)
    assert len(step.recordings) == 1


def test_every_signature_is_recorded_once() -> None:
    """A signature is recorded again at each call, or two signatures share a recording."""
    body = Counted(lambda x, n=1: (x * n).sum() + n)
    step = jit(body)
    inputs = [
        (normal(2, 3),),
        (normal(3, 2),),
        (normal(2, 3, dtype=np.float32),),
        (integers(5, 2, 3),),
        (normal(2, 3), 2),
        (normal(2, 3), 2.0),
        (normal(2, 3), True),
        (normal(2, 3).requires_grad_(),),
        (normal(2, 3).numpy(),),
        (tg.tensor(3.0),),
        (normal(0, 3),),
        (normal(2, 3), float("nan")),
        (normal(2, 3), 0.0),
        (normal(2, 3), -0.0),
    ]
    for _ in range(3):
        for args in inputs:
            x = args[0] if isinstance(args[0], tg.Tensor) else tg.tensor(args[0])
            assert_agree(step(*args), body.function(x, *args[1:]).detach())
    assert body.runs == len(inputs)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_the_sign_of_zero_belongs_to_the_signature(zero: float) -> None:
    """-0.0 is taken for 0.0, although results differ in sign."""
    step = jit(lambda x, n: x * n)
    one = tg.ones(2)
    for number in (zero, -zero, zero):
        assert np.signbit(step(one, number).numpy()).all() == np.signbit(number)


LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "every other": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "expanded": lambda a: np.broadcast_to(a[:1], a.shape),
    "offset": lambda a: np.concatenate([a[:1], a])[1:],
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(
        a.shape
    ),
}


@pytest.mark.parametrize("kind", ["tensor", "array"])
def test_layouts_of_arguments(kind: str) -> None:
    """An argument that is not contiguous, read-only or unaligned is read in another order."""
    step = jit(lambda x, y: (x @ y, x.sum(0) - y.sum(1), x[1:] * 2))
    for seed, lay in enumerate(LAYOUTS.values()):
        x = lay(normal(3, 4, seed=seed).numpy().copy())
        y = lay(normal(4, 3, seed=seed + 10).numpy().copy())
        x.flags.writeable = False
        wanted = step._function(tg.tensor(x), tg.tensor(y))
        given = [tg.as_tensor(a) if kind == "tensor" else a for a in (x, y)]
        assert_agree(step(*given), wanted)
    assert len(step.recordings) == 1


@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.int64, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (3, 2)])
def test_types_and_sizes_of_arguments(dtype: Any, shape: tuple[int, ...]) -> None:
    """An integer, boolean, empty or 0-d argument is computed with in another type, or fails."""

    def function(x: tg.Tensor) -> Any:
        return x, x + 1, x.float() * 0.5, x == 1, x.sum(), x.reshape(-1)

    step = jit(function)
    for seed in range(3):
        x = np.asarray(normal(*shape, seed=seed).numpy() * 3).astype(dtype)
        assert_agree(step(x), copies(function(tg.tensor(x))))


@pytest.mark.parametrize("dtype", [np.float16, np.complex64, "U3", object, ">f4"])
def test_arrays_that_no_tensor_holds_are_refused_as_in_eager(dtype: Any) -> None:
    """An array of a type that tensors do not have enters a step without a word."""
    array = np.zeros(3).astype(dtype)
    step = jit(lambda x: x * 2)
    for _ in range(2):
        try:
            wanted: Any = tg.as_tensor(array) * 2
        except errors.DtypeError:
            with pytest.raises(errors.DtypeError):
                step(array)
        else:
            assert_agree(step(array), wanted)


def test_one_array_given_twice() -> None:
    """Two arguments that are one array are taken for two, or two for one."""

    def function(x: tg.Tensor, y: tg.Tensor) -> Any:
        x.add_(1.0)
        return x * 2 + y

    step = jit(function)
    for seed in range(3):
        for same in (True, False):
            x, y = normal(3, seed=seed), normal(3, seed=seed + 9)
            a, b = x.clone(), y.clone()
            wanted = function(a, a if same else b)
            assert_agree(step(x, x if same else y), wanted)
            assert_agree((x, y), (a, y if same else b))
    assert len(step.recordings) == 2


def test_overlapping_arguments_are_seen_or_refused() -> None:
    """A view given beside the tensor it shows does not see what the step assigns to the tensor."""

    def function(x: tg.Tensor, y: tg.Tensor) -> Any:
        x.assign(x * 2.0)
        return x + y

    step = jit(function)
    step(normal(3, 2), normal(3, 2))
    x = normal(4, 2)
    try:
        found = step(x[1:], x[:-1])
    except errors.RecordingError:
        return
    again = normal(4, 2)
    assert_agree(found, function(again[1:], again[:-1]))


@pytest.mark.parametrize("order", ["parameter first", "parameter last"])
def test_a_parameter_as_argument(order: str) -> None:
    """A recording with a parameter as argument takes the next argument for that parameter."""
    layer = tg.nn.Linear(3, 3, dtype=tg.float64)
    optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)

    def function(x: tg.Tensor) -> Any:
        optimizer.zero_grad()
        loss = (layer(x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    step = jit(function)
    other = normal(3, 3, seed=5).requires_grad_()
    plain = normal(3, 3, seed=6)
    given = [layer.weight, other, layer.weight, plain, layer.weight, other]
    start = {name: p.clone() for name, p in layer.state_dict().items()}
    runs = []
    for call in (function, step):
        layer.load_state_dict(start)
        other.grad = None
        losses = [copies(call(x)) for x in (given if order == "parameter first" else given[1:])]
        runs.append((losses, copies(layer.state_dict()), copies(other.grad)))
    assert_agree(runs[1], runs[0])


def test_a_tensor_from_outside_as_argument() -> None:
    """A tensor that the step also knows from outside is confused with other arguments."""
    held = normal(3, seed=1)

    def function(x: tg.Tensor) -> Any:
        return x * 2 + held

    step = jit(function)
    for x in (held, normal(3, seed=2), held, normal(3, seed=3)):
        assert_agree(step(x), function(x))


def test_an_argument_is_assigned_to() -> None:
    """What a step assigns to an argument, tensor or array, contiguous or not, does not arrive."""

    def function(x: Any) -> Any:
        x[0] = x[1] + 1.0
        x.mul_(2.0)
        return x.sum()

    step = jit(function)
    for seed in range(3):
        for lay in (lambda a: a, np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2]):
            x = lay(normal(3, 4, seed=seed).numpy().copy())
            y = tg.tensor(x)
            wanted = function(y)
            assert_agree(step(x), wanted)
            np.testing.assert_allclose(x, y.numpy(), rtol=1e-12)
            z = tg.as_tensor(lay(normal(3, 4, seed=seed).numpy().copy()))
            assert_agree((step(z), z), (wanted, y))


def test_a_read_only_argument_is_not_written() -> None:
    """A replay writes to memory that eager refuses to write to."""
    step = jit(lambda x: x.add_(1.0).sum())
    step(normal(3))
    frozen = normal(3).numpy().copy()
    frozen.flags.writeable = False
    before = frozen.copy()
    with pytest.raises(errors.ShapeError, match="read-only"):
        step(frozen)
    with pytest.raises(errors.ShapeError, match="read-only"):
        tg.as_tensor(frozen).add_(1.0)
    np.testing.assert_array_equal(frozen, before)


def test_results_that_are_arguments_constants_or_repeated() -> None:
    """A result that no operation made is missing, or shares memory that a later call writes."""
    held = normal(3, seed=4)

    def function(x: tg.Tensor) -> Any:
        y = x + held
        held.assign(y)
        return x, held, y, y, y[1:], tg.ones(2), y.reshape(3, 1).expand(3, 2), None, 5

    step = jit(function)
    kept, wanted = [], []
    shown = tg.tensor(held.numpy())
    for seed in range(4):
        x = normal(3, seed=seed)
        kept.append(step(x))
        y = x + shown
        shown = y
        ones = tg.ones(2)
        wanted.append((x.clone(), y, y, y, y[1:], ones, y.reshape(3, 1).expand(3, 2), None, 5))
        x.zero_()
    assert_agree(kept, wanted)


def test_methods_static_methods_and_names() -> None:
    """`jit` on a method loses `self`, or mixes up instances; names and documentation are lost."""

    class Scaler:
        def __init__(self, factor: float) -> None:
            self.factor = tg.tensor(factor)

        @jit
        def scaled(self, x: tg.Tensor) -> tg.Tensor:
            """Scale."""
            return x * self.factor

        @staticmethod
        @jit(check=True)
        def doubled(x: tg.Tensor) -> tg.Tensor:
            return x * 2

    two, three = Scaler(2.0), Scaler(3.0)
    x = tg.ones(2)
    for _ in range(3):
        assert two.scaled(x).tolist() == [2.0, 2.0]
        assert three.scaled(x).tolist() == [3.0, 3.0]
        assert Scaler.doubled(x).tolist() == [2.0, 2.0]
    assert Scaler.scaled.__name__ == "scaled"
    assert Scaler.scaled.__doc__ == "Scale."
    two.factor.assign(5.0)
    assert two.scaled(x).tolist() == [5.0, 5.0]


def test_nested_steps() -> None:
    """A step called inside a step is recorded apart, or not at all."""
    inner = jit(lambda x: x * 2)
    outer = jit(lambda x: inner(x) + inner(x + 1))
    for seed in range(3):
        x = normal(3, seed=seed)
        assert_agree(outer(x), x * 4 + 2)
        assert_agree(inner(x), x * 2)


def test_what_cannot_be_a_step_or_a_result() -> None:
    """A call that cannot work is accepted, or refused without saying why."""
    with pytest.raises(errors.ArgumentError, match="takes a function"):
        jit(3)
    with pytest.raises(errors.RecordingError, match="NumPy array"):
        jit(lambda x: np.zeros(2))(normal(2))
    with pytest.raises(errors.RecordingError, match="returns a set"):
        jit(lambda x: {1})(normal(2))
    with pytest.raises(errors.ArgumentError, match="call the step once"):
        _ = jit(lambda x: x).tape
    with pytest.raises(errors.ArgumentError, match="there is no pass"):
        jit(lambda x: x, off={"fusion"})


@dataclass
class Batch:
    x: Any
    scale: float = 2.0


class Plain(list[Any]):
    """A list of one's own."""


CONTAINERS: dict[str, tuple[Callable[[tg.Tensor], Any], Callable[[Any], tg.Tensor]]] = {
    "defaultdict": (lambda x: defaultdict(list, x=x), lambda c: c["x"]),
    "deque": (lambda x: deque([x], maxlen=3), lambda c: c[-1]),
    "list of one's own": (lambda x: Plain([x]), lambda c: c[0]),
    "dataclass": (Batch, lambda c: c.x * (c.scale / 2.0)),
    "namespace": (lambda x: SimpleNamespace(x=x, inner=[x]), lambda c: c.inner[0]),
}


@pytest.mark.parametrize("which", CONTAINERS)
def test_tensors_in_other_containers(which: str) -> None:
    """A container counts as one object, and the tensors of the first call are used for ever."""
    make, take = CONTAINERS[which]
    body = Counted(lambda c: take(c) * 2.0)
    step = jit(body)
    for seed in range(3):
        x = normal(2, seed=seed)
        assert_agree(step(make(x)), x * 2.0)
    assert body.runs == 1


def test_plain_values_made_of_others_are_compared_by_value() -> None:
    """An equal slice or range is recorded again at every call."""
    body = Counted(lambda x, part, numbers, names: x[part] * (len(numbers) + len(names)))
    step = jit(body)
    for end in (2, 2, 3, 3):
        x = normal(4, seed=end)
        found = step(x, slice(0, end), range(end), frozenset({"a"}))
        assert_agree(found, x[:end] * (end + 1))
    assert body.runs == 2


def test_named_arguments_are_not_taken_for_a_tuple_and_a_dict() -> None:
    """Two calls that differ only in how arguments are passed share a recording."""

    def body(x: Any, d: Any = None, k: int = 0) -> Any:
        return (x[0] if isinstance(x, tuple) else x) + k + (d["k"] * 100 if d else 0)

    step, x = jit(body), normal(2)
    step(x, k=1)
    assert_agree(step((x,), {"k": 1}), body((x,), {"k": 1}))


@pytest.mark.parametrize("change", [lambda d: d.update(h=1), lambda d: d["l"].append(2)])
def test_changing_what_was_given_is_refused(change: Any) -> None:
    """A list or dict is changed by the recording, and by no replay."""

    def body(d: Any) -> Any:
        change(d)
        return d["x"] * 2.0

    with pytest.raises(errors.RecordingError, match="changes a list, dict or object"):
        jit(body)({"x": normal(2), "l": [1]})


def test_a_computed_tensor_in_place_of_a_leaf() -> None:
    """The gradient of a tensor that was computed before the step is left at it, not carried on."""
    step = jit(lambda x: (x * x).sum().backward())
    for _ in range(2):
        step(normal(2).requires_grad_())
    with pytest.raises(errors.RecordingError, match="computed before the step"):
        step(normal(2).requires_grad_() * 2.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_small_integers_beside_larger_ones(dtype: Any) -> None:
    """Integers that kernels do not know cannot be compared, added or used as indices."""

    def body(t: tg.Tensor) -> Any:
        x = tg.arange(4.0).reshape(2, 2)
        index = t.reshape(1, 2)
        return t + tg.arange(2), t == tg.arange(2), x.gather(0, index), one_hot(t, 3)

    step = jit(body)
    for values in ([0, 1], [1, 1]):
        t = tg.tensor(np.array(values, dtype))
        for _ in range(2):
            assert_agree(step(t), body(t))


def test_a_deep_copy_records_for_itself() -> None:
    """A module with a jitted method cannot be copied, or the copy computes with the original."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(normal(2))
            self.compiled = jit(self.forward)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return x * self.weight

    first, x = Scaled(), normal(2, seed=1)
    first.compiled(x)
    second = copy.deepcopy(first)
    with tg.no_grad():
        second.weight.mul_(3.0)
    assert_agree(second.compiled(x), x * second.weight.detach())
    assert_agree(first.compiled(x), x * first.weight.detach())
