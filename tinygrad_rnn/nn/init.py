"""Filling parameters with starting values. Each function overwrites a tensor and returns it.

`recurrent_` is the one that takes a module: every gate of every cell in it, whatever the layer and
direction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinygrad_rnn.arguments import Array, probability
from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.context import no_grad
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.nn.functional.checks import number
from tinygrad_rnn.nn.gates import GateBlock as GateBlock
from tinygrad_rnn.nn.gates import gate_blocks, recurrent_cells
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor

Filler = Callable[[Tensor], Any]
_Module = TypeVar("_Module", bound=Module)


def _fill(tensor: Tensor, values: Array) -> Tensor:
    with no_grad():
        return _target(tensor).assign(values.astype(tensor.dtype))


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers equally distributed over [a, b)."""
    low, high = number("a", a), number("b", b)
    if not 0.0 <= high - low <= float(np.finfo(_floating(tensor).dtype).max):
        raise ArgumentError(
            f"uniform_ fills with numbers from a up to b, which is no less; not {low} up to {high}"
        )
    drawn = _source(generator).uniform(tensor.shape, tensor.dtype)
    return _fill(tensor, drawn * (high - low) + low)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of a normal distribution."""
    centre, scale = number("mean", mean), _spread(std)
    drawn = _source(generator).normal(_floating(tensor).shape, tensor.dtype)
    return _fill(tensor, drawn * scale + centre)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with numbers of a normal distribution, of which only those in [a, b] are taken."""
    mean, std, a, b = number("mean", mean), number("std", std), number("a", a), number("b", b)
    if not std > 0.0 or not a < b:
        raise ArgumentError(f"trunc_normal_ takes std > 0 and a < b, not std={std}, a={a}, b={b}")
    # Far out, Φ is precise only below the mean.
    side = -1.0 if a > mean else 1.0
    ends = [side * (bound - mean) / std for bound in (a, b)]
    low, high = sorted(math.erfc(-x / math.sqrt(2.0)) / 2.0 for x in ends)
    drawn = low + (high - low) * _source(generator).uniform(_floating(tensor).shape, np.float64)
    # The inverse is infinite at 0 and 1.
    inside = np.clip(drawn, np.finfo(np.float64).tiny, 1.0 - np.finfo(np.float64).epsneg)
    values = np.array(list(map(NormalDist().inv_cdf, inside.ravel().tolist())))
    return _fill(tensor, np.clip(mean + side * std * values, a, b).reshape(tensor.shape))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one number."""
    with no_grad():
        return _target(tensor).fill_(value)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity (as in IRNN: Le, Jaitly and Hinton, 2015)."""
    rows, columns = _matrix(tensor, "eye_")
    return _fill(tensor, np.eye(rows, columns))


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with a random (semi-)orthogonal one: WᵀW = gain² I, or WWᵀ if it is wide.

    Saxe, McClelland and Ganguli, 2013, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks".
    """
    rows, columns = _matrix(_floating(tensor), "orthogonal_")
    scale = number("gain", gain)
    flat = _source(generator).normal((max(rows, columns), min(rows, columns)), np.float64)
    q, r = np.linalg.qr(flat)
    # The signs of r's diagonal make the distribution uniform.
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _fill(tensor, scale * (q if rows >= columns else q.T))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with N(0, std²), and a part of each column, rounded up, with 0.

    Martens, 2010, "Deep learning via Hessian-free optimization".
    """
    rows, columns = _matrix(_floating(tensor), "sparse_")
    zeros = math.ceil(probability(sparsity) * rows)
    values = _source(generator).normal((rows, columns), np.float64) * _spread(std)
    order = np.argsort(_source(generator).uniform((rows, columns), np.float64), axis=0)
    np.put_along_axis(values, order[:zeros], 0.0, axis=0)
    return _fill(tensor, values)


