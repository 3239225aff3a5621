"""Bad input of the engine, tensors, layers, optimizers, texts and language models."""

import contextlib
import pickle
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import FOLDER, Mistake
from tinygrad_rnn import kernels, lm, nn, optim
from tinygrad_rnn.autograd.functional import hessian
from tinygrad_rnn.checkpoints import (
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    DtypeError,
    GradcheckError,
    GraphError,
    NumericalError,
    OutOfRangeError,
    RecordingError,
    ShapeError,
    StateDictError,
    TinygradRnnError,
    VocabularyError,
)
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.text import (
    Streams,
    Vocabulary,
    embedded_text,
    evaluation_windows,
    find_text,
    split,
)

SYMBOLS = [0, 1, 2] * 10
"""A text."""


def v() -> tg.Tensor:
    return tg.ones(3)


def m() -> tg.Tensor:
    return tg.ones(2, 3)


def double() -> tg.Tensor:
    return tg.ones(3, dtype=tg.float64)


def whole() -> tg.Tensor:
    return tg.tensor([0, 1])


def leaf(*shape: int) -> tg.Tensor:
    return tg.ones(*(shape or (2,)), requires_grad=True)


def parameter() -> nn.Parameter:
    return nn.Parameter(tg.ones(2))


def sgd() -> optim.SGD:
    return optim.SGD([parameter()], lr=0.1)


def released() -> None:
    y = leaf().sum()
    y.backward()
    y.backward()


def carried() -> None:
    h = leaf().tanh()
    h.sum().backward()
    (h * 2.0).sum().backward()


def overwritten() -> None:
    x = leaf()
    y = x * x
    with tg.no_grad():
        x.assign(0.0)
    y.sum().backward()


def hooked(replacement: Any) -> None:
    y = leaf() * 2.0
    y.register_hook(lambda g: replacement)
    y.sum().backward()


def set_item(index: Any, value: Any) -> None:
    v()[index] = value


def add_in_place(x: tg.Tensor, other: Any) -> None:
    x += other


def set_learning_rate(optimizer: optim.Optimizer, value: Any) -> None:
    optimizer.param_groups[0]["lr"] = value


def set_attribute(target: Any, name: str, value: Any) -> None:
    setattr(target, name, value)


def cell_that_returns(result: Any) -> Any:
    class Cell(nn.Module):
        hidden_size = 2

        def forward(self, x: Any, state: Any) -> Any:
            return result

    return nn.Recurrent(Cell())(tg.ones(2, 1, 2))


def assigned_too_early() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.weight = parameter()

    Early()


def wrong_gradient(x: tg.Tensor) -> tg.Tensor:
    return x * x.detach()


def not_finite() -> None:
    p = parameter()
    p.grad = tg.tensor([float("nan"), 0.0])
    nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)


def state(**held: Any) -> dict[str, Any]:
    return {"state": {0: held}, "param_groups": [{"params": [0]}]}


def in_a_folder(make: Callable[[], Any], files: Mapping[str, bytes] | None = None) -> Any:
    """Make a mistake in a new folder that holds `files`, so that messages show their names only."""
    with tempfile.TemporaryDirectory(prefix=FOLDER) as folder, contextlib.chdir(folder):
        for name, content in (files or {}).items():
            Path(name).write_bytes(content)
        return make()


def letters() -> Vocabulary:
    return Vocabulary("abc")


def language_model() -> lm.RecurrentLanguageModel:
    tg.manual_seed(0)
    return lm.RecurrentLanguageModel(3, "gru", hidden_size=2, num_layers=1)


def broken_model() -> lm.RecurrentLanguageModel:
    model = language_model()
    init.constant_(model.output.bias, float("nan"))
    return model


def trainer(
    folder: str | None = None, model: lm.RecurrentLanguageModel | None = None
) -> lm.Trainer:
    settings = lm.TrainingSettings(
        batch_size=2, window=5, fractions=(1.0, 0.0, 0.0), sample_length=0
    )
    return lm.Trainer(model or language_model(), letters(), SYMBOLS, settings, folder)


def saved(change: Callable[[dict[str, Any]], None] = lambda settings: None) -> None:
    """Write the checkpoint of a run that has not begun, with changed settings."""
    arrays, settings = trainer().checkpoint()
    change(settings)
    save_checkpoint("run.safetensors", arrays, settings)


