"""Bad input of the unrolling wrapper, of packed sequences and of recordings."""

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import nn
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    OutOfRangeError,
    RecordingError,
    ShapeError,
    UnsupportedError,
)
from tinygrad_rnn.nn.utils import rnn

TF = (4, 3, 2)


def x(*shape: int) -> tg.Tensor:
    return tg.zeros(*(shape or TF))


def gru(**options: Any) -> nn.GRU:
    return nn.GRU(2, 3, **options)


def hooked() -> nn.GRU:
    layer = gru()
    layer.cells()[0].register_forward_hook(lambda *seen: None)
    return layer


def reader() -> nn.GRU:
    return gru(attention=nn.DotAttention(3))


WIRING = [
    Mistake(
        "nn.GRU()(x, lengths=)",
        "a length for too few rows",
        lambda: gru()(x(), lengths=[1, 2]),
        ShapeError,
        ("3 rows", "(2,)"),
    ),
    Mistake(
        "nn.GRU()(x, lengths=)",
        "a length beyond the input",
        lambda: gru()(x(), lengths=[1, 2, 5]),
        OutOfRangeError,
        ("between 0 and the 4 steps", "5"),
    ),
    Mistake(
        "nn.GRU()(x, lengths=)",
        "lengths that are no integers",
        lambda: gru()(x(), lengths=[1.0, 2.0, 3.0]),
        DtypeError,
        ("integers", "float"),
    ),
    Mistake(
        "nn.GRU()(x, mask=)",
        "a mask of numbers",
        lambda: gru()(x(), mask=np.ones((4, 3))),
        DtypeError,
        ("booleans", "compare"),
    ),
    Mistake(
        "nn.GRU()(x, mask=)",
        "a mask in the other layout",
        lambda: gru()(x(), mask=np.ones((3, 4), bool)),
        ShapeError,
        ("mask", "(4, 3)", "(3, 4)"),
    ),
    Mistake(
        "nn.GRU()(x, lengths=, mask=)",
        "both",
        lambda: gru()(x(), lengths=[4, 4, 4], mask=np.ones((4, 3), bool)),
        ArgumentError,
        ("not both",),
    ),
    Mistake(
        "nn.GRU()(x, reset=)",
        "a boolean for too few rows",
        lambda: gru()(x(), reset=[True]),
        ShapeError,
        ("3 rows", "(1,)"),
    ),
    Mistake(
        "nn.GRU().reset_state",
        "rows that are no booleans",
        lambda: gru().reset_state(gru()(x())[1], [0, 1, 2]),
        DtypeError,
        ("rows", "booleans"),
    ),
    Mistake(
        "nn.GRU()(x, memory=)",
        "no attention to read it",
        lambda: gru()(x(), memory=x()),
        ArgumentError,
        ("attention=",),
    ),
    Mistake(
        "nn.GRU(attention=)(x)",
        "no memory to read",
        lambda: reader()(x()),
        ArgumentError,
        ("memory=",),
    ),
    Mistake(
        "nn.GRU(attention=)(x, memory=)",
        "a memory of other size",
        lambda: reader()(x(), memory=x(5, 3, 2)),
        ShapeError,
        ("3 features", "(5, 3, 2)"),
    ),
    Mistake(
        "nn.GRU(attention=)(x, memory=)",
        "a memory without batch",
        lambda: reader()(x(), memory=x(5, 3)),
        ShapeError,
        ("laid out as the input", "(5, 3)"),
    ),
    Mistake(
        "nn.GRU(attention=)",
        "something that is no attention",
        lambda: gru(attention=nn.Linear(2, 2)),
        DtypeError,
        ("Linear",),
    ),
    Mistake(
        "nn.GRU(zoneout=)",
        "a probability above 1",
        lambda: gru(zoneout=1.5),
        ArgumentError,
        ("1.5",),
    ),
    Mistake(
        "nn.LSTM(zoneout=)(x)",
        "more probabilities than state tensors",
        lambda: nn.LSTM(2, 3, zoneout=(0.1, 0.2, 0.3))(x()),
        ArgumentError,
        ("3 probabilities", "2 tensors"),
    ),
    Mistake(
        "nn.GRU(weight_drop=)",
        "a parameter that the cell has not",
        lambda: gru(weight_drop={"weight": 0.5}),
        ArgumentError,
        ("'weight'", "weight_hh", "GRUCell"),
    ),
    Mistake(
        "nn.Recurrent(residual=True)",
        "layers of different sizes",
        lambda: nn.Recurrent([nn.GRUCell(2, 3), nn.GRUCell(3, 4)], residual=True),
        ShapeError,
        ("[3, 4]",),
    ),
    Mistake(
        "nn.GRU()(x)",
        "a hook on a cell that the layer unrolls",
        lambda: hooked()(x()),
        UnsupportedError,
        ("GRUCell", "nn.observe()"),
    ),
    Mistake(
        "nn.GRU()",
        "no tensor",
        lambda: gru()([1.0]),
        DtypeError,
        ("GRU takes a Tensor", "list"),
    ),
    Mistake(
        "nn.LSTM", "text as a size", lambda: nn.LSTM("a", 5), ArgumentError, ("input_size", "'a'")
    ),
    Mistake(
        "nn.Recurrent",
        "a class of cells that needs more than a size",
        lambda: nn.Recurrent(nn.LSTMCell, 2),
        ArgumentError,
        ("hidden_size", "lambda size: LSTMCell(size, ...)"),
    ),
    Mistake("nn.Recurrent", "a number as cells", lambda: nn.Recurrent(3, 2), ArgumentError, ("3",)),
]

