"""Optimizers and learning-rate schedules, written in Tensor operations and `assign`."""

from tinygrad_rnn.optim.adagrad import Adagrad
from tinygrad_rnn.optim.adam import Adam
from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.optim.rmsprop import RMSprop
from tinygrad_rnn.optim.schedules import ExponentialLR, LambdaLR
from tinygrad_rnn.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "ExponentialLR",
    "LambdaLR",
    "Optimizer",
    "ParameterGroup",
    "RMSprop",
]