def without(section: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(settings: dict[str, Any]) -> None:
        del settings[section][name]

    return change


def resumed(
    ids: list[int],
    settings: lm.TrainingSettings | None = None,
    change: Callable[[dict[str, Any]], None] = lambda settings: None,
) -> None:
    saved(change)
    lm.Trainer.resume("run.safetensors", ids, settings)


def reloaded(
    change: Callable[[dict[str, Any]], None] = lambda settings: None, cell: Any = None
) -> None:
    saved(change)
    lm.load_model("run.safetensors", cell)


def reread(change: Callable[[bytes], bytes]) -> None:
    save_checkpoint("run", {"weight": np.zeros(2)}, {})
    file = Path("run")
    file.write_bytes(change(file.read_bytes()))
    load_checkpoint("run")


def endless() -> dict[str, Any]:
    settings: dict[str, Any] = {}
    settings["settings"] = settings
    return settings


CREATION = [
    Mistake("tensor", "text", lambda: tg.tensor("abc"), DtypeError, ("numbers",)),
    Mistake(
        "tensor",
        "rows of unequal length",
        lambda: tg.tensor([[1], [1, 2]]),
        DtypeError,
        ("cannot make a tensor",),
    ),
    Mistake(
        "tensor",
        "an unknown type",
        lambda: tg.tensor([1.0], dtype="foo"),
        DtypeError,
        ("foo", "float32"),
    ),
    Mistake(
        "tensor",
        "a type that is not offered",
        lambda: tg.tensor([1.0], dtype=np.float16),
        DtypeError,
        ("float16", "float32"),
    ),
    Mistake(
        "tensor",
        "integers that require a gradient",
        lambda: tg.tensor([1], requires_grad=True),
        DtypeError,
        ("int64", ".float()"),
    ),
    Mistake("as_tensor", "None", lambda: tg.as_tensor(None), DtypeError, ("numbers",)),
    Mistake("as_tensor", "rows of unequal length", lambda: tg.as_tensor([[1], [1, 2]]), DtypeError),
    Mistake("Tensor", "rows of unequal length", lambda: tg.Tensor([[1], [1, 2]]), DtypeError),
    Mistake(
        "from_numpy", "a list", lambda: tg.from_numpy([1]), ArgumentError, ("list", "tensor()")
    ),
    Mistake("zeros", "a negative length", lambda: tg.zeros(-1), TinygradRnnError, ("-1",)),
    Mistake("zeros", "a length that is no integer", lambda: tg.zeros(1.5), ArgumentError, ("1.5",)),
    Mistake("ones", "an unknown type", lambda: tg.ones(1, dtype="foo"), DtypeError, ("foo",)),
    Mistake("full", "a negative length", lambda: tg.full((-1,), 1.0), TinygradRnnError, ("-1",)),
    Mistake("full", "several values", lambda: tg.full((2,), [1.0, 2.0, 3.0]), TinygradRnnError),
    Mistake("zeros_like", "a number", lambda: tg.zeros_like(3), TinygradRnnError, ("int",)),
    Mistake("eye", "a negative size", lambda: tg.eye(-1), TinygradRnnError, ("-1",)),
    Mistake("eye", "text", lambda: tg.eye("a"), TinygradRnnError),
    Mistake("arange", "text", lambda: tg.arange("a"), TinygradRnnError),
    Mistake("arange", "a step of 0", lambda: tg.arange(0, 3, 0), ArgumentError, ("0",)),
    Mistake(
        "linspace",
        "a negative number of steps",
        lambda: tg.linspace(0, 1, -1),
        TinygradRnnError,
        ("-1",),
    ),
    Mistake("linspace", "half a step", lambda: tg.linspace(0, 1, 2.5), TinygradRnnError, ("2.5",)),
    Mistake("rand", "an integer type", lambda: tg.rand(2, dtype=tg.int64), DtypeError, ("int64",)),
    Mistake(
        "randn", "an integer type", lambda: tg.randn(2, dtype=tg.int64), DtypeError, ("int64",)
    ),
    Mistake("randn", "a negative length", lambda: tg.randn(-1), TinygradRnnError, ("-1",)),
    Mistake("randint", "an empty range", lambda: tg.randint(3, 2, (2,)), ArgumentError, ("3", "2")),
    Mistake("randint", "no size", lambda: tg.randint(3), TinygradRnnError),
    Mistake(
        "randint",
        "limits that are no integers",
        lambda: tg.randint(0.5, 3, (2,)),
        TinygradRnnError,
        ("0.5",),
    ),
    Mistake("randperm", "a negative length", lambda: tg.randperm(-1), TinygradRnnError, ("-1",)),
    Mistake("randperm", "half an element", lambda: tg.randperm(2.5), TinygradRnnError, ("2.5",)),
    Mistake(
        "bernoulli",
        "a probability above 1",
        lambda: tg.bernoulli(tg.tensor([2.0])),
        ArgumentError,
        ("2",),
    ),
    Mistake("bernoulli", "a number", lambda: tg.bernoulli(0.5), TinygradRnnError, ("float",)),
    Mistake("bernoulli", "integers", lambda: tg.bernoulli(whole()), DtypeError, ("int64",)),
    Mistake(
        "multinomial",
        "more draws than there are indices",
        lambda: tg.multinomial(v(), 4),
        ArgumentError,
        ("4", "3", "replacement=True"),
    ),
    Mistake(
        "multinomial",
        "negative weights",
        lambda: tg.multinomial(-v()),
        ArgumentError,
        ("0 or more",),
    ),
    Mistake(
        "multinomial",
        "a negative number of draws",
        lambda: tg.multinomial(v(), -1),
        ArgumentError,
        ("-1",),
    ),
    Mistake(
        "multinomial",
        "an array",
        lambda: tg.multinomial(np.ones(3)),
        TinygradRnnError,
        ("ndarray",),
    ),
    Mistake(
        "multinomial", "a single number", lambda: tg.multinomial(tg.tensor(1.0)), TinygradRnnError
    ),
    Mistake("tril", "a vector", lambda: tg.tril(v()), TinygradRnnError, ("matrix", "(3,)")),
    Mistake(
        "manual_seed", "a fraction", lambda: tg.manual_seed(1.5), ArgumentError, ("integer", "1.5")
    ),
    Mistake(
        "Generator.set_state",
        "not a state",
        lambda: tg.Generator(0).set_state({}),
        ArgumentError,
        ("seed", "counter"),
    ),
    Mistake(
        "set_default_dtype",
        "integers",
        lambda: tg.set_default_dtype(tg.int64),
        DtypeError,
        ("int64", "float32"),
    ),
    Mistake(
        "set_default_dtype",
        "an unknown type",
        lambda: tg.set_default_dtype("foo"),
        DtypeError,
        ("foo",),
    ),
    Mistake("set_num_threads", "no threads", lambda: tg.set_num_threads(0), ArgumentError, ("0",)),
    Mistake(
        "zeros", "too many numbers", lambda: tg.zeros(2**62), ArgumentError, (str(2**62), "memory")
    ),
    Mistake(
        "randn", "too many numbers", lambda: tg.randn(2**40, 2**40), ArgumentError, ("memory",)
    ),
    Mistake("arange", "NaN", lambda: tg.arange(float("nan")), ArgumentError, ("nan",)),
    Mistake("arange", "no end", lambda: tg.arange(float("inf")), ArgumentError, ("inf",)),
    Mistake("arange", "too many numbers", lambda: tg.arange(2**62), ArgumentError, ("memory",)),
    Mistake(
        "arange", "steps away from the end", lambda: tg.arange(5, 3), ArgumentError, ("5", "3")
    ),
    Mistake(
        "arange",
        "integers that require a gradient",
        lambda: tg.arange(3, requires_grad=True),
        DtypeError,
        ("int64", ".float()"),
    ),
    Mistake(
        "linspace",
        "a shape as the number of steps",
        lambda: tg.linspace(0, 1, (3, 4)),
        ArgumentError,
        ("steps", "(3, 4)"),
    ),
    Mistake("linspace", "text", lambda: tg.linspace("a", 1, 3), ArgumentError, ("'a'",)),
    Mistake("randperm", "a shape", lambda: tg.randperm((3, 4)), ArgumentError, ("(3, 4)",)),
    Mistake(
        "rand", "a generator that is none", lambda: tg.rand(2, generator=3), ArgumentError, ("3",)
    ),
    Mistake("tril", "a number", lambda: tg.tril(3), DtypeError, ("int",)),
    Mistake("triu", "half a diagonal", lambda: tg.triu(m(), 0.5), ArgumentError, ("0.5",)),
]

ARITHMETIC = [
    Mistake(
        "a + b",
        "shapes that do not broadcast",
        lambda: v() + tg.ones(2),
        ShapeError,
        ("`add`", "(3,)", "(2,)"),
    ),
    Mistake(
        "a + b",
        "two floating types",
        lambda: v() + double(),
        DtypeError,
        ("float32", "float64", ".float()"),
    ),
    Mistake("a - b", "booleans", lambda: (v() > 0) - (v() > 0), DtypeError, ("`sub`", "bool")),
    Mistake(
        "a + number",
        "a number outside the type",
        lambda: tg.tensor([1], dtype=tg.uint8) + 300,
        TinygradRnnError,
        ("300", "uint8"),
    ),
    Mistake(
        "a ** number",
        "integers to a negative power",
        lambda: tg.tensor([2]) ** -1,
        TinygradRnnError,
        ("`pow`",),
    ),
    Mistake("a & b", "floats", lambda: v() & v(), DtypeError, ("`and`", "float32")),
    Mistake(
        "a += b", "a larger result", lambda: add_in_place(v(), m()), ShapeError, ("(2, 3)", "(3,)")
    ),
    Mistake(
        "a += b",
        "a larger recorded result",
        lambda: add_in_place(leaf(3) * 1.0, m()),
        ShapeError,
        ("(2, 3)", "(3,)"),
    ),
    Mistake(
        "a += b",
        "a leaf that requires a gradient",
        lambda: add_in_place(leaf(), 1.0),
        GraphError,
        ("no_grad",),
    ),
    Mistake("maximum", "text", lambda: v().maximum("a"), DtypeError, ("str",)),
    Mistake("eq", "text", lambda: v().eq("a"), DtypeError, ("str",)),
    Mistake(
        "where",
        "a condition of floats",
        lambda: tg.where(v(), v(), v()),
        DtypeError,
        ("booleans", "x > 0"),
    ),
    Mistake("where", "text", lambda: tg.where(v() > 0, "a", v()), DtypeError, ("str",)),
    Mistake(
        "where",
        "shapes that do not broadcast",
        lambda: tg.where(v() > 0, v(), tg.ones(2)),
        ShapeError,
        ("(3,)", "(2,)"),
    ),
    Mistake("clamp", "no limits", lambda: v().clamp(), ArgumentError, ("min", "max")),
    Mistake("clamp", "text", lambda: v().clamp("a"), TinygradRnnError),
    Mistake("exp", "integers", lambda: whole().exp(), DtypeError, ("`exp`", "int64", ".float()")),
    Mistake("tg.exp", "a number", lambda: tg.exp(1.0), DtypeError, ("float",)),
    Mistake("tg.tanh", "an array", lambda: tg.tanh(np.ones(2)), DtypeError, ("ndarray",)),
    Mistake(
        "bool(x)", "several elements", lambda: bool(v()), ShapeError, ("(3,)", "any()", "all()")
    ),
    Mistake("item", "several elements", lambda: v().item(), ShapeError, ("(3,)", "tolist()")),
    Mistake("len(x)", "no axes", lambda: len(tg.tensor(1.0)), ShapeError, ("item()",)),
    Mistake(
        "range(x)", "a float as index", lambda: range(tg.tensor(1.0)), DtypeError, ("float32",)
    ),
    Mistake(
        "numpy",
        "a tensor that requires a gradient",
        lambda: leaf().numpy(),
        GraphError,
        ("detach().numpy()",),
    ),
    Mistake("to", "an unknown type or device", lambda: v().to("cuda"), TinygradRnnError, ("cuda",)),
]

PRODUCTS = [
    Mistake("a @ b", "lengths that do not match", lambda: m() @ m(), ShapeError, ("(2, 3)", ".mT")),
    Mistake(
        "a @ b",
        "two floating types",
        lambda: m() @ double(),
        DtypeError,
        ("float32", "float64", "convert"),
    ),
    Mistake("a @ b", "no axes", lambda: v() @ tg.tensor(1.0), ShapeError, ("axis",)),
    Mistake("matmul", "a number", lambda: tg.matmul(v(), 5), DtypeError, ("int",)),
    Mistake("mm", "a vector", lambda: m().mm(v()), ShapeError, ("`mm`", "(3,)", "matmul")),
    Mistake("bmm", "matrices", lambda: tg.bmm(m(), m()), ShapeError, ("`bmm`", "3 axes")),
    Mistake("dot", "a matrix", lambda: v().dot(m()), ShapeError, ("`dot`", "(2, 3)")),
    Mistake(
        "einsum",
        "too few operands",
        lambda: tg.einsum("i,j", v()),
        ArgumentError,
        ("i,j", "2", "1"),
    ),
    Mistake(
        "einsum",
        "two lengths for one letter",
        lambda: tg.einsum("i,i", v(), tg.ones(2)),
        ShapeError,
        ("axis i", "3", "2"),
    ),
    Mistake("einsum", "a digit", lambda: tg.einsum("i1", m()), ArgumentError, ("i1", "letters")),
    Mistake(
        "einsum",
        "a result letter from nowhere",
        lambda: tg.einsum("i->k", v()),
        ArgumentError,
        ("i->k",),
    ),
    Mistake(
        "einsum", "another number of axes", lambda: tg.einsum("ij", v()), ShapeError, ("ij", "(3,)")
    ),
    Mistake("einsum", "an array", lambda: tg.einsum("i", np.ones(2)), DtypeError, ("ndarray",)),
    Mistake("einsum", "no equation", lambda: tg.einsum(5, v()), TinygradRnnError, ("5",)),
]

SHAPES = [
    Mistake(
        "reshape", "another number of elements", lambda: m().reshape(4), ShapeError, ("(2, 3)", "4")
    ),
    Mistake("reshape", "-1 twice", lambda: m().reshape(-1, -1), ShapeError, ("(-1, -1)",)),
    Mistake("reshape", "text", lambda: m().reshape("a"), ArgumentError, ("integers",)),
    Mistake("permute", "an axis twice", lambda: m().permute(0, 0), ShapeError, ("(0, 0)",)),
    Mistake("permute", "too few axes", lambda: m().permute(0), ShapeError, ("(2, 3)",)),
    Mistake(
        "transpose",
        "an axis that is not there",
        lambda: m().transpose(0, 5),
        OutOfRangeError,
        ("5", "-2..1"),
    ),
    Mistake(
        "t", "more than two axes", lambda: tg.ones(1, 1, 1).t(), ShapeError, ("(1, 1, 1)", "mT")
    ),
    Mistake(
        "expand",
        "an axis longer than 1",
        lambda: m().expand(4, 3),
        ShapeError,
        ("(2, 3)", "(4, 3)"),
    ),
    Mistake("expand", "-1 for a new axis", lambda: v().expand(-1, 3), ShapeError, ("-1",)),
    Mistake("repeat", "too few counts", lambda: m().repeat(2), TinygradRnnError, ("(2, 3)",)),
    Mistake("repeat", "a negative count", lambda: m().repeat(-1, 1), TinygradRnnError, ("-1",)),
    Mistake(
        "flatten",
        "an end before the start",
        lambda: m().flatten(1, 0),
        TinygradRnnError,
        ("1", "0"),
    ),
    Mistake(
        "unsqueeze",
        "an axis that is not there",
        lambda: m().unsqueeze(5),
        OutOfRangeError,
        ("5", "-3..2"),
    ),
    Mistake(
        "narrow", "beyond the end", lambda: v().narrow(0, 2, 5), TinygradRnnError, ("2", "5", "3")
    ),
    Mistake("narrow", "a negative length", lambda: v().narrow(0, 0, -1), TinygradRnnError, ("-1",)),
    Mistake("split", "pieces of nothing", lambda: m().split(0), ArgumentError, ("0",)),
    Mistake(
        "split", "sizes that do not add up", lambda: m().split([1, 2]), ShapeError, ("(1, 2)", "2")
    ),
    Mistake("split", "a negative size", lambda: m().split([3, -1]), TinygradRnnError, ("-1",)),
    Mistake("split", "half a size", lambda: m().split(1.5), TinygradRnnError, ("1.5",)),
    Mistake("chunk", "no pieces", lambda: m().chunk(0), ArgumentError, ("0",)),
    Mistake("unbind", "no axes", lambda: tg.tensor(1.0).unbind(), TinygradRnnError),
    Mistake("flip", "an axis twice", lambda: m().flip(0, 0), ArgumentError, ("(0, 0)",)),
    Mistake("cat", "nothing", lambda: tg.cat([]), ArgumentError, ("at least one",)),
    Mistake("cat", "other lengths", lambda: tg.cat([v(), m()]), ShapeError, ("(3,)", "(2, 3)")),
    Mistake(
        "cat",
        "two types",
        lambda: tg.cat([v(), whole()]),
        DtypeError,
        ("float32", "int64", "convert"),
    ),
    Mistake("cat", "arrays", lambda: tg.cat([np.ones(2)]), DtypeError, ("ndarray", "tensor()")),
    Mistake("stack", "two shapes", lambda: tg.stack([v(), m()]), ShapeError, ("(3,)", "(2, 3)")),
    Mistake("stack", "None", lambda: tg.stack(None), TinygradRnnError, ("None",)),
]

INDEXING = [
    Mistake("x[i]", "beyond the end", lambda: v()[7], OutOfRangeError, ("7", "3")),
    Mistake(
        "x[i]",
        "an index tensor beyond the end",
        lambda: v()[tg.tensor([7])],
        OutOfRangeError,
        ("7", "3"),
    ),
    Mistake("x[i]", "a float", lambda: v()[1.5], DtypeError, ("integers", "float")),
    Mistake("x[i]", "a tensor of floats", lambda: v()[v()], DtypeError, ("float32", ".long()")),
    Mistake("x[i]", "too many indices", lambda: v()[0, 0], OutOfRangeError, ("(3,)",)),
    Mistake(
        "x[mask]",
        "a mask of another length",
        lambda: v()[tg.tensor([True])],
        OutOfRangeError,
        ("(3,)", "(1,)"),
    ),
    Mistake("x[i] = y", "beyond the end", lambda: set_item(7, 1.0), OutOfRangeError, ("7",)),
    Mistake(
        "x[i] = y",
        "an index tensor beyond the end",
        lambda: set_item(tg.tensor([7]), 1.0),
        OutOfRangeError,
        ("7",),
    ),
    Mistake(
        "x[i] = y",
        "a value of another shape",
        lambda: set_item(tg.tensor([0, 1]), tg.ones(5)),
        ShapeError,
        ("(5,)",),
    ),
    Mistake("x[i] = y", "text", lambda: set_item(tg.tensor([0]), "a"), DtypeError),
    Mistake(
        "x[i] = y",
        "another floating type",
        lambda: set_item(tg.tensor([0]), tg.ones(1, dtype=tg.float64)),
        DtypeError,
        ("float64", "float32"),
    ),
    Mistake(
        "x[i] = y",
        "elements of a leaf that requires a gradient",
        lambda: leaf().__setitem__(0, 1.0),
        GraphError,
        ("leaf", "no_grad()"),
    ),
    Mistake(
        "gather",
        "an index with other axes",
        lambda: m().gather(1, tg.tensor([0])),
        ShapeError,
        ("(2, 3)", "(1,)"),
    ),
    Mistake(
        "gather",
        "beyond the end",
        lambda: v().gather(0, tg.tensor([7])),
        OutOfRangeError,
        ("7", "3"),
    ),
    Mistake("gather", "an index of floats", lambda: v().gather(0, v()), DtypeError, ("float32",)),
    Mistake("gather", "a list", lambda: v().gather(0, [0]), DtypeError, ("list",)),
    Mistake(
        "scatter_add",
        "a source smaller than the index",
        lambda: m().scatter_add(1, tg.tensor([[0, 1]]), tg.ones(1, 1)),
        ShapeError,
        ("(1, 2)", "(1, 1)"),
    ),
    Mistake(
        "scatter_add",
        "beyond the end",
        lambda: v().scatter_add(0, tg.tensor([9]), tg.ones(1)),
        OutOfRangeError,
        ("9",),
    ),
    Mistake(
        "scatter_add",
        "another floating type",
        lambda: v().scatter_add(0, tg.tensor([0]), tg.ones(1, dtype=tg.float64)),
        DtypeError,
        ("float64",),
    ),
    Mistake(
        "index_select",
        "an index with two axes",
        lambda: v().index_select(0, tg.tensor([[0]])),
        TinygradRnnError,
        ("(1, 1)",),
    ),
]

REDUCTIONS = [
    Mistake(
        "sum", "an axis that is not there", lambda: m().sum(5), OutOfRangeError, ("5", "-2..1")
    ),
    Mistake("sum", "an axis twice", lambda: m().sum((0, 0)), ArgumentError, ("(0, 0)",)),
    Mistake("sum", "an axis that is no integer", lambda: m().sum("a"), ArgumentError, ("'a'",)),
    Mistake("mean", "integers", lambda: whole().mean(), DtypeError, ("`mean`", ".float()")),
    Mistake("amax", "nothing to reduce", lambda: tg.zeros(0).amax(), ShapeError, ("`amax`",)),
    Mistake("argmax", "nothing to reduce", lambda: tg.zeros(0).argmax(), ShapeError, ("`argmax`",)),
    Mistake(
        "softmax", "integers", lambda: whole().softmax(0), DtypeError, ("`softmax`", ".float()")
    ),
    Mistake(
        "cumsum",
        "an axis that is not there",
        lambda: v().cumsum(3),
        OutOfRangeError,
        ("3", "-1..0"),
    ),
    Mistake("topk", "more than there are", lambda: tg.topk(v(), 9), ArgumentError, ("9", "3")),
    Mistake("topk", "half an element", lambda: tg.topk(v(), 1.5), TinygradRnnError, ("1.5",)),
    Mistake("size", "an axis that is not there", lambda: m().size(5), OutOfRangeError, ("5",)),
]

GRAPH = [
    Mistake(
        "backward",
        "nothing was recorded",
        lambda: v().sum().backward(),
        GraphError,
        ("requires_grad=True", "no_grad"),
    ),
    Mistake(
        "backward",
        "no inputs",
        lambda: leaf().sum().backward(inputs=[]),
        ArgumentError,
        ("leave them out",),
    ),
    Mistake(
        "backward",
        "several elements and no gradient",
        lambda: (leaf() * 1.0).backward(),
        ShapeError,
        ("(2,)", "sum()", "gradient="),
    ),
    Mistake(
        "backward",
        "a gradient of another shape",
        lambda: (leaf() * 1.0).backward(v()),
        ShapeError,
        ("(3,)", "(2,)"),
    ),
    Mistake(
        "backward",
        "a gradient of another type",
        lambda: (leaf() * 1.0).backward(tg.ones(2, dtype=tg.float64)),
        DtypeError,
        ("float64", "float32"),
    ),
    Mistake(
        "backward",
        "a number as gradient",
        lambda: leaf().sum().backward(1.0),
        DtypeError,
        ("float",),
    ),
    Mistake("backward", "a second time", released, GraphError, ("retain_graph=True",)),
    Mistake(
        "backward",
        "into a window that an earlier one released",
        carried,
        GraphError,
        ("`tanh`", "(2,)", "detach"),
    ),
    Mistake(
        "backward",
        "an input was overwritten",
        overwritten,
        GraphError,
        ("`mul`", "overwritten", "clone()"),
    ),
    Mistake(
        "backward",
        "an input that requires no gradient",
        lambda: leaf().sum().backward(inputs=[v()]),
        GraphError,
        ("requires no gradient",),
    ),
    Mistake(
        "grad", "an output that is no tensor", lambda: tg.grad(5, leaf()), DtypeError, ("int",)
    ),
    Mistake(
        "grad",
        "an input that requires no gradient",
        lambda: tg.grad(leaf().sum(), v()),
        GraphError,
        ("requires_grad=True",),
    ),
    Mistake(
        "grad",
        "an unused input",
        lambda: tg.grad(leaf().sum(), leaf(4)),
        GraphError,
        ("(4,)", "allow_unused=True"),
    ),
    Mistake(
        "grad",
        "too many gradients of outputs",
        lambda: tg.grad(leaf().sum(), leaf(), [v(), v()]),
        ShapeError,
        ("1", "2"),
    ),
    Mistake(
        "grad",
        "text as gradient",
        lambda: (lambda x: tg.grad(x.sum(), x, "a"))(leaf()),
        TinygradRnnError,
    ),
    Mistake(
        "requires_grad",
        "integers",
        lambda: whole().requires_grad_(),
        DtypeError,
        ("int64", ".float()"),
    ),
    Mistake(
        "requires_grad",
        "a computed tensor",
        lambda: (leaf() * 1.0).requires_grad_(False),
        GraphError,
        ("detach()",),
    ),
    Mistake(
        "x.grad = g", "a number", lambda: set_attribute(leaf(), "grad", 5), DtypeError, ("int",)
    ),
    Mistake(
        "retain_grad",
        "a tensor without gradient",
        lambda: v().retain_grad(),
        GraphError,
        ("requires no gradient",),
    ),
    Mistake(
        "register_hook",
        "a tensor without gradient",
        lambda: v().register_hook(print),
        GraphError,
        ("hook",),
    ),
    Mistake(
        "register_hook", "not a function", lambda: leaf().register_hook(5), TinygradRnnError, ("5",)
    ),
    Mistake(
        "register_hook",
        "a replacement of another shape",
        lambda: hooked(v()),
        GraphError,
        ("(3,)", "(2,)"),
    ),
    Mistake(
        "register_hook",
        "a replacement that is no tensor",
        lambda: hooked(3.0),
        GraphError,
        ("hook", "float"),
    ),
    Mistake("assign", "another shape", lambda: v().assign(m()), ShapeError, ("(2, 3)", "(3,)")),
    Mistake(
        "assign",
        "another floating type",
        lambda: v().assign(double()),
        DtypeError,
        ("float64", "float32", ".to("),
    ),
    Mistake("assign", "while recording", lambda: leaf().assign(0.0), GraphError, ("no_grad",)),
    Mistake(
        "assign", "a value with history", lambda: v().assign(leaf(3)), GraphError, ("detach()",)
    ),
    Mistake(
        "assign",
        "an expanded view",
        lambda: tg.ones(1).expand(3).assign(2.0),
        ShapeError,
        ("read-only", "clone()"),
    ),
    Mistake(
        "jacobian",
        "a function without tensor as result",
        lambda: tg.jacobian(lambda x: 3, v()),
        DtypeError,
        ("int",),
    ),
    Mistake(
        "jacobian",
        "integers",
        lambda: tg.jacobian(lambda x: x, whole()),
        DtypeError,
        ("int64", ".float()"),
    ),
    Mistake(
        "jacobian",
        "an array",
        lambda: tg.jacobian(lambda x: x, np.ones(2)),
        DtypeError,
        ("float64",),
    ),
    Mistake(
        "hvp",
        "a function with several results",
        lambda: tg.hvp(lambda x: x, v(), v()),
        ShapeError,
        ("(3,)",),
    ),
    Mistake(
        "hvp",
        "a vector of another shape",
        lambda: tg.hvp(lambda x: x.sum(), v(), m()),
        ShapeError,
        ("(2, 3)", "(3,)"),
    ),
    Mistake(
        "checkpoint",
        "a function without tensor as result",
        lambda: tg.checkpoint(lambda x: 3, leaf()),
        DtypeError,
        ("int",),
    ),
    Mistake(
        "gradcheck",
        "float32",
        lambda: tg.gradcheck(lambda x: x, leaf()),
        DtypeError,
        ("float32", "float64", ".double()"),
    ),
    Mistake(
        "gradcheck",
        "nothing to check",
        lambda: tg.gradcheck(lambda x: x, double()),
        ArgumentError,
        ("requires a gradient",),
    ),
    Mistake(
        "gradcheck",
        "order 0",
        lambda: tg.gradcheck(lambda x: x, double().requires_grad_(), order=0),
        ArgumentError,
        ("0",),
    ),
    Mistake(
        "gradcheck",
        "a function without tensor as result",
        lambda: tg.gradcheck(lambda x: 3, double().requires_grad_()),
        DtypeError,
        ("int",),
    ),
    Mistake(
        "gradcheck",
        "a wrong gradient",
        lambda: tg.gradcheck(wrong_gradient, double().requires_grad_()),
        GradcheckError,
        ("input 0", "element [0]"),
    ),
    Mistake("grad", "no inputs", lambda: tg.grad(leaf().sum(), []), ArgumentError, ("input",)),
    Mistake(
        "grad",
        "a number as gradient of the output",
        lambda: tg.grad(leaf(), leaf(), 3),
        DtypeError,
        ("grad", "int"),
    ),
    Mistake("jacobian", "no function", lambda: tg.jacobian(3, leaf()), ArgumentError, ("3",)),
    Mistake("jacobian", "a number as input", lambda: tg.jacobian(tg.exp, 3), DtypeError, ("int",)),
    Mistake("hvp", "a number as v", lambda: tg.hvp(tg.sum, leaf(), 3), DtypeError, ("int",)),
    Mistake(
        "hvp", "a list of numbers as v", lambda: tg.hvp(tg.sum, leaf(), [3]), DtypeError, ("v",)
    ),
    Mistake(
        "autograd.functional.hessian",
        "a number as input",
        lambda: hessian(tg.sum, 3),
        DtypeError,
        ("int",),
    ),
    Mistake("checkpoint", "no function", lambda: tg.checkpoint(3, leaf()), ArgumentError, ("3",)),
    Mistake("gradcheck", "no function", lambda: tg.gradcheck(3, leaf()), ArgumentError, ("3",)),
    Mistake(
        "gradcheck", "a number as input", lambda: tg.gradcheck(tg.exp, 3), DtypeError, ("int",)
    ),
    Mistake(
        "gradcheck",
        "a function that returns numbers",
        lambda: tg.gradcheck(lambda x: [3], leaf().double().detach().requires_grad_()),
        DtypeError,
        ("int",),
    ),
    Mistake(
        "gradcheck",
        "a step of 0",
        lambda: tg.gradcheck(tg.exp, leaf(), eps=0.0),
        ArgumentError,
        ("eps", "0.0"),
    ),
]

LAYERS = [
    Mistake("Linear", "no inputs", lambda: nn.Linear(0, 2), ArgumentError, ("in_features", "0")),
    Mistake(
        "Linear",
        "an input of another length",
        lambda: nn.Linear(2, 2)(v()),
        ShapeError,
        ("(3,)", "(2, 2)"),
    ),
    Mistake(
        "Linear",
        "another floating type",
        lambda: nn.Linear(3, 2)(double()),
        DtypeError,
        ("float64", "float32", ".to("),
    ),
    Mistake(
        "functional.linear",
        "a bias of another length",
        lambda: functional.linear(v(), m(), v()),
        ShapeError,
        ("(3,)",),
    ),
    Mistake(
        "Embedding",
        "a padding index that is no row",
        lambda: nn.Embedding(3, 2, 7),
        ArgumentError,
        ("7", "3"),
    ),
    Mistake(
        "Embedding",
        "an index that is no row",
        lambda: nn.Embedding(3, 2)(tg.tensor([5])),
        OutOfRangeError,
        ("5", "0..2"),
    ),
    Mistake(
        "Embedding", "floats", lambda: nn.Embedding(3, 2)(v()), DtypeError, ("float32", ".long()")
    ),
    Mistake("Embedding", "a list", lambda: nn.Embedding(3, 2)([0]), DtypeError, ("list",)),
    Mistake("Dropout", "a probability above 1", lambda: nn.Dropout(2.0), ArgumentError, ("2.0",)),
    Mistake("Dropout", "text", lambda: nn.Dropout("a"), TinygradRnnError),
    Mistake(
        "functional.dropout",
        "integers",
        lambda: functional.dropout(whole()),
        DtypeError,
        ("dropout", "int64"),
    ),
    Mistake(
        "functional.pad",
        "negative widths",
        lambda: functional.pad(v(), (-1, 0)),
        ArgumentError,
        ("(-1, 0)",),
    ),
    Mistake("functional.pad", "a number", lambda: functional.pad(v(), 3), TinygradRnnError, ("3",)),
    Mistake(
        "functional.gelu",
        "an unknown approximation",
        lambda: functional.gelu(v(), "x"),
        ArgumentError,
        ("'x'", "'tanh'"),
    ),
    Mistake(
        "functional.one_hot",
        "an index beyond the classes",
        lambda: functional.one_hot(tg.tensor([5]), 3),
        TinygradRnnError,
        ("5", "3"),
    ),
    Mistake(
        "functional.one_hot", "floats", lambda: functional.one_hot(v()), DtypeError, ("float32",)
    ),
    Mistake(
        "mse_loss",
        "two shapes",
        lambda: functional.mse_loss(v(), m()),
        ShapeError,
        ("(3,)", "(2, 3)", "reshape"),
    ),
    Mistake(
        "mse_loss",
        "an unknown reduction",
        lambda: functional.mse_loss(v(), v(), "x"),
        ArgumentError,
        ("'mean'", "'x'"),
    ),
    Mistake(
        "cross_entropy",
        "targets of another shape",
        lambda: functional.cross_entropy(m(), tg.tensor([0])),
        ShapeError,
        ("(2, 3)", "(2,)", "(1,)"),
    ),
    Mistake(
        "cross_entropy",
        "a target that is no class",
        lambda: functional.cross_entropy(m(), tg.tensor([0, 7])),
        OutOfRangeError,
        ("7", "0..2"),
    ),
    Mistake(
        "cross_entropy",
        "targets that are floats",
        lambda: functional.cross_entropy(m(), tg.ones(2)),
        DtypeError,
        ("float32", ".long()"),
    ),
    Mistake(
        "cross_entropy",
        "targets in an array",
        lambda: functional.cross_entropy(m(), np.array([0, 1])),
        DtypeError,
        ("ndarray",),
    ),
    Mistake(
        "cross_entropy",
        "weights of another length",
        lambda: functional.cross_entropy(m(), whole(), weight=tg.ones(2)),
        ShapeError,
        ("(3,)", "(2,)"),
    ),
    Mistake(
        "cross_entropy",
        "smoothing above 1",
        lambda: functional.cross_entropy(m(), whole(), label_smoothing=2.0),
        ArgumentError,
        ("2",),
    ),
    Mistake(
        "cross_entropy",
        "an unknown reduction",
        lambda: functional.cross_entropy(m(), whole(), reduction="x"),
        ArgumentError,
        ("'x'",),
    ),
    Mistake(
        "init.orthogonal_",
        "a vector",
        lambda: init.orthogonal_(v()),
        ShapeError,
        ("matrix", "(3,)"),
    ),
    Mistake("init.zeros_", "an array", lambda: init.zeros_(np.ones(2)), DtypeError, ("ndarray",)),
    Mistake(
        "clip_grad_norm_",
        "a limit of 0",
        lambda: nn.utils.clip_grad_norm_([parameter()], 0.0),
        ArgumentError,
        ("max_norm", "0"),
    ),
    Mistake(
        "clip_grad_norm_",
        "a module",
        lambda: nn.utils.clip_grad_norm_(nn.Linear(1, 1), 1.0),
        TinygradRnnError,
        ("parameters()",),
    ),
    Mistake(
        "clip_grad_norm_",
        "a gradient that is not finite",
        not_finite,
        NumericalError,
        ("nan", "learning rate"),
    ),
    Mistake(
        "clip_grad_value_",
        "a negative limit",
        lambda: nn.utils.clip_grad_value_([parameter()], -1.0),
        ArgumentError,
        ("-1",),
    ),
    Mistake(
        "clip_grad_norm_",
        "a list of numbers",
        lambda: nn.utils.clip_grad_norm_([3], 1.0),
        ArgumentError,
        ("int", "model.parameters()"),
    ),
    Mistake(
        "clip_grad_norm_",
        "text as bound",
        lambda: nn.utils.clip_grad_norm_([parameter()], "a"),
        ArgumentError,
        ("max_norm", "'a'"),
    ),
    Mistake(
        "clip_grad_value_",
        "text as bound",
        lambda: nn.utils.clip_grad_value_([parameter()], "a"),
        ArgumentError,
        ("clip_value", "'a'"),
    ),
    Mistake(
        "get_total_norm", "a number", lambda: nn.utils.get_total_norm(3), ArgumentError, ("int",)
    ),
    Mistake(
        "parameters_to_vector",
        "a number",
        lambda: nn.utils.parameters_to_vector(3),
        ArgumentError,
        ("int", "model.parameters()"),
    ),
    Mistake(
        "vector_to_parameters",
        "a list as vector",
        lambda: nn.utils.vector_to_parameters([1.0, 2.0], [parameter()]),
        DtypeError,
        ("list",),
    ),
]

MODULES = [
    Mistake(
        "Module",
        "a parameter before super().__init__()",
        assigned_too_early,
        ArgumentError,
        ("super().__init__()", "weight"),
    ),
    Mistake(
        "Module",
        "a tensor in place of a parameter",
        lambda: set_attribute(nn.Linear(2, 2), "weight", m()),
        ArgumentError,
        ("'weight'", "Parameter"),
    ),
    Mistake(
        "Module",
        "a number in place of a module",
        lambda: set_attribute(nn.Sequential(nn.Tanh()), "0", 5),
        TinygradRnnError,
        ("0",),
    ),
    Mistake("Module.to", "integers", lambda: nn.Linear(2, 2).to(tg.int64), DtypeError, ("int64",)),
    Mistake(
        "Module.to",
        "an unknown type or device",
        lambda: nn.Linear(2, 2).to("cuda"),
        TinygradRnnError,
        ("cuda",),
    ),
    Mistake(
        "Parameter", "integers", lambda: nn.Parameter(whole()), DtypeError, ("int64", ".float()")
    ),
    Mistake(
        "register_parameter",
        "a plain tensor",
        lambda: nn.Module().register_parameter("a", v()),
        TinygradRnnError,
        ("Parameter",),
    ),
    Mistake(
        "register_buffer",
        "a number",
        lambda: nn.Module().register_buffer("a", 5),
        TinygradRnnError,
        ("int",),
    ),
    Mistake(
        "add_module", "a number", lambda: nn.Module().add_module("a", 5), TinygradRnnError, ("int",)
    ),
    Mistake(
        "Sequential", "a function", lambda: nn.Sequential(print), TinygradRnnError, ("Module",)
    ),
    Mistake(
        "load_state_dict",
        "other names and shapes",
        lambda: nn.Linear(2, 2).load_state_dict({"weight": m(), "gain": v()}),
        StateDictError,
        ("missing: bias", "unexpected: gain", "(2, 2)", "(2, 3)"),
    ),
    Mistake(
        "load_state_dict",
        "another floating type",
        lambda: nn.Linear(1, 1).load_state_dict({"weight": np.ones((1, 1)), "bias": np.ones(1)}),
        StateDictError,
        ("float64", ".double()"),
    ),
    Mistake(
        "load_state_dict",
        "no dict",
        lambda: nn.Linear(2, 2).load_state_dict(None),
        TinygradRnnError,
    ),
    Mistake(
        "load_state_dict",
        "text as value",
        lambda: nn.Linear(1, 1, bias=False).load_state_dict({"weight": "a"}),
        TinygradRnnError,
    ),
    Mistake(
        "RNN",
        "an unknown nonlinearity",
        lambda: nn.RNN(2, 2, nonlinearity="x"),
        ArgumentError,
        ("'x'", "'relu'"),
    ),
    Mistake("RNN", "no layers", lambda: nn.RNN(2, 2, 0), ArgumentError, ("num_layers", "0")),
    Mistake(
        "LSTM",
        "another number of features",
        lambda: nn.LSTM(2, 2)(tg.ones(3, 1, 5)),
        ShapeError,
        ("2", "5", "(3, 1, 5)"),
    ),
    Mistake(
        "LSTM", "too few axes", lambda: nn.LSTM(2, 2)(tg.ones(2)), ShapeError, ("(2,)", "time")
    ),
    Mistake(
        "LSTM",
        "another floating type",
        lambda: nn.LSTM(2, 2)(tg.ones(3, 1, 2, dtype=tg.float64)),
        DtypeError,
        ("float64", ".double()"),
    ),
    Mistake(
        "LSTM",
        "h without c",
        lambda: nn.LSTM(2, 2)(tg.ones(3, 1, 2), tg.zeros(1, 1, 2)),
        TinygradRnnError,
        ("(1, 1, 2)",),
    ),
    Mistake(
        "LSTM",
        "a state of another batch size",
        lambda: nn.LSTM(2, 2)(tg.ones(3, 1, 2), (tg.zeros(1, 5, 2), tg.zeros(1, 5, 2))),
        ShapeError,
        ("(1, 5, 2)", "(1, 1, 2)"),
    ),
    Mistake(
        "LSTM",
        "a state laid out batch first",
        lambda: nn.LSTM(2, 2, batch_first=True)(
            tg.ones(3, 4, 2), (tg.zeros(3, 1, 2), tg.zeros(3, 1, 2))
        ),
        ShapeError,
        ("batch_first does not change",),
    ),
    Mistake(
        "LSTM",
        "a state of another type",
        lambda: nn.LSTM(2, 2)(tg.ones(3, 1, 2), (tg.zeros(1, 1, 2, dtype=tg.float64),) * 2),
        DtypeError,
        ("float64", "float32"),
    ),
    Mistake(
        "LSTM",
        "text as state",
        lambda: nn.LSTM(2, 2)(tg.ones(3, 1, 2), "a"),
        TinygradRnnError,
        ("str",),
    ),
    Mistake(
        "GRUCell",
        "another number of features",
        lambda: nn.GRUCell(2, 2)(tg.ones(3, 5)),
        ShapeError,
        ("(3, 5)", "2"),
    ),
    Mistake(
        "GRUCell",
        "a state of another batch size",
        lambda: nn.GRUCell(2, 2)(tg.ones(3, 2), tg.zeros(2, 2)),
        ShapeError,
        ("(3, 2)", "(2, 2)"),
    ),
    Mistake(
        "Recurrent",
        "a function without input_size",
        lambda: nn.Recurrent(lambda n: nn.RNNCell(n, 2)),
        ArgumentError,
        ("input_size",),
    ),
    Mistake("Recurrent", "no cells", lambda: nn.Recurrent([]), ArgumentError, ("0",)),
    Mistake(
        "Recurrent",
        "an odd number of cells for two directions",
        lambda: nn.Recurrent([nn.RNNCell(2, 2)], bidirectional=True),
        ArgumentError,
        ("2",),
    ),
    Mistake(
        "Recurrent",
        "one cell in two places",
        lambda: (lambda c: nn.Recurrent([c, c]))(nn.RNNCell(2, 2)),
        ArgumentError,
        ("twice",),
    ),
    Mistake(
        "Recurrent",
        "a cell that is no module",
        lambda: nn.Recurrent([5]),
        TinygradRnnError,
        ("int",),
    ),
    Mistake(
        "Recurrent",
        "a cell that says nothing of its state",
        lambda: nn.Recurrent(nn.Linear(2, 2)),
        ArgumentError,
        ("Linear", "initial_state", "hidden_size"),
    ),
    Mistake(
        "Recurrent",
        "a cell that returns one thing",
        lambda: cell_that_returns(tg.ones(1, 2)),
        ArgumentError,
        ("Cell", "(output, state)", "Tensor"),
    ),
    Mistake(
        "Recurrent",
        "a cell that returns None",
        lambda: cell_that_returns((None, None)),
        TinygradRnnError,
        ("Cell", "None"),
    ),
    Mistake(
        "detach_state", "a number", lambda: nn.detach_state(5), ArgumentError, ("int", "tuple")
    ),
]

OPTIMIZERS = [
    Mistake("SGD", "no parameters", lambda: optim.SGD([]), ArgumentError, ("model.parameters()",)),
    Mistake(
        "SGD", "a module", lambda: optim.SGD(nn.Linear(2, 2)), TinygradRnnError, ("parameters()",)
    ),
    Mistake("SGD", "an array", lambda: optim.SGD([np.ones(2)]), ArgumentError, ("ndarray",)),
    Mistake(
        "SGD", "a computed tensor", lambda: optim.SGD([leaf() * 1.0]), ArgumentError, ("leaves",)
    ),
    Mistake("SGD", "integers", lambda: optim.SGD([whole()]), TinygradRnnError, ("int64",)),
    Mistake(
        "SGD",
        "a parameter twice",
        lambda: (lambda p: optim.SGD([p, p]))(parameter()),
        ArgumentError,
        ("twice",),
    ),
    Mistake(
        "SGD",
        "a negative learning rate",
        lambda: optim.SGD([parameter()], lr=-1.0),
        ArgumentError,
        ("lr", "-1"),
    ),
    Mistake(
        "SGD",
        "text as learning rate",
        lambda: optim.SGD([parameter()], lr="a"),
        TinygradRnnError,
        ("lr",),
    ),
    Mistake(
        "SGD",
        "a setting that it does not have",
        lambda: optim.SGD([{"params": [parameter()], "foo": 1}]),
        ArgumentError,
        ("foo", "momentum"),
    ),
    Mistake(
        "SGD",
        "a group without parameters",
        lambda: optim.SGD([{"lr": 1.0}]),
        ArgumentError,
        ("params",),
    ),
    Mistake(
        "SGD",
        "nesterov without momentum",
        lambda: optim.SGD([parameter()], nesterov=True),
        ArgumentError,
        ("momentum",),
    ),
    Mistake(
        'group["lr"] = x',
        "text as learning rate",
        lambda: set_learning_rate(sgd(), "a"),
        ArgumentError,
        ("lr", "'a'"),
    ),
    Mistake(
        'group["lr"] = x',
        "several numbers",
        lambda: set_learning_rate(sgd(), v()),
        ShapeError,
        ("(3,)", "()"),
    ),
    Mistake(
        "Adam",
        "a beta of 1",
        lambda: optim.Adam([parameter()], betas=(1.0, 0.9)),
        ArgumentError,
        ("betas", "(1.0, 0.9)"),
    ),
    Mistake(
        "Adam",
        "one beta",
        lambda: optim.Adam([parameter()], betas=(0.9,)),
        TinygradRnnError,
        ("betas",),
    ),
    Mistake(
        "RMSprop",
        "a negative alpha",
        lambda: optim.RMSprop([parameter()], alpha=-1.0),
        ArgumentError,
        ("alpha",),
    ),
    Mistake(
        "Adagrad",
        "a negative start",
        lambda: optim.Adagrad([parameter()], initial_accumulator_value=-1.0),
        ArgumentError,
        ("initial_accumulator_value",),
    ),
    Mistake(
        "Optimizer.load_state_dict",
        "an empty dict",
        lambda: sgd().load_state_dict({}),
        StateDictError,
        ("param_groups",),
    ),
    Mistake(
        "Optimizer.load_state_dict",
        "another number of parameters",
        lambda: sgd().load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}),
        StateDictError,
        ("[1]", "[2]"),
    ),
    Mistake(
        "Optimizer.load_state_dict",
        "state of another shape",
        lambda: sgd().load_state_dict(state(momentum_buffer=tg.ones(4))),
        StateDictError,
        ("momentum_buffer", "(4,)", "(2,)"),
    ),
    Mistake(
        "Optimizer.load_state_dict",
        "state of an unknown parameter",
        lambda: sgd().load_state_dict({"state": {5: {}}, "param_groups": [{"params": [0]}]}),
        StateDictError,
        ("5",),
    ),
    Mistake(
        "Optimizer.load_state_dict",
        "a negative learning rate",
        lambda: sgd().load_state_dict({"state": {}, "param_groups": [{"params": [0], "lr": -1.0}]}),
        TinygradRnnError,
        ("lr",),
    ),
    Mistake(
        "ExponentialLR",
        "gamma 0",
        lambda: optim.ExponentialLR(sgd(), 0.0),
        ArgumentError,
        ("gamma",),
    ),
    Mistake(
        "ExponentialLR",
        "no optimizer",
        lambda: optim.ExponentialLR(5, 0.5),
        TinygradRnnError,
        ("int",),
    ),
    Mistake(
        "LambdaLR", "no function", lambda: optim.LambdaLR(sgd(), 0.5), TinygradRnnError, ("0.5",)
    ),
    Mistake(
        "LambdaLR.load_state_dict",
        "an empty dict",
        lambda: optim.ExponentialLR(sgd(), 0.5).load_state_dict({}),
        TinygradRnnError,
        ("base_lrs",),
    ),
]

