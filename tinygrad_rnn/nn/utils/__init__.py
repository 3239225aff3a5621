"""Helpers for gradients, parameters and sequences, under the names of torch.nn.utils."""

from typing import TYPE_CHECKING, Any

from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.nn.utils import rnn
from tinygrad_rnn.nn.utils.clipping import clip_grad_norm_, clip_grad_value_, get_total_norm
from tinygrad_rnn.nn.utils.vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
