"""Bad input of a tensor's methods: divisors, indices, shapes and numbers that do not fit."""

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    NumericalError,
    OutOfRangeError,
    ShapeError,
    UnsupportedError,
)


def v() -> tg.Tensor:
    return tg.ones(3)


def m() -> tg.Tensor:
    return tg.ones(2, 3)


def whole() -> tg.Tensor:
    return tg.tensor([7, -7])


def small() -> tg.Tensor:
    return tg.tensor([1, 2], dtype=tg.uint8)


def set_item(index: Any) -> None:
    m()[index] = 0.0


def set_in_graph(index: Any) -> None:
    x = m().requires_grad_() * 2.0
    x[index] = 0.0


ARITHMETIC = [
    Mistake("//", "integers by 0", lambda: whole() // 0, NumericalError, ("by 0", "as floats")),
    Mistake(
        "%",
        "integers by a tensor with 0",
        lambda: whole() % tg.tensor([2, 0]),
        NumericalError,
        ("remainder", "by 0", "replace the zeros"),
    ),
    Mistake(
        "masked_fill",
        "a number beyond the type",
        lambda: small().masked_fill(small() > 1, 300),
        DtypeError,
        ("300", "uint8", "0 to 255", "wider"),
    ),
    Mistake(
        "masked_fill",
        "infinity among integers",
        lambda: whole().masked_fill(whole() > 0, float("inf")),
        DtypeError,
        ("inf", "int64"),
    ),
    Mistake(
        "new_full",
        "a number beyond the type",
        lambda: small().new_full((2,), -1),
        DtypeError,
        ("-1", "uint8", "wider"),
    ),
    Mistake(
        "new_full",
        "several numbers",
        lambda: v().new_full((2,), [1, 2]),
        ShapeError,
        ("one number", "(2,)"),
    ),
    Mistake(
        "new_tensor",
        "a number beyond the type",
        lambda: small().new_tensor([1, 256]),
        DtypeError,
        ("256", "uint8", "wider"),
    ),
    Mistake(
        "new_tensor",
        "rows of two lengths",
        lambda: v().new_tensor([[1], [2, 3]]),
        DtypeError,
        ("cannot make a tensor",),
    ),
    Mistake(
        "round",
        "half a decimal",
        lambda: v().round(decimals=0.5),  # type: ignore[arg-type]
        ArgumentError,
        ("decimals", "0.5"),
    ),
    Mistake(
        "round", "decimals of integers", lambda: whole().round(decimals=1), DtypeError, ("int64",)
    ),
    Mistake(
        "rand",
        "a seed as generator",
        lambda: tg.rand(2, generator=5),  # type: ignore[arg-type]
        ArgumentError,
        ("Generator(seed)", "5"),
    ),
]

PRODUCTS = [
    Mistake(
        name,
        kind,
        lambda x=x, name=name, other=other: getattr(x, name)(other),  # type: ignore[misc]
        DtypeError,
        (name, type(other).__name__, "tensor()"),
    )
    for name, x in (("mm", m()), ("bmm", tg.ones(1, 2, 3)), ("dot", v()))
    for kind, other in (("a list", [1.0]), ("None", None))
]

SHAPES = [
    Mistake(
        "reshape", "a length of -2", lambda: m().reshape(-2, 3), ShapeError, ("(-2, 3)", "one -1")
    ),
    Mistake(
        "flatten",
        "an axis that one number has not",
        lambda: tg.tensor(1.0).flatten(0, 9),
        OutOfRangeError,
        ("axis 9",),
    ),
    Mistake(
        "sum_to_size", "another length", lambda: m().sum_to_size(2), ShapeError, ("(2,)", "(2, 3)")
    ),
    Mistake(
        "tril",
        "half a diagonal",
        lambda: m().tril(0.5),  # type: ignore[arg-type]
        ArgumentError,
        ("diagonal", "0.5"),
    ),
]

INDEXING = [
    Mistake(
        "x[index]",
        "a list of lists",
        lambda: m()[[[0, 1], [1, 0]]],
        UnsupportedError,
        ("list of list", "PyTorch", "x[tensor(rows)]", "x[tuple(rows)]"),
    ),
    Mistake(
        "x[index]",
        "a list of tensors",
        lambda: m()[[tg.tensor([0, 1]), tg.tensor([0])]],
        UnsupportedError,
        ("list of Tensor", "x[tuple(rows)]"),
    ),
    Mistake(
        "x[index]",
        "a list of unequal rows",
        lambda: m()[:, [[0, 1], [0]]],
        ArgumentError,
        ("rows of equal length",),
    ),
    Mistake(
        "x[index] = value",
        "a list of lists",
        lambda: set_item([[0, 1], [1, 0]]),
        UnsupportedError,
        ("list of list", "x[tensor(rows)]"),
    ),
    Mistake(
        "x[index] = value",
        "a step of 0 in the graph",
        lambda: set_in_graph(slice(None, None, 0)),
        ArgumentError,
        ("slice(None, None, 0)", "zero"),
    ),
    Mistake(
        "x[index] = value",
        "a slice of text in the graph",
        lambda: set_in_graph(slice("a", None)),
        ArgumentError,
        ("'a'",),
    ),
    Mistake(
        "index_select",
        "an index before the beginning",
        lambda: m().index_select(0, tg.tensor([-1])),
        OutOfRangeError,
        ("-1", "length 2"),
    ),
    Mistake(
        "masked_select",
        "a mask of another shape",
        lambda: m().masked_select(tg.tensor([True, False])),
        ShapeError,
        ("(2, 3)", "(2,)"),
    ),
    Mistake(
        "masked_select",
        "an array as mask",
        lambda: m().masked_select(np.ones((2, 3), np.bool_)),  # type: ignore[arg-type]
        DtypeError,
        ("tensor of booleans",),
    ),
    Mistake(
        "x[0] = number",
        "a number that an integer type does not reach",
        lambda: tg.zeros(3, dtype=tg.uint8).__setitem__(0, 300),
        DtypeError,
        ("300", "uint8"),
    ),
    Mistake(
        "fill_",
        "infinity for an integer type",
        lambda: tg.zeros(3, dtype=tg.int64).fill_(float("inf")),
        DtypeError,
        ("inf", "int64"),
    ),
]

TABLE = {
    "Arithmetic and reading": ARITHMETIC,
    "Products": PRODUCTS,
    "Shapes and joins": SHAPES,
    "Indexing": INDEXING,
}