TEXT = [
    Mistake("Vocabulary", "no symbols", lambda: Vocabulary(""), ArgumentError, ("at least one",)),
    Mistake("Vocabulary", "a number", lambda: Vocabulary(5), DtypeError, ("strings", "5")),
    Mistake("Vocabulary", "a symbol twice", lambda: Vocabulary("aba"), ArgumentError, ("'a'",)),
    Mistake(
        "Vocabulary",
        "a symbol of two characters",
        lambda: Vocabulary(["ab"]),
        ArgumentError,
        ("one character", "'ab'"),
    ),
    Mistake(
        "Vocabulary",
        "an unknown level",
        lambda: Vocabulary("ab", "letter"),
        ArgumentError,
        ("'letter'", "word"),
    ),
    Mistake(
        "Vocabulary",
        "words without the marker of unknown ones",
        lambda: Vocabulary(["be"], "word"),
        ArgumentError,
        ("<unk>", "from_text"),
    ),
    Mistake(
        "Vocabulary",
        "symbols for bytes",
        lambda: Vocabulary("ab", "byte"),
        ArgumentError,
        ("256", 'level="byte"'),
    ),
    Mistake(
        "Vocabulary.from_text",
        "an empty text",
        lambda: Vocabulary.from_text(""),
        DataError,
        ("empty",),
    ),
    Mistake(
        "Vocabulary.from_text", "None", lambda: Vocabulary.from_text(None), DtypeError, ("None",)
    ),
    Mistake(
        "Vocabulary.from_text",
        "bytes",
        lambda: Vocabulary.from_text(b"abc"),
        DtypeError,
        ("bytes", "decode"),
    ),
    Mistake(
        "Vocabulary.from_text",
        "half a count",
        lambda: Vocabulary.from_text("abc", min_count=1.5),
        ArgumentError,
        ("min_count", "1.5"),
    ),
    Mistake(
        "Vocabulary.index",
        "a symbol that it does not hold",
        lambda: letters().index("z"),
        VocabularyError,
        ("'z'", "U+007A", "in vocabulary"),
    ),
    Mistake("Vocabulary.index", "a number", lambda: letters().index(5), VocabularyError, ("no 5",)),
    Mistake(
        "Vocabulary.encode",
        "an unknown character",
        lambda: letters().encode("ab\nc☃"),
        VocabularyError,
        ("'\\n'", "U+000A", "line 1", "column 3", "skip", "replace"),
    ),
    Mistake(
        "Vocabulary.encode",
        "bytes",
        lambda: letters().encode(b"abc"),
        DtypeError,
        ("bytes", "decode"),
    ),
    Mistake(
        "Vocabulary.encode",
        "another way with unknown symbols",
        lambda: letters().encode("z", "drop"),
        ArgumentError,
        ("'drop'", "skip"),
    ),
    Mistake(
        "Vocabulary.encode",
        "nothing to put in the place of unknown symbols",
        lambda: letters().encode("z", "replace"),
        VocabularyError,
        ("replacement=",),
    ),
    Mistake(
        "Vocabulary.encode_chunks",
        "a number",
        lambda: letters().encode_chunks(5),
        DtypeError,
        ("5",),
    ),
    Mistake(
        "Vocabulary.decode",
        "a number that it does not hold",
        lambda: letters().decode([0, 9]),
        OutOfRangeError,
        ("9", "position 1", "0 … 2"),
    ),
    Mistake(
        "Vocabulary.decode", "floats", lambda: letters().decode([0.5]), DtypeError, ("float64",)
    ),
    Mistake(
        "Vocabulary.decode",
        "several rows",
        lambda: letters().decode([[0], [1]]),
        ArgumentError,
        ("(2, 1)", "row by row"),
    ),
    Mistake(
        "Vocabulary.decode_bytes",
        "rows of unequal length",
        lambda: letters().decode_bytes([[0], [0, 1]]),
        DtypeError,
        ("differ in length",),
    ),
    Mistake(
        "Vocabulary.from_json",
        "an empty object",
        lambda: Vocabulary.from_json({}),
        VocabularyError,
        ("level", "symbols"),
    ),
    Mistake(
        "Vocabulary.from_json",
        "a number as symbol",
        lambda: Vocabulary.from_json({"level": "char", "symbols": ["a", 5]}),
        VocabularyError,
        ("symbol 1", "5"),
    ),
    Mistake("find_text", "a number", lambda: find_text(5), ArgumentError, ("5", "pathlib.Path")),
    Mistake(
        "find_text",
        "no such file",
        lambda: in_a_folder(lambda: find_text("input.txt")),
        DataError,
        ("no file", "input.txt"),
    ),
    Mistake(
        "find_text",
        "a folder",
        lambda: in_a_folder(lambda: find_text(".")),
        DataError,
        ("folder",),
    ),
    Mistake(
        "find_text",
        "an empty file",
        lambda: in_a_folder(lambda: find_text("input.txt"), {"input.txt": b""}),
        DataError,
        ("input.txt", "empty"),
    ),
    Mistake(
        "Corpus.read",
        "a file in Latin-1",
        lambda: in_a_folder(lambda: find_text("input.txt").read(), {"input.txt": b"a\ncaf\xe9"}),
        DataError,
        ("0xe9", "offset 5", "line 2", "iconv"),
    ),
    Mistake(
        "Corpus.chunks",
        "chunks of nothing",
        lambda: list(embedded_text().chunks(0)),
        ArgumentError,
        ("chunk_bytes", "0"),
    ),
    Mistake(
        "Corpus.byte_chunks",
        "half a byte",
        lambda: list(embedded_text().byte_chunks(0.5)),
        ArgumentError,
        ("chunk_bytes", "0.5"),
    ),
    Mistake(
        "Corpus.vocabulary",
        "a count of 0",
        lambda: embedded_text().vocabulary("char", 0),
        ArgumentError,
        ("min_count", "0"),
    ),
    Mistake(
        "Corpus.encode",
        "no vocabulary",
        lambda: embedded_text().encode("abc"),
        DtypeError,
        ("str", "corpus.vocabulary()"),
    ),
    Mistake(
        "Corpus.encode",
        "a vocabulary of another text",
        lambda: embedded_text().encode(letters()),
        VocabularyError,
        ("line 1", "skip"),
    ),
    Mistake(
        "split", "two shares", lambda: split([1, 2], (0.5, 0.5)), ArgumentError, ("(0.5, 0.5)",)
    ),
    Mistake("split", "one number", lambda: split([1, 2], 0.5), ArgumentError, ("three", "0.5")),
    Mistake("split", "a matrix", lambda: split([[1, 2]]), ShapeError, ("(1, 2)",)),
    Mistake(
        "Streams",
        "a text that is too short",
        lambda: Streams(range(9), 2, 5),
        DataError,
        ("9 symbols", "11", "batch_size to 1", "window to 4"),
    ),
    Mistake("Streams", "floats", lambda: Streams([0.5, 1.5], 1, 1), DtypeError, ("float64",)),
    Mistake(
        "Streams",
        "rows of unequal length",
        lambda: Streams([[1], [1, 2]], 1, 1),
        DtypeError,
        ("differ in length",),
    ),
    Mistake("Streams", "no rows", lambda: Streams(range(9), 0, 2), ArgumentError, ("batch_size",)),
    Mistake(
        "Streams",
        "more windows than there are",
        lambda: Streams(range(9), 2, 2, windows=3),
        ArgumentError,
        ("3", "has 2"),
    ),
    Mistake(
        "Streams.load_state_dict",
        "None",
        lambda: Streams(range(9), 2, 2).load_state_dict(None),
        CheckpointError,
        ("NoneType",),
    ),
    Mistake(
        "Streams.load_state_dict",
        "an empty dict",
        lambda: Streams(range(9), 2, 2).load_state_dict({}),
        CheckpointError,
        ("epoch", "position"),
    ),
    Mistake(
        "Streams.load_state_dict",
        "the place in another text",
        lambda: Streams(range(9), 2, 2).load_state_dict(Streams(range(8), 2, 2).state_dict()),
        CheckpointError,
        ("length", "8", "9", "same text"),
    ),
    Mistake(
        "evaluation_windows",
        "one symbol",
        lambda: evaluation_windows([1], 5),
        DataError,
        ("1 symbols", "2"),
    ),
    Mistake(
        "evaluation_windows",
        "windows of nothing",
        lambda: evaluation_windows([1, 2], 0),
        ArgumentError,
        ("window", "0"),
    ),
]

