"""A name of PyTorch's that is missing says so, and what to use instead."""

import subprocess
import sys
import timeit
from typing import Any

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import compatibility, nn
from tinygrad_rnn.errors import MissingImportError, MissingNameError

PLACES: dict[str, Any] = {
    "Module": nn.Linear(1, 1),
    "Tensor": tg.zeros(1),
    "tinygrad_rnn": tg,
    "tinygrad_rnn.autograd": tg.autograd,
    "tinygrad_rnn.autograd.functional": tg.autograd.functional,
    "tinygrad_rnn.jit": sys.modules["tinygrad_rnn.jit"],
    "tinygrad_rnn.nn": nn,
    "tinygrad_rnn.nn.functional": nn.functional,
    "tinygrad_rnn.nn.init": nn.init,
    "tinygrad_rnn.nn.utils": nn.utils,
    "tinygrad_rnn.nn.utils.rnn": nn.utils.rnn,
    "tinygrad_rnn.optim": tg.optim,
    "tinygrad_rnn.optim.lr_scheduler": tg.optim.lr_scheduler,
    "tinygrad_rnn.utils": tg.utils,
    "tinygrad_rnn.utils.data": tg.utils.data,
}


def table(place: str) -> dict[str, str]:
    return compatibility._known(place)


@pytest.mark.parametrize("place", PLACES)
def test_every_name_of_the_table_is_missing_and_says_what_to_use(place: str) -> None:
    """The table lists a name that there is, or its error has no remedy."""
    assert len(table(place)) > 0
    for name, told in table(place).items():
        with pytest.raises(MissingNameError) as caught:
            getattr(PLACES[place], name)
        assert str(caught.value) == told
        assert told.startswith("there is no ")
        assert f".{name}: " in told
        assert "{" not in told
        assert len(told.partition(": ")[2]) >= 8


def test_every_place_of_the_table_is_asked() -> None:
    """A module has a table that nothing reads."""
    assert set(PLACES) == set(compatibility._PLACES)


def test_hasattr_and_defaults_work() -> None:
    """`hasattr(torch, "compile")` raises, as scripts that ask first do not expect."""
    assert not hasattr(tg, "compile")
    assert not hasattr(nn, "MultiheadAttention")
    assert not hasattr(tg.cuda, "amp")
    assert getattr(tg.zeros(1), "cuda", None) is None
    assert getattr(nn.Linear(1, 1), "compile", 3) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "from tinygrad_rnn import conv2d",
        "from tinygrad_rnn.nn import LSTM, Transformer",
        "from tinygrad_rnn.optim import Rprop",
        "from tinygrad_rnn.nn.functional import (relu, conv1d)",
        "from tinygrad_rnn.autograd import Function",
        "from tinygrad_rnn.func import vmap",
        "import tinygrad_rnn.distributions",
        "import tinygrad_rnn.backends.cudnn as cudnn",
        "from tinygrad_rnn.cuda.amp import autocast",
        "from tinygrad_rnn.nn.modules.rnn import LSTM",
        "from tinygrad_rnn.utils.tensorboard import SummaryWriter",
        "from tinygrad_rnn.utils.data.dataset import Dataset",
        "from tinygrad_rnn.jit import script",
        "from tinygrad_rnn.utils.data import WeightedRandomSampler as Sampler",
    ],
)
def test_importing_a_missing_name_says_what_to_use(statement: str) -> None:
    """`from ... import` hides what to use instead behind "cannot import name"."""
    with pytest.raises(MissingImportError, match=r"there is no .*: ") as caught:
        exec(statement, {})
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    ("expression", "name"),
    [("tg.tensro", "tensro"), ("nn.LTSM", "LTSM"), ("tg.zeros(1).sofmax(0)", "sofmax")],
)
def test_other_names_are_plain_attribute_errors(expression: str, name: str) -> None:
    """A slip of the pen is reported as a call of PyTorch's, or without what was meant."""
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as caught:
        eval(expression)
    assert type(caught.value) is AttributeError
    assert caught.value.name == name
    assert caught.value.obj is not None
    with pytest.raises(ImportError, match="cannot import name 'tensro'"):
        exec("from tinygrad_rnn import tensro")


def test_other_modules_are_plainly_not_found() -> None:
    """A slip of the pen in an import is reported as a module of PyTorch's."""
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'tinygrad_rnn\.nm'"):
        exec("import tinygrad_rnn.nm", {})


def test_python_says_what_was_perhaps_meant() -> None:
    """An uncaught slip of the pen ends without the suggestion of a similar name."""
    program = "import tinygrad_rnn as tg\ntg.nn.LSTN"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "Did you mean: 'LSTM'?" in result.stderr


def test_looking_for_a_missing_attribute_is_cheap() -> None:
    """Code that asks a tensor for an optional attribute waits for the table of names."""
    x = tg.zeros(1)
    seconds = min(timeit.repeat(lambda: hasattr(x, "_fields"), number=200, repeat=20)) / 200
    assert seconds < 20e-6


def test_asking_for_other_devices_says_no() -> None:
    """A script that asks for a GPU finds one, or cannot ask, seed or set what it always sets."""
    for kind in (tg.cuda, tg.accelerator, tg.xpu, tg.backends.mps):
        assert not kind.is_available()
        assert kind.device_count() == 0
    tg.cuda.manual_seed_all(1)
    tg.cuda.empty_cache()
    tg.backends.cudnn.deterministic = True
    assert tg.device("cpu") == "cpu" == str(tg.zeros(1).device)
    assert tg.device("cpu", 0).type == "cpu"
    assert repr(tg.device()) == "device(type='cpu')"
    assert tg.zeros(1).to(tg.device("cpu:0")).device == tg.device("cpu")


def public(module: Any) -> set[str]:
    """The classes and functions of a module of PyTorch's, without what it imports for itself."""
    found = set()
    for name in dir(module):
        value = getattr(module, name)
        home = str(getattr(value, "__module__", None) or "")
        if not name.startswith("_") and callable(value) and home.startswith("torch"):
            found.add(name)
    return found


INTERNAL = {
    *("Tensor", "DType", "ScalingType", "SwizzleType", "handle_torch_function"),
    *("assert_int_or_pair", "boolean_dispatch", "has_torch_function", "LinearCrossEntropyOptions"),
    *("has_torch_function_unary", "has_torch_function_variadic", "Optimizer"),
    *("swap_in_optimizer_params_and_state", "factory_kwargs"),
}


@pytest.mark.parametrize(
    "path", ["nn", "nn.functional", "nn.init", "optim", "optim.lr_scheduler"]
)
def test_every_public_name_of_pytorch_is_here_or_in_the_table(path: str) -> None:
    """A script stops at a layer, loss or optimizer without being told what to use instead."""
    torch = pytest.importorskip("torch")
    theirs, ours = torch, tg
    for part in path.split("."):
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    wanted = public(theirs) - INTERNAL
    missing = {name for name in wanted if not hasattr(ours, name)} - set(
        table(f"tinygrad_rnn.{path}")
    )
    # A newer PyTorch may have a few more.
    assert len(missing) <= 0.1 * len(wanted), sorted(missing)


def test_the_documented_methods_of_pytorch_are_here_or_in_the_table() -> None:
    """A method of PyTorch's tensors ends in an error that does not say what to use instead."""
    torch = pytest.importorskip("torch")
    wanted = {name for name in dir(torch.Tensor) if not name.startswith("_")}
    told = {name for name in wanted if hasattr(tg.Tensor, name)} | set(table("Tensor"))
    assert len(wanted & told) > 0.85 * len(wanted)