# ---------------------------------------------------------------------- by the size of the matrix


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with U(-a, a), a = gain √(6 / (rows + columns)) (Glorot and Bengio, 2010)."""
    a = number("gain", gain) * math.sqrt(6.0 / sum(_matrix(tensor, "xavier_uniform_")))
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with N(0, σ²), σ = gain √(2 / (rows + columns)) (Glorot and Bengio, 2010)."""
    std = number("gain", gain) * math.sqrt(2.0 / sum(_matrix(tensor, "xavier_normal_")))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with U(-b, b), b = gain √(3 / fan) (He, Zhang, Ren and Sun, 2015).

    Args:
        tensor: (fan_out, fan_in).
        a: slope of leaky_relu below 0.
        mode: "fan_in" keeps the variance of what goes forward, "fan_out" of what comes back.
        nonlinearity: what follows, for `calculate_gain`.
        generator: where the numbers come from.
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(0, σ²), σ = gain / √fan (He, Zhang, Ren and Sun, 2015).

    Args: those of `kaiming_uniform_`.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_")
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str, name: str) -> float:
    rows, columns = _matrix(tensor, name)
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"mode is 'fan_in' or 'fan_out', not {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(columns if mode == "fan_in" else rows)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor of the standard deviation that goes with a nonlinearity.

    1 for linear and sigmoid, 5/3 for tanh, √2 for relu, √(2 / (1 + a²)) for leaky_relu with slope
    a = `param` (0.01) below 0, 3/4 for selu.
    """
    slope = 0.01 if param is None else number("param", param)
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leaky_relu": math.sqrt(2.0 / (1.0 + slope * slope)),
        "selu": 0.75,
    }
    if not isinstance(nonlinearity, str) or nonlinearity not in gains:
        raise ArgumentError(f"there is a gain for {', '.join(gains)}, not for {nonlinearity!r}")
    return gains[nonlinearity]


# ---------------------------------------------------------------------- gate by gate


def recurrent_(
    module: _Module,
    input: Filler | None = xavier_uniform_,
    hidden: Filler | None = orthogonal_,
    bias: Filler | None = zeros_,
    forget_bias: float | None = None,
) -> _Module:
    """Fill every gate of every recurrent cell in a module, each gate by itself; return the module.

    `nn.init.recurrent_(model, hidden=nn.init.eye_, forget_bias=1.0)` reaches all layers and both
    directions of `nn.Recurrent`, RNN, LSTM and GRU, and cells that stand alone. Other parameters
    (projections, peepholes, gains, other layers) stay as they are.

    Args:
        module: a cell, a stack of them, or a model that contains some.
        input: called with each gate's block (H, in) of the weights of x, to fill it as the
            functions of this module do; None leaves the weights alone.
        hidden: the same for each gate's block (H, H) of the weights of h.
        bias: the same for each gate's block (H) of each bias.
        forget_bias: b, so that the gate that keeps the state starts near σ(b): LSTM's f, GRU's z;
            coupled gates that count the other way (i of `CoupledLSTMCell`, f of `MGUCell`) get -b.
            Where two biases are added, the first becomes b and the second 0. None for no exception.

    Raises:
        ArgumentError: if there is no recurrent cell in the module, or one that does not declare
            which gates its parameters belong to; the message says how to. Nothing has been
            changed then.
    """
    if not isinstance(module, Module):
        raise DtypeError(f"recurrent_ takes a module, not {type(module).__name__}")
    fillers = {"input": input, "hidden": hidden, "bias": bias}
    for role, filler in fillers.items():
        if filler is not None and not callable(filler):
            raise ArgumentError(
                f"{role} is a function that fills a tensor, such as nn.init.orthogonal_, or None, "
                f"not {filler!r}"
            )
    if forget_bias is not None and not isinstance(forget_bias, (int, float)):
        raise ArgumentError(f"forget_bias is a number or None, not {forget_bias!r}")
    cells = [(path, cell, gate_blocks(path, cell)) for path, cell in recurrent_cells(module)]
    if not cells:
        raise ArgumentError(f"there is no recurrent cell in {type(module).__name__}")
    exceptions = [] if forget_bias is None else [_keeping(*cell, forget_bias) for cell in cells]
    for _, _, blocks in cells:
        for block in blocks:
            filler = fillers.get(block.role)
            if filler is not None:
                filler(block.view())
    for block, value in itertools.chain.from_iterable(exceptions):
        constant_(block.view(), value)
    return module


def _keeping(
    path: str, cell: Module, blocks: list[GateBlock], forget_bias: float
) -> list[tuple[GateBlock, float]]:
    """Return the biases of the gate that keeps the state, and the number for each."""
    name = f"{path} ({type(cell).__name__})" if path else type(cell).__name__
    keep_gate = getattr(cell, "keep_gate", None)
    if keep_gate is None:
        raise ArgumentError(
            f"{name} has no gate that keeps the state; leave forget_bias out, or declare one by a "
            'class attribute keep_gate = ("f", 1.0) where σ of gate f is the part that is kept, '
            '("f", -1.0) where 1 - σ is'
        )
    gate, sign = keep_gate
    biases = [block for block in blocks if block.role == "bias" and block.gate == gate]
    if not biases:
        raise ArgumentError(f"{name} has no bias of its gate {gate!r} for forget_bias to fill")
    # Two biases are added, so that only one of them may hold the number.
    return [(block, sign * forget_bias if k == 0 else 0.0) for k, block in enumerate(biases)]


def _target(tensor: Tensor) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise DtypeError(f"init fills tensors, not {type(tensor).__name__}")
    return tensor


def _floating(tensor: Tensor) -> Tensor:
    if not _target(tensor).is_floating_point():
        raise DtypeError(f"random numbers fill a floating tensor, not {tensor.dtype}; see .float()")
    return tensor


def _spread(std: float) -> float:
    found = number("std", std)
    if not found >= 0.0:
        raise ArgumentError(f"std is 0 or more, not {found}")
    return found


def _source(generator: Generator | None) -> Generator:
    if generator is not None and not isinstance(generator, Generator):
        raise ArgumentError(
            f"random numbers come from a Generator, not {generator!r}; see Generator(seed)"
        )
    return generator or default_generator


def _matrix(tensor: Tensor, name: str) -> tuple[int, int]:
    if _target(tensor).ndim != 2:
        raise ShapeError(f"{name} fills a matrix, not a tensor of shape {tensor.shape}")
    return tensor.shape[0], tensor.shape[1]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
