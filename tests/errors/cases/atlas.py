"""Bad input of the cell atlas."""

from typing import Any

import numpy as np

from tests.errors.cases.mistake import Mistake
from tinygrad_rnn import inspect
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.inspect.pages import atlas_data, atlas_page

TEXT = "abab(c)d" * 20


def reading(last: float = 1.0) -> inspect.Reading:
    values = np.random.default_rng(0).normal(size=(len(TEXT), 2))
    values[-1, 1] = last
    count = len(TEXT)
    return inspect.Reading({"l0.h": values}, np.ones((count, 1), np.int64), np.ones((count, 1)))


def found() -> dict[str, inspect.Ranking]:
    return inspect.search_units(reading(), TEXT, shifts=5)


def wrong(x: Any) -> Any:
    return x


TABLE = {
    "Pages": [
        Mistake(
            "atlas_page(reading, …)",
            "no reading",
            lambda: atlas_page(wrong({}), TEXT, "abcd", {}),
            DtypeError,
            ("`read` returned", "not dict"),
        ),
        Mistake(
            "atlas_page(reading, text, …)",
            "a text of another length",
            lambda: atlas_page(reading(), TEXT[2:], "abcd", {}),
            ShapeError,
            ("160 symbols", "158 characters", "one character a symbol"),
        ),
        Mistake(
            "atlas_page(reading, text, symbols, …)",
            "too few symbols",
            lambda: atlas_page(reading(), TEXT, "a", {}),
            ShapeError,
            ("1 symbols", "number 1"),
        ),
        Mistake(
            "atlas_page(…, found, properties)",
            "a ranking of another property",
            lambda: atlas_page(reading(), TEXT, "abcd", found(), {}),
            ArgumentError,
            ("inside brackets", "among the properties"),
        ),
        Mistake(
            "atlas_page(…, start=name)",
            "a property that was not ranked",
            lambda: atlas_page(reading(), TEXT, "abcd", found(), start="rhymes"),
            ArgumentError,
            ("'rhymes'", "inside brackets"),
        ),
        Mistake(
            "atlas_data(reading, …)",
            "a model that diverged",
            lambda: atlas_data(reading(float("inf")), TEXT, "abcd", {}),
            ArgumentError,
            ("unit 1", "'l0.h'", "not finite"),
        ),
        Mistake(
            "inspect.colour_svg(text, values, columns=0)",
            "no room for a character",
            lambda: inspect.colour_svg("a", [1.0], columns=0),
            ArgumentError,
            ("columns", "0"),
        ),
    ]
}
