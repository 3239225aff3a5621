"""What a checkpoint of a language model holds, and reading it back as a model.

The file format is that of `tinygrad_rnn.checkpoints`; this file gives the names inside meaning.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.checkpoints import Array, Checkpoint, load_checkpoint
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    StateDictError,
    VocabularyError,
)
from tinygrad_rnn.lm.model import CUSTOM, CellFactory, RecurrentLanguageModel
from tinygrad_rnn.lm.settings import TrainingSettings
from tinygrad_rnn.text import Vocabulary
from tinygrad_rnn.text.arguments import text_of
from tinygrad_rnn.training.saving import named

KIND = "recurrent language model in training"
SECTIONS = (
    "model",
    "vocabulary",
    "training",
    "optimizer",
    "schedule",
    "generator",
    "streams",
    "progress",
    "text",
)
"""The parts of a checkpoint's settings."""

_CHUNK = 1 << 20


class SavedModel(NamedTuple):
    """A trained model as a checkpoint holds it.

    Attributes:
        model: in evaluation mode.
        vocabulary: the one it was trained with.
        training: how it was trained.
        text: what it was trained on: "name", "symbols" and "sha256" of these.
        progress: "iteration", "best_loss" and others, as the run had them.
    """

    model: RecurrentLanguageModel
    vocabulary: Vocabulary
    training: TrainingSettings
    text: dict[str, Any]
    progress: dict[str, Any]


def load_model(path: str | os.PathLike[str], cell: CellFactory | None = None) -> SavedModel:
    """Read the model of a checkpoint that training wrote.

    Args:
        path: the file.
        cell: the function that makes the cell, where the model was built with one of your own.

    Raises:
        CheckpointError: when the file is damaged, is no checkpoint of a language model, or holds
            other weights than the model it describes; it says which.
    """
    return restored(path, read_run(path), cell)


def read_run(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint and make sure that it is one of a language model in training."""
    checkpoint = load_checkpoint(path)
    kind = checkpoint.settings.get("kind")
    if kind != KIND:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a language model in training: its kind is {kind!r}"
        )
    missing = [name for name in SECTIONS if not isinstance(checkpoint.settings.get(name), Mapping)]
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}, so it cannot be used")
    return checkpoint


def restored(
    path: str | os.PathLike[str], checkpoint: Checkpoint, cell: CellFactory | None
) -> SavedModel:
    """Build the model that a checkpoint describes and give it the weights that it holds."""
    settings = checkpoint.settings
    shape = dict(settings["model"])
    custom = shape.get("kind") == CUSTOM
    if custom != (cell is not None):
        raise CheckpointError(
            f"the model in {path} has a cell of its own; pass the function that makes it as cell="
            if custom
            else f"the model in {path} is of kind {shape.get('kind')!r} and takes no cell="
        )
    try:
        model = RecurrentLanguageModel(**(shape | ({"kind": cell} if custom else {})))
        training = TrainingSettings(**settings["training"])
        vocabulary = Vocabulary.from_json(settings["vocabulary"])
    except (TypeError, ArgumentError, VocabularyError) as error:
        raise CheckpointError(f"{path} holds settings that cannot be used: {error}") from error
    if len(vocabulary) != model.vocabulary_size:
        raise CheckpointError(
            f"{path} holds a vocabulary of {len(vocabulary)} symbols for a model of "
            f"{model.vocabulary_size}"
        )
    try:
        model.load_state_dict(named(checkpoint.arrays, "model"))
    except StateDictError as error:
        raise CheckpointError(f"the weights in {path} do not fit: {error}") from error
    return SavedModel(
        model.eval(), vocabulary, training, dict(settings["text"]), dict(settings["progress"])
    )


def require_same_text(
    path: str | os.PathLike[str], saved: dict[str, Any], ids: npt.ArrayLike
) -> Array:
    """Return a text as an array. Raises CheckpointError unless a model was trained on it.

    Args:
        path: the model's checkpoint, to be named in the error.
        saved: what the checkpoint holds of the text: `SavedModel.text`.
        ids: the text as symbol numbers, (N,).
    """
    given = text_of(ids)
    if saved.get("symbols") == len(given) and saved.get("sha256") == fingerprint(given):
        return given
    what = "of the same length, but with other contents"
    if saved.get("symbols") != len(given):
        what = f"of {len(given)} symbols"
    name = f" ({saved['name']})" if saved.get("name") else ""
    raise CheckpointError(
        f"{path} was trained on a text of {saved.get('symbols')} symbols{name}, and this one is "
        f"{what}; give the same text"
    )


def fingerprint(ids: npt.NDArray[Any]) -> str:
    """Return the SHA-256 of a text's symbol numbers, whatever integer type they are kept in."""
    digest = hashlib.sha256()
    for start in range(0, len(ids), _CHUNK):
        digest.update(np.asarray(ids[start : start + _CHUNK]).astype("<i8").tobytes())
    return digest.hexdigest()