LANGUAGE_MODELS = [
    Mistake(
        "RecurrentLanguageModel",
        "an unknown kind",
        lambda: lm.RecurrentLanguageModel(3, "transformer"),
        ArgumentError,
        ("'transformer'", "'lstm'"),
    ),
    Mistake(
        "RecurrentLanguageModel",
        "no symbols",
        lambda: lm.RecurrentLanguageModel(0),
        ArgumentError,
        ("vocabulary_size", "0"),
    ),
    Mistake(
        "RecurrentLanguageModel",
        "a dropout above 1",
        lambda: lm.RecurrentLanguageModel(3, dropout=2.0),
        ArgumentError,
        ("2.0",),
    ),
    Mistake(
        "RecurrentLanguageModel",
        "text as dropout",
        lambda: lm.RecurrentLanguageModel(3, dropout="a"),
        ArgumentError,
        ("dropout", "'a'"),
    ),
    Mistake(
        "RecurrentLanguageModel",
        "a cell that says nothing of its state",
        lambda: lm.RecurrentLanguageModel(3, lambda n: nn.Linear(n, 2)),
        ArgumentError,
        ("Linear", "hidden_size"),
    ),
    Mistake(
        "RecurrentLanguageModel(...)(ids)",
        "an array",
        lambda: language_model()(np.zeros((2, 1), dtype=np.int64)),
        DtypeError,
        ("ndarray", "from_numpy"),
    ),
    Mistake(
        "RecurrentLanguageModel(...)(ids)",
        "a single row",
        lambda: language_model()(whole()),
        ShapeError,
        ("(2,)", "unsqueeze(1)"),
    ),
    Mistake(
        "RecurrentLanguageModel(...)(ids)",
        "one-hot vectors",
        lambda: language_model()(tg.ones(2, 1)),
        DtypeError,
        ("float32", "integers"),
    ),
    Mistake(
        "RecurrentLanguageModel(...)(ids)",
        "a number outside the vocabulary",
        lambda: language_model()(tg.tensor([[9]])),
        TinygradRnnError,
        ("9", "3"),
    ),
    Mistake(
        "RecurrentLanguageModel.initial_state",
        "no rows",
        lambda: language_model().initial_state(0),
        ArgumentError,
        ("batch", "0"),
    ),
    Mistake(
        "evaluate",
        "a model of another kind",
        lambda: lm.evaluate(nn.Linear(2, 2), [0, 1]),
        DtypeError,
        ("LanguageModel", "Linear"),
    ),
    Mistake(
        "evaluate", "one symbol", lambda: lm.evaluate(language_model(), [0]), DataError, ("2",)
    ),
    Mistake(
        "evaluate",
        "floats",
        lambda: lm.evaluate(language_model(), [0.5, 1.5]),
        DtypeError,
        ("float64", "encode"),
    ),
    Mistake(
        "evaluate",
        "texts of unequal length",
        lambda: lm.evaluate(language_model(), [[0, 1], [0, 1, 2]]),
        DtypeError,
        ("differ in length",),
    ),
    Mistake(
        "evaluate",
        "a number outside the vocabulary",
        lambda: lm.evaluate(language_model(), [0, 9]),
        OutOfRangeError,
        ("0..9", "0..2", "vocabulary"),
    ),
    Mistake(
        "Evaluation.bits_per_character",
        "no characters",
        lambda: lm.evaluate(language_model(), [0, 1]).bits_per_character(0),
        ArgumentError,
        ("characters", "0"),
    ),
    Mistake("perplexity", "text", lambda: lm.perplexity("a"), ArgumentError, ("nats", "'a'")),
    Mistake(
        "generate",
        "a model of another kind",
        lambda: lm.generate(nn.Linear(2, 2), letters()),
        DtypeError,
        ("LanguageModel", "Linear"),
    ),
    Mistake(
        "generate",
        "text as vocabulary",
        lambda: lm.generate(language_model(), "abc"),
        DtypeError,
        ("Vocabulary", "str"),
    ),
    Mistake(
        "generate",
        "a vocabulary of another size",
        lambda: lm.generate(language_model(), Vocabulary("ab")),
        ArgumentError,
        ("2", "3", "saved with the model"),
    ),
    Mistake(
        "generate",
        "an unknown character to begin with",
        lambda: lm.generate(language_model(), letters(), "z"),
        VocabularyError,
        ("'z'", "skip"),
    ),
    Mistake(
        "generate",
        "a negative length",
        lambda: lm.generate(language_model(), letters(), length=-1),
        ArgumentError,
        ("length", "-1"),
    ),
    Mistake(
        "generate",
        "text as temperature",
        lambda: lm.generate(language_model(), letters(), temperature="hot"),
        ArgumentError,
        ("temperature", "'hot'"),
    ),
    Mistake(
        "generate",
        "a seed and a generator",
        lambda: lm.generate(language_model(), letters(), seed=1, generator=tg.Generator(1)),
        ArgumentError,
        ("not both",),
    ),
    Mistake(
        "generate",
        "a generator of NumPy's",
        lambda: lm.generate(language_model(), letters(), generator=np.random.RandomState(0)),
        DtypeError,
        ("Generator", "RandomState"),
    ),
    Mistake(
        "generate_text",
        "a top_k of 0",
        lambda: lm.generate_text(language_model(), letters(), top_k=0),
        ArgumentError,
        ("top_k", "0"),
    ),
    Mistake(
        "generate_text",
        "logits that are NaN",
        lambda: lm.generate_text(broken_model(), letters()),
        NumericalError,
        ("symbol 0", "earlier checkpoint"),
    ),
    Mistake(
        "probabilities",
        "a temperature of 0",
        lambda: lm.probabilities(np.ones(3), 0.0),
        ArgumentError,
        ("argmax",),
    ),
    Mistake(
        "probabilities",
        "a top_p above 1",
        lambda: lm.probabilities(np.ones(3), top_p=2.0),
        ArgumentError,
        ("top_p", "2.0"),
    ),
    Mistake(
        "probabilities",
        "a matrix",
        lambda: lm.probabilities(np.ones((2, 3))),
        ShapeError,
        ("(2, 3)",),
    ),
    Mistake(
        "probabilities",
        "NaN",
        lambda: lm.probabilities(np.array([0.0, float("nan")])),
        NumericalError,
        ("nan", "finite"),
    ),
    Mistake(
        "cut",
        "a text that is too short",
        lambda: lm.cut([0, 1, 2] * 3, lm.TrainingSettings(batch_size=2, window=5)),
        DataError,
        ("9 symbols",),
    ),
    Mistake(
        "cut",
        "too little to validate with",
        lambda: lm.cut(
            SYMBOLS, lm.TrainingSettings(batch_size=2, window=5, fractions=(0.98, 0.01, 0.01))
        ),
        DataError,
        ("validation part", "fractions=(1, 0, 0)"),
    ),
    Mistake(
        "cut", "settings as a dict", lambda: lm.cut([0, 1], {}), DtypeError, ("TrainingSettings",)
    ),
    Mistake(
        "TrainingSettings",
        "no rows",
        lambda: lm.TrainingSettings(batch_size=0),
        ArgumentError,
        ("batch_size", "0"),
    ),
    Mistake(
        "TrainingSettings",
        "an infinite learning rate",
        lambda: lm.TrainingSettings(learning_rate=float("inf")),
        ArgumentError,
        ("learning_rate", "inf"),
    ),
    Mistake(
        "TrainingSettings",
        "another way to clip",
        lambda: lm.TrainingSettings(clip_by="size"),
        ArgumentError,
        ("clip_by", "'size'", "norm"),
    ),
    Mistake(
        "TrainingSettings",
        "one share",
        lambda: lm.TrainingSettings(fractions=0.9),
        ArgumentError,
        ("fractions", "0.9"),
    ),
    Mistake(
        "Trainer",
        "a model of another kind",
        lambda: lm.Trainer(nn.Linear(2, 2), letters(), [0, 1]),
        DtypeError,
        ("RecurrentLanguageModel",),
    ),
    Mistake(
        "Trainer",
        "a vocabulary of another size",
        lambda: lm.Trainer(language_model(), Vocabulary("ab"), [0, 1]),
        ArgumentError,
        ("2", "3"),
    ),
    Mistake(
        "Trainer",
        "text that is not encoded",
        lambda: lm.Trainer(language_model(), letters(), "abc"),
        TinygradRnnError,
        ("one row of symbol numbers",),
    ),
    Mistake(
        "Trainer",
        "a number outside the vocabulary",
        lambda: lm.Trainer(language_model(), letters(), [0, 9]),
        OutOfRangeError,
        ("0..9", "0..2", "vocabulary"),
    ),
    Mistake(
        "Trainer",
        "settings as a dict",
        lambda: lm.Trainer(language_model(), letters(), [0, 1], {"batch_size": 2}),
        DtypeError,
        ("TrainingSettings", "dict"),
    ),
    Mistake(
        "Trainer",
        "a function as report",
        lambda: lm.Trainer(language_model(), letters(), [0, 1], report=len),
        DtypeError,
        ("Report",),
    ),
    Mistake(
        "Trainer.step",
        "targets of another shape",
        lambda: trainer().step(tg.tensor([[0, 1]]), tg.tensor([[0], [1]]), None),
        ShapeError,
        ("(1, 2)", "(2, 1)"),
    ),
    Mistake(
        "Trainer.step",
        "arrays",
        lambda: trainer().step(np.zeros((2, 1)), np.zeros((2, 1)), None),
        DtypeError,
        ("inputs", "Tensor", "ndarray"),
    ),
    Mistake(
        "Trainer.run",
        "text as time limit",
        lambda: trainer().run(seconds="a minute"),
        ArgumentError,
        ("seconds", "'a minute'"),
    ),
    Mistake(
        "Trainer.run",
        "a loss that is NaN",
        lambda: trainer(model=broken_model()).run(),
        NumericalError,
        ("iteration 1", "nan", "learning rate", "no checkpoint"),
    ),
    Mistake(
        "Trainer.run",
        "a file in the place of the folder",
        lambda: in_a_folder(lambda: trainer("run").run(), {"run": b""}),
        CheckpointError,
        ("run",),
    ),
    Mistake(
        "Trainer.resume",
        "another text",
        lambda: in_a_folder(lambda: resumed([2, 1, 0] * 10)),
        CheckpointError,
        ("other contents", "same text"),
    ),
    Mistake(
        "Trainer.resume",
        "other settings",
        lambda: in_a_folder(lambda: resumed(SYMBOLS, lm.TrainingSettings())),
        CheckpointError,
        ("window is 5 there and 50 here",),
    ),
    Mistake(
        "Trainer.resume",
        "a checkpoint that lacks something",
        lambda: in_a_folder(lambda: resumed(SYMBOLS, change=without("progress", "seconds"))),
        CheckpointError,
        ("run.safetensors", "no 'seconds'"),
    ),
    Mistake(
        "load_model",
        "no such file",
        lambda: in_a_folder(lambda: lm.load_model("run.safetensors")),
        CheckpointError,
        ("no file", "run.safetensors"),
    ),
    Mistake(
        "load_model",
        "a checkpoint of something else",
        lambda: in_a_folder(
            lambda: (save_checkpoint("run.safetensors", {}, {}), lm.load_model("run.safetensors"))
        ),
        CheckpointError,
        ("run.safetensors", "not of a language model"),
    ),
    Mistake(
        "load_model",
        "a checkpoint without its vocabulary",
        lambda: in_a_folder(lambda: reloaded(without("vocabulary", "level"))),
        CheckpointError,
        ("run.safetensors", "level"),
    ),
    Mistake(
        "load_model",
        "a cell for a built-in model",
        lambda: in_a_folder(lambda: reloaded(cell=lambda n: nn.GRUCell(n, 2))),
        CheckpointError,
        ("'gru'", "no cell="),
    ),
    Mistake(
        "require_same_text",
        "another text",
        lambda: lm.require_same_text("run", {"name": "a", "symbols": 9, "sha256": ""}, [0, 1]),
        CheckpointError,
        ("9 symbols", "2 symbols"),
    ),
    Mistake(
        "read_history",
        "a file of another kind",
        lambda: in_a_folder(lambda: lm.read_history("run.csv"), {"run.csv": b"a,b\n1,2\n"}),
        DataError,
        ("run.csv", "not the history"),
    ),
    Mistake(
        "plot_history",
        "a number as path",
        lambda: in_a_folder(lambda: lm.plot_history(5, "loss.png")),
        ArgumentError,
        ("5", "pathlib.Path"),
    ),
    Mistake(
        "lm.Trainer().run",
        "a time before the start",
        lambda: trainer().run(-1),
        ArgumentError,
        ("-1",),
    ),
    Mistake(
        "lm.Trainer().run",
        "NaN as time",
        lambda: trainer().run(float("nan")),
        ArgumentError,
        ("seconds", "nan"),
    ),
]

