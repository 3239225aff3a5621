"""Optimizers and learning-rate schedules, written in Tensor operations and `assign`."""

from typing import TYPE_CHECKING, Any

from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.optim import lr_scheduler
from tinygrad_rnn.optim.adagrad import Adagrad
from tinygrad_rnn.optim.adam import Adam, AdamW
from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.lbfgs import LBFGS
from tinygrad_rnn.optim.lr_scheduler import ExponentialLR, LambdaLR
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.optim.rmsprop import RMSprop
from tinygrad_rnn.optim.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ExponentialLR",
    "LambdaLR",
    "Optimizer",
    "ParameterGroup",
    "RMSprop",
    "lr_scheduler",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
