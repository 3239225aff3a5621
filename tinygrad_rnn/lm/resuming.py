"""A training run as a checkpoint, and back: everything that decides how the run goes on.

`training` runs; this file knows what of a run is kept and under which names. `saving` reads the
same files where only the model is wanted.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.checkpoints import Checkpoint
from tinygrad_rnn.creation import as_tensor
from tinygrad_rnn.errors import ArgumentError, CheckpointError, StateDictError
from tinygrad_rnn.generator import default_generator
from tinygrad_rnn.lm.saving import KIND
from tinygrad_rnn.nn import map_state, state_tensors
from tinygrad_rnn.training.saving import arrays_of, named, put_back_optimizer, settings_of

if TYPE_CHECKING:
    from tinygrad_rnn.lm.training import Trainer

_KEPT = ("iteration", "first_loss", "smoothed_loss", "best_loss", "seconds")


def checkpoint_of(trainer: Trainer, history_rows: int) -> Checkpoint:
    """Return a run as arrays, which share memory with the model, and JSON types."""
    arrays = arrays_of(trainer.model, trainer.optimizer)
    for number, tensor in enumerate(state_tensors(trainer.state)):
        arrays[f"state.{number}"] = tensor.detach().numpy()
    progress: dict[str, Any] = {name: getattr(trainer, name) for name in _KEPT}
    progress["history_rows"] = history_rows
    return Checkpoint(
        arrays,
        {
            "kind": KIND,
            "model": trainer.model.settings(),
            "vocabulary": trainer.vocabulary.to_json(),
            "training": trainer.settings.to_json(),
            "optimizer": settings_of(trainer.optimizer),
            "schedule": trainer.schedule.state_dict(),
            "generator": default_generator.get_state(),
            "streams": trainer.streams.state_dict(),
            "progress": progress,
            "text": trainer.text,
        },
    )


def put_back(trainer: Trainer, path: str | os.PathLike[str], checkpoint: Checkpoint) -> int:
    """Give a trainer what its checkpoint holds beyond the model; return the rows of the history.

    The state of the generator of `manual_seed` is put back, too.

    Raises CheckpointError that names what is missing or does not fit.
    """
    arrays, settings = checkpoint
    try:
        put_back_optimizer(trainer.optimizer, arrays, settings["optimizer"])
        trainer.schedule.load_state_dict(settings["schedule"])
        trainer.streams.load_state_dict(settings["streams"])
        tensors = named(arrays, "state")
        wanted = state_tensors(trainer.state)
        if [tensors[str(i)].shape for i in range(len(tensors))] != [t.shape for t in wanted]:
            raise ArgumentError("the carried state has another shape than the model's")
        parts = iter([as_tensor(tensors[str(i)]) for i in range(len(tensors))])
        trainer.state = map_state(lambda _: next(parts), trainer.state)
        progress = settings["progress"]
        for name in _KEPT:
            setattr(trainer, name, type(getattr(trainer, name))(progress[name]))
        rows = int(progress["history_rows"])
        default_generator.set_state(settings["generator"])
    except StateDictError as error:
        raise _unusable(path, str(error)) from error
    except KeyError as error:
        raise _unusable(path, f"it holds no {error}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    return rows


def _unusable(path: str | os.PathLike[str], why: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be resumed from: {why}")