FILES = [
    Mistake(
        "save_checkpoint",
        "a number as path",
        lambda: save_checkpoint(5, {}, {}),
        ArgumentError,
        ("5", "pathlib.Path"),
    ),
    Mistake(
        "save_checkpoint",
        "a list of arrays",
        lambda: save_checkpoint("run", [np.ones(2)], {}),
        ArgumentError,
        ("list", "name"),
    ),
    Mistake(
        "save_checkpoint",
        "a number as name",
        lambda: save_checkpoint("run", {5: np.ones(2)}, {}),
        ArgumentError,
        ("name 5",),
    ),
    Mistake(
        "save_checkpoint",
        "text as array",
        lambda: save_checkpoint("run", {"weight": "abc"}, {}),
        DtypeError,
        ("'weight'", "float32"),
    ),
    Mistake(
        "save_checkpoint",
        "rows of unequal length",
        lambda: save_checkpoint("run", {"weight": [[1], [1, 2]]}, {}),
        DtypeError,
        ("'weight'", "differ in length"),
    ),
    Mistake(
        "save_checkpoint",
        "an array among the settings",
        lambda: save_checkpoint("run", {}, {"losses": [np.float32(1)]}),
        ArgumentError,
        ("settings['losses'][0]", "float32", ".tolist()"),
    ),
    Mistake(
        "save_checkpoint",
        "a number as key",
        lambda: save_checkpoint("run", {}, {5: 1}),
        ArgumentError,
        ("key 5",),
    ),
    Mistake(
        "save_checkpoint",
        "settings that hold themselves",
        lambda: save_checkpoint("run", {}, endless()),
        ArgumentError,
        ("hold themselves",),
    ),
    Mistake(
        "load_checkpoint",
        "a folder",
        lambda: in_a_folder(lambda: load_checkpoint(".")),
        CheckpointError,
        ("folder",),
    ),
    Mistake(
        "load_checkpoint",
        "an empty file",
        lambda: in_a_folder(lambda: load_checkpoint("run"), {"run": b""}),
        CheckpointError,
        ("run is empty",),
    ),
    Mistake(
        "load_checkpoint",
        "a text file",
        lambda: in_a_folder(lambda: load_checkpoint("run"), {"run": b"weight = 1, bias = 2"}),
        CheckpointError,
        ("run", "a text file"),
    ),
    Mistake(
        "load_checkpoint",
        "a pickle",
        lambda: in_a_folder(lambda: load_checkpoint("run.pt"), {"run.pt": pickle.dumps([1] * 9)}),
        CheckpointError,
        ("run.pt", "pickle", "load_weights"),
    ),
    Mistake(
        "load_checkpoint",
        "a file that is not whole",
        lambda: in_a_folder(lambda: reread(lambda content: content[:-1])),
        CheckpointError,
        ("truncated", "bytes", "expected"),
    ),
    Mistake(
        "load_checkpoint",
        "a changed byte",
        lambda: in_a_folder(lambda: reread(lambda content: content[:-1] + b"!")),
        CheckpointError,
        ("damaged", "SHA-256"),
    ),
    Mistake(
        "load_checkpoint",
        "a file of weights",
        lambda: in_a_folder(lambda: (save_weights("run", {}), load_checkpoint("run"))),
        CheckpointError,
        ("not a checkpoint", "load_weights"),
    ),
    Mistake(
        "save_weights",
        "a number in the metadata",
        lambda: save_weights("run", {}, {"epoch": 1}),
        ArgumentError,
        ("'epoch'", "1"),
    ),
    Mistake(
        "save_weights",
        "metadata that is no mapping",
        lambda: save_weights("run", {}, ["pt"]),
        ArgumentError,
        ("list",),
    ),
    Mistake(
        "load_weights",
        "no such file",
        lambda: in_a_folder(lambda: load_weights("run.safetensors")),
        CheckpointError,
        ("no file", "run.safetensors"),
    ),
    Mistake("load_weights", "None", lambda: load_weights(None), ArgumentError, ("None",)),
    Mistake(
        "kernels.set_num_threads",
        "no threads",
        lambda: kernels.set_num_threads(0),
        ArgumentError,
        ("0", "at least 1"),
    ),
    Mistake(
        "kernels.set_num_threads",
        "half a thread",
        lambda: kernels.set_num_threads(1.5),
        ArgumentError,
        ("1.5",),
    ),
    Mistake(
        "kernels.set_num_threads",
        "text",
        lambda: kernels.set_num_threads("all"),
        ArgumentError,
        ("'all'",),
    ),
    Mistake(
        "kernels.set_num_threads",
        "a truth value",
        lambda: kernels.set_num_threads(True),
        ArgumentError,
        ("True",),
    ),
    Mistake(
        "load_checkpoint",
        "a version below the first",
        lambda: in_a_folder(
            lambda: reread(lambda content: content.replace(b"checkpoint 1", b"checkpoint 0"))
        ),
        CheckpointError,
        ("run is damaged", "version 0"),
    ),
]