PACKING = [
    Mistake(
        "pack_padded_sequence",
        "rising lengths",
        lambda: rnn.pack_padded_sequence(x(), [1, 2, 3]),
        ArgumentError,
        ("longest first", "enforce_sorted=False"),
    ),
    Mistake(
        "pack_padded_sequence",
        "an empty sequence",
        lambda: rnn.pack_padded_sequence(x(), [4, 2, 0]),
        OutOfRangeError,
        ("[4, 2, 0]", "lengths="),
    ),
    Mistake(
        "pack_padded_sequence",
        "too few lengths",
        lambda: rnn.pack_padded_sequence(x(), [4]),
        ShapeError,
        ("batch of 3",),
    ),
    Mistake(
        "pack_padded_sequence",
        "lengths that are no integers",
        lambda: rnn.pack_padded_sequence(x(), [4.0, 2.0, 1.0]),
        DtypeError,
        ("lengths", "float64"),
    ),
    Mistake(
        "pack_padded_sequence",
        "an array",
        lambda: rnn.pack_padded_sequence(np.ones((3, 2)), [3, 2]),
        DtypeError,
        ("Tensor", "ndarray"),
    ),
    Mistake(
        "pack_padded_sequence",
        "lengths in a tensor inside a compiled step",
        lambda: tg.jit(rnn.pack_padded_sequence)(x(), tg.tensor([4, 2, 1])),
        RecordingError,
        ("tuple of integers", "lengths="),
    ),
    Mistake(
        "pad_packed_sequence",
        "a tensor",
        lambda: rnn.pad_packed_sequence(x()),
        DtypeError,
        ("PackedSequence", "Tensor"),
    ),
    Mistake(
        "pad_packed_sequence(total_length=)",
        "less than the longest",
        lambda: rnn.pad_packed_sequence(rnn.pack_padded_sequence(x(), [4, 2, 1]), total_length=3),
        ArgumentError,
        ("3", "4"),
    ),
    Mistake(
        "pad_sequence",
        "no sequences",
        lambda: rnn.pad_sequence([]),
        ArgumentError,
        ("no sequences",),
    ),
    Mistake(
        "pad_sequence",
        "sequences that differ in more than length",
        lambda: rnn.pad_sequence([x(2, 3), x(2, 4)]),
        ShapeError,
        ("(2, 3)", "(2, 4)"),
    ),
    Mistake(
        "pad_sequence(padding_side=)",
        "a side there is not",
        lambda: rnn.pad_sequence([x(2, 3)], padding_side="top"),
        ArgumentError,
        ("'top'", "'left'"),
    ),
    Mistake(
        "unpad_sequence",
        "too few lengths",
        lambda: rnn.unpad_sequence(x(), [4]),
        ShapeError,
        ("batch of 3",),
    ),
    Mistake(
        "PackedSequence",
        "sizes that do not fit the data",
        lambda: rnn.PackedSequence(x(4, 2), [2, 1]),
        ShapeError,
        ("(4, 2)", "3 steps"),
    ),
    Mistake(
        "PackedSequence",
        "sizes that rise",
        lambda: rnn.PackedSequence(x(3, 2), [1, 2]),
        ArgumentError,
        ("never rise",),
    ),
    Mistake(
        "PackedSequence",
        "an order that is none",
        lambda: rnn.PackedSequence(x(3, 2), [2, 1], [0, 0]),
        ArgumentError,
        ("[0, 0]",),
    ),
    Mistake(
        "nn.GRU()(packed, lengths=)",
        "lengths beside those of the packing",
        lambda: gru()(rnn.pack_padded_sequence(x(), [4, 2, 1]), lengths=[1, 1, 1]),
        ArgumentError,
        ("its own lengths",),
    ),
    Mistake(
        "parameters_to_vector",
        "no parameters",
        lambda: nn.utils.parameters_to_vector([]),
        ArgumentError,
        ("model.parameters()",),
    ),
    Mistake(
        "vector_to_parameters",
        "a vector of another length",
        lambda: nn.utils.vector_to_parameters(tg.ones(3), gru().parameters()),
        ShapeError,
        ("63", "(3,)"),
    ),
    Mistake("pad_sequence", "a number", lambda: rnn.pad_sequence(3), DtypeError, ("int",)),
    Mistake(
        "pack_padded_sequence",
        "lengths in rows that differ",
        lambda: rnn.pack_padded_sequence(x(), [[1], [1, 2]]),
        DtypeError,
        ("lengths",),
    ),
    Mistake(
        "pad_packed_sequence",
        "text as length",
        lambda: rnn.pad_packed_sequence(rnn.pack_sequence([x()]), total_length="a"),
        ArgumentError,
        ("total_length", "'a'"),
    ),
]

TABLE = {"Wiring of recurrent layers": WIRING, "Packed sequences": PACKING}
