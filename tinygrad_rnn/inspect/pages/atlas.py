"""The cell atlas: a page that colours a text by any unit of a model that read it.

What the page holds is made here: the text, every unit's values as bytes, the predictions, the
properties and their rankings. Nothing is computed that `read` and `search_units` did not.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.inspect.arguments import Array, Floats
from tinygrad_rnn.inspect.cells import Ranking
from tinygrad_rnn.inspect.colour import predictions_under
from tinygrad_rnn.inspect.pages.assembly import page
from tinygrad_rnn.inspect.properties import PROPERTIES, Property, property_of
from tinygrad_rnn.inspect.reading import Reading

STEPS = 127
"""Steps from 0 to a unit's largest absolute value; the values are kept as whole steps."""

GRADES = 255
"""Steps from 0 to 1 for probabilities and numeric properties."""


def atlas_page(
    reading: Reading,
    text: str,
    symbols: Sequence[str],
    found: Mapping[str, Ranking],
    properties: Mapping[str, Property] | None = None,
    title: str = "Cell atlas",
    about: str = "",
    start: str | None = None,
) -> str:
    """Return the atlas as one HTML file, to be opened from disk.

    A unit's values are kept as whole steps of 1/127 of its largest absolute value, so what the page
    shows differs from what was read by at most half a step. The file has about 4/3 bytes for each
    unit and character: 14 MB for 20,000 characters and h and c of 2 × 128 units.

    Args:
        reading: what `read` returned for this text, one symbol a character.
        text: the text, N characters.
        symbols: the text of each symbol number, such as `vocabulary.symbols`.
        found: what `search_units` returned.
        properties: those that were searched; `PROPERTIES` by default.
        title: heads the page.
        about: a line about the model and the text.
        start: the property whose best unit is shown first; by default the first in `found` that a
            unit tracks better than chance.

    Raises:
        ShapeError: if the text has another length than what was read, or the symbols are too few.
        ArgumentError: for a ranking of a property that is not among `properties`, or a value that
            is not finite.
    """
    data = atlas_data(reading, text, symbols, found, properties, title, about, start)
    return page("atlas", title, data)


def atlas_data(
    reading: Reading,
    text: str,
    symbols: Sequence[str],
    found: Mapping[str, Ranking],
    properties: Mapping[str, Property] | None = None,
    title: str = "Cell atlas",
    about: str = "",
    start: str | None = None,
) -> dict[str, Any]:
    """Return what the page of `atlas_page` reads, as JSON types. Arguments and errors are its.

    - `text`, `title`, `about`; `start`: a number in `properties`, or None if there are none.
    - `arrays`: for each state of each layer `name`, `scales` (each unit's largest absolute value)
      and `values`: for each unit N signed bytes in base64; a value is byte / 127 · scale.
    - `predictions`: `count` a character, `symbols`, `numbers` (N · count little-endian 32-bit
      numbers, the most probable first) and `shares` (N · count bytes, a 255th each), in base64.
    - `properties`: for each `name`, `about`, `boolean`, `minimum`, `maximum`, `values` (N bytes in
      base64: 0 or 1, or 255ths of the way from `minimum` to `maximum`), and of its ranking
      `measure`, `chance`, `shifts`, `split`, `baseline` and `scores` (`array`, `unit`, `sign`,
      `found`, `held_out`, `p`).
    """
    if not isinstance(reading, Reading):
        raise DtypeError(f"reading is what `read` returned, not {type(reading).__name__}")
    if not isinstance(text, str):
        raise DtypeError(f"a text is a str, not {type(text).__name__}")
    if len(text) != len(reading):
        raise ShapeError(
            f"{len(reading)} symbols were read and the text has {len(text)} characters; the atlas "
            "shows models that read one character a symbol"
        )
    known = PROPERTIES if properties is None else properties
    missing = [name for name in found if name not in known]
    if missing:
        raise ArgumentError(
            f"{missing[0]!r} was ranked and is not among the properties; give the ones that were "
            "searched"
        )
    return {
        "title": title,
        "about": about,
        "start": _start(found, start),
        "text": text,
        "arrays": [_array(name, values) for name, values in reading.values.items()],
        "predictions": _predictions(reading, symbols),
        "properties": [
            _property(name, known[name], text, ranking) for name, ranking in found.items()
        ],
    }


def quantised(values: Array) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return (N, H) numbers as whole steps -127 … 127 and each unit's largest absolute value."""
    scales: Floats = np.abs(values).max(0, initial=0.0).astype(np.float64)
    steps = values * (STEPS / np.where(scales > 0, scales, 1.0))
    return np.rint(steps).astype(np.int8), scales


def _start(found: Mapping[str, Ranking], wanted: str | None) -> int | None:
    names = list(found)
    if wanted is not None:
        if wanted not in found:
            raise ArgumentError(f"there is no ranking of {wanted!r} to start with; found: {names}")
        return names.index(wanted)
    beaten = [i for i, r in enumerate(found.values()) if r.best().held_out > r.chance]
    return next(iter([*beaten, *range(len(names))]), None)


def _array(name: str, values: Array) -> dict[str, Any]:
    if not np.isfinite(values).all():
        unit = int(np.argmin(np.isfinite(values).all(0)))
        raise ArgumentError(
            f"unit {unit} of {name!r} has a value that is not finite; the model has diverged"
        )
    steps, scales = quantised(values)
    return {"name": name, "scales": scales.tolist(), "values": [_base64(x) for x in steps.T]}


def _predictions(reading: Reading, symbols: Sequence[str]) -> dict[str, Any]:
    predictions_under(reading, symbols)  # which checks the symbols
    return {
        "count": reading.top.shape[1],
        "symbols": list(symbols),
        "numbers": _base64(reading.top.astype("<u4")),
        "shares": _base64(np.rint(reading.probabilities * GRADES).astype(np.uint8)),
    }


def _property(name: str, of: Property, text: str, ranking: Ranking) -> dict[str, Any]:
    values = property_of(text, of, repr(name))
    boolean = values.dtype.kind == "b"
    low, high = (0.0, 1.0) if boolean else (float(values.min()), float(values.max()))
    grades = values if boolean else np.rint((values - low) * (GRADES / ((high - low) or 1.0)))
    return {
        "name": name,
        "about": (of.__doc__ or "").strip(),
        "boolean": boolean,
        "minimum": low,
        "maximum": high,
        "values": _base64(grades.astype(np.uint8)),
        "measure": ranking.measure,
        "chance": ranking.chance,
        "shifts": ranking.shifts,
        "split": ranking.split,
        "baseline": ranking.baseline,
        "scores": [
            {
                "array": score.name,
                "unit": score.unit,
                "sign": score.sign,
                "found": score.found,
                "held_out": score.held_out,
                "p": score.p,
            }
            for score in ranking.scores
        ],
    }


def _base64(array: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