def kept_in_a_list() -> Any:
    """Record a step that keeps a tensor it computed in a list of the caller's."""
    kept: list[tg.Tensor] = []

    def step(x: tg.Tensor) -> tg.Tensor:
        kept.append(x * 2.0)
        return kept[-1] + 1.0

    return tg.jit(step)(v())


def replayed_out_of_range() -> Any:
    """Replay a look-up with an index that the table does not have."""
    table = leaf(4, 2)
    step = tg.jit(lambda index: nn.functional.embedding(index, table).detach())
    step(tg.tensor([0, 3]))
    return step(tg.tensor([0, 4]))


JIT = [
    Mistake(
        "jit",
        "reading a number inside the step",
        lambda: tg.jit(lambda x: x * x.sum().item())(v()),
        RecordingError,
        ("item()", "core.py:", "Return the tensor"),
    ),
    Mistake(
        "jit",
        "choosing by a number inside the step",
        lambda: tg.jit(lambda x: x if x.sum() > 0 else -x)(v()),
        RecordingError,
        ("core.py:", "where()"),
    ),
    Mistake(
        "jit",
        "a mask as an index",
        lambda: tg.jit(lambda x: x[x > 0])(v()),
        RecordingError,
        ("boolean mask", "where()"),
    ),
    Mistake(
        "jit",
        "keeping a computed tensor",
        kept_in_a_list,
        RecordingError,
        ("outlives the call", "assign()"),
    ),
    Mistake(
        "jit",
        "returning an object",
        lambda: tg.jit(lambda x: {x})(v()),
        RecordingError,
        ("set", "tuples, lists and dicts"),
    ),
    Mistake("jit", "no function", lambda: tg.jit(3), ArgumentError, ("3", "function")),
    Mistake(
        "jit",
        "an unknown pass",
        lambda: tg.jit(lambda x: x, off=["fusing"]),
        ArgumentError,
        ("fusing", "fuse"),
    ),
    Mistake(
        "jit",
        "the tape before the first call",
        lambda: tg.jit(lambda x: x).tape,
        ArgumentError,
        ("call the step once",),
    ),
    Mistake(
        "jit",
        "an index out of range in a replay",
        replayed_out_of_range,
        OutOfRangeError,
        ("4", "rows 0..3"),
    ),
]

TABLE: dict[str, list[Mistake]] = {
    "Making tensors": CREATION,
    "Arithmetic and reading": ARITHMETIC,
    "Products": PRODUCTS,
    "Shapes and joins": SHAPES,
    "Indexing": INDEXING,
    "Reductions": REDUCTIONS,
    "Gradients and the graph": GRAPH,
    "Layers, losses and clipping": LAYERS,
    "Modules and recurrent layers": MODULES,
    "Optimizers and schedules": OPTIMIZERS,
    "Compiled steps": JIT,
    "Text": TEXT,
    "Language models": LANGUAGE_MODELS,
    "Checkpoints and threads": FILES,
}
