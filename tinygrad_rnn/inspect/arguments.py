"""What the functions of this folder share: the check of what they are given, norms and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn import engine
from tinygrad_rnn.context import state
from tinygrad_rnn.errors import DtypeError, GraphError, RecordingError
from tinygrad_rnn.tensor import Operation, Tensor

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def tensors_of(given: Any, what: str) -> list[Tensor]:
    """Return one tensor or a sequence of them as a list."""
    tensors = [given] if isinstance(given, Tensor) else given
    if not isinstance(tensors, Sequence) or isinstance(tensors, str):
        raise DtypeError(f"{what} is a Tensor or a sequence of them, not {type(given).__name__}")
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise DtypeError(f"{what} holds Tensors, not {type(tensor).__name__}")
    return list(tensors)


def recorded_nodes(outputs: Sequence[Tensor], what: str) -> list[engine.Node]:
    """Return the nodes that the outputs depend on, in the order in which they were recorded.

    Raises GraphError where nothing was recorded, or where it has been released, and RecordingError
    inside jit: what is shown are numbers, and would be those of the first call for ever.
    """
    if state.recorder is not None:
        raise RecordingError(
            f"the graph of {what} cannot be shown inside jit, whose later calls record no graph; "
            "compute it eagerly, by the function without jit"
        )
    for output in outputs:
        if output.grad_fn is None:
            raise GraphError(
                f"{what} of shape {output.shape} has no graph: it was made by hand, computed "
                "under no_grad() or inside jit, or detached. Compute it eagerly from tensors that "
                "require a gradient, and pass it on as it is"
            )
    try:
        nodes = engine.reachable(outputs)
    except GraphError as error:
        raise GraphError(
            f"the graph of {what} was released by an earlier backward, and cannot be shown any "
            "more. Look at it before calling backward, or keep it with "
            f"backward(retain_graph=True). {error}"
        ) from error
    return nodes[::-1]


def norm_of(array: Array) -> float:
    """Return the Euclidean length of an array of numbers, summed in float64."""
    flat = np.asarray(array, np.float64).reshape(-1)
    # A dot product would wake BLAS's threads, which costs more than it saves.
    return float(np.sqrt(np.square(flat).sum()))


def name_of(node: engine.Node) -> str:
    """Return the name of a node's operation."""
    if isinstance(node, Operation):
        return node.primitive.name
    return node.describe().split("`")[1] if "`" in node.describe() else node.describe()
