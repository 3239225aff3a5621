"""Mistakes with cells and with starting values."""

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import nn
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from tinygrad_rnn.nn import init


class Undeclared(nn.Module):
    """A cell that does not say which gates it has."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden_size = 2
        self.both = nn.Linear(4, 2)

    def forward(self, x: Any, h: Any) -> Any:
        return h, h


class Uneven(nn.Module):
    """A cell whose rows are no multiple of its gates."""

    gate_names = ("f", "n")

    def __init__(self) -> None:
        super().__init__()
        self.hidden_size = 3
        self.weight_ih = nn.Parameter(tg.ones(3, 2))


CELLS = [
    Mistake(
        "LSTMCell",
        "a projection as long as h",
        lambda: nn.LSTMCell(2, 3, proj_size=3),
        ArgumentError,
        ("proj_size", "3", "hidden_size - 1"),
    ),
    Mistake(
        "LSTMCell",
        "a fraction as projection",
        lambda: nn.PeepholeLSTMCell(2, 3, proj_size=1.5),
        ArgumentError,
        ("proj_size", "1.5"),
    ),
    Mistake(
        "LSTMCell",
        "a projected cell's h of H numbers",
        lambda: nn.LSTMCell(2, 3, proj_size=1)(tg.ones(4, 2), (tg.zeros(4, 3), tg.zeros(4, 3))),
        ShapeError,
        ("(4, 1)", "(4, 3)"),
    ),
    Mistake(
        "GRUCell",
        "a clip of 0",
        lambda: nn.GRUCell(2, 3, clip=0.0),
        ArgumentError,
        ("clip", "0.0", "None"),
    ),
    Mistake("GRUCell", "text as clip", lambda: nn.GRUCell(2, 3, clip="1"), ArgumentError, ("'1'",)),
    Mistake(
        "GRUCell",
        "no number as clip",
        lambda: nn.GRUCell(2, 3, clip=[1.0]),
        ArgumentError,
        ("[1.0]",),
    ),
    Mistake(
        "MGUCell",
        "a hidden size of 0",
        lambda: nn.MGUCell(2, 0),
        ArgumentError,
        ("hidden_size", "0"),
    ),
    Mistake(
        "CoupledLSTMCell",
        "h without c",
        lambda: nn.CoupledLSTMCell(2, 3)(tg.ones(4, 2), tg.zeros(4, 3)),
        ShapeError,
        ("2 state tensor(s)", "(4, 3)"),
    ),
    Mistake(
        "IRNNCell",
        "an array as x",
        lambda: nn.IRNNCell(2, 3)(np.ones((4, 2), np.float32)),
        DtypeError,
        ("ndarray",),
    ),
    Mistake(
        "LayerNormLSTMCell",
        "float64 to float32 parameters",
        lambda: nn.LayerNormLSTMCell(2, 3)(tg.ones(4, 2, dtype=tg.float64)),
        DtypeError,
        ("float64", "float32"),
    ),
    Mistake(
        "GatedCell",
        "a cell without step",
        lambda: type("Own", (nn.GatedCell,), {"gate_names": ("h",)})(2, 3)(tg.ones(4, 2)),
        ArgumentError,
        ("Own", "step"),
    ),
    Mistake(
        "GatedCell",
        "a cell without gates",
        lambda: type("Own", (nn.GatedCell,), {})(2, 3),
        ArgumentError,
        ("Own", "gate_names"),
    ),
    Mistake(
        "LSTMCell", "a list as x", lambda: nn.LSTMCell(2, 3)([[1.0, 2.0]]), DtypeError, ("list",)
    ),
    Mistake("GRUCell", "no x", lambda: nn.GRUCell(2, 3)(None), DtypeError, ("GRUCell", "NoneType")),
]

INIT = [
    Mistake(
        "init.recurrent_",
        "a cell that does not declare its gates",
        lambda: init.recurrent_(nn.Sequential(nn.GRU(2, 2), Undeclared())),
        ArgumentError,
        ("1 (Undeclared)", "gate_names", "gate_blocks"),
    ),
    Mistake(
        "init.recurrent_",
        "rows that the gates do not divide",
        lambda: init.recurrent_(Uneven()),
        ArgumentError,
        ("weight_ih (3, 2)", "2 gates"),
    ),
    Mistake(
        "init.recurrent_",
        "a model without cells",
        lambda: init.recurrent_(nn.Linear(2, 2)),
        ArgumentError,
        ("no recurrent cell", "Linear"),
    ),
    Mistake(
        "init.recurrent_",
        "a name instead of a function",
        lambda: init.recurrent_(nn.GRU(2, 2), hidden="orthogonal"),
        ArgumentError,
        ("hidden", "nn.init.orthogonal_", "'orthogonal'"),
    ),
    Mistake(
        "init.recurrent_",
        "a tensor",
        lambda: init.recurrent_(tg.ones(2, 2)),
        DtypeError,
        ("module", "Tensor"),
    ),
    Mistake(
        "init.recurrent_",
        "a forget bias for a cell that has no such gate",
        lambda: init.recurrent_(nn.RNN(2, 2), forget_bias=1.0),
        ArgumentError,
        ("l0 (RNNCell)", "forget_bias", "keep_gate"),
    ),
    Mistake(
        "init.recurrent_",
        "a forget bias for a cell without biases",
        lambda: init.recurrent_(nn.LSTM(2, 2, bias=False), forget_bias=1.0),
        ArgumentError,
        ("l0 (LSTMCell)", "'f'", "bias"),
    ),
    Mistake(
        "init.recurrent_",
        "text as forget bias",
        lambda: init.recurrent_(nn.LSTM(2, 2), forget_bias="1"),
        ArgumentError,
        ("forget_bias", "'1'"),
    ),
    Mistake(
        "init.kaiming_uniform_",
        "a vector",
        lambda: init.kaiming_uniform_(tg.ones(2)),
        ShapeError,
        ("kaiming_uniform_", "(2,)"),
    ),
    Mistake(
        "init.kaiming_normal_",
        "an unknown mode",
        lambda: init.kaiming_normal_(tg.ones(2, 2), mode="fan"),
        ArgumentError,
        ("fan_in", "fan_out", "'fan'"),
    ),
    Mistake(
        "init.calculate_gain",
        "an unknown nonlinearity",
        lambda: init.calculate_gain("swish"),
        ArgumentError,
        ("swish", "tanh"),
    ),
    Mistake(
        "init.trunc_normal_",
        "bounds the wrong way round",
        lambda: init.trunc_normal_(tg.ones(2), a=1.0, b=-1.0),
        ArgumentError,
        ("a=1.0", "b=-1.0"),
    ),
    Mistake(
        "init.sparse_",
        "more than all",
        lambda: init.sparse_(tg.ones(2, 2), 1.5),
        ArgumentError,
        ("1.5",),
    ),
    Mistake(
        "init.sparse_",
        "a vector",
        lambda: init.sparse_(tg.ones(2), 0.5),
        ShapeError,
        ("sparse_", "(2,)"),
    ),
    Mistake(
        "init.xavier_uniform",
        "PyTorch's old name",
        lambda: init.xavier_uniform,
        UnsupportedError,
        ("init.xavier_uniform_",),
    ),
    Mistake("init.dirac_", "not here", lambda: init.dirac_, UnsupportedError, ("no convolutions",)),
    Mistake(
        "init.uniform_",
        "an end below the beginning",
        lambda: init.uniform_(tg.zeros(2), 2, 1),
        ArgumentError,
        ("2", "1"),
    ),
    Mistake(
        "init.uniform_", "text", lambda: init.uniform_(tg.zeros(2), "a"), ArgumentError, ("'a'",)
    ),
    Mistake(
        "init.normal_",
        "a deviation below 0",
        lambda: init.normal_(tg.zeros(2), 0, -1),
        ArgumentError,
        ("std", "-1"),
    ),
    Mistake(
        "init.normal_",
        "integers",
        lambda: init.normal_(tg.zeros(2, dtype=tg.int64)),
        DtypeError,
        ("int64", ".float()"),
    ),
    Mistake(
        "init.normal_",
        "a generator that is none",
        lambda: init.normal_(tg.zeros(2), generator=3),
        ArgumentError,
        ("Generator", "3"),
    ),
    Mistake(
        "init.orthogonal_",
        "text as gain",
        lambda: init.orthogonal_(tg.zeros(2, 2), "a"),
        ArgumentError,
        ("gain", "'a'"),
    ),
    Mistake(
        "init.calculate_gain",
        "text as slope",
        lambda: init.calculate_gain("leaky_relu", "a"),
        ArgumentError,
        ("param", "'a'"),
    ),
    Mistake(
        "init.sparse_",
        "a deviation below 0",
        lambda: init.sparse_(tg.zeros(2, 2), 0.5, -1.0),
        ArgumentError,
        ("std", "-1"),
    ),
]

TABLE = {"Cells": CELLS, "Starting values": INIT}
