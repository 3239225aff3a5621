"""Layers, losses and the unrolling of cells over time, under PyTorch's names."""

from tinygrad_rnn.nn import functional, init, utils
from tinygrad_rnn.nn.activation import ReLU, Sigmoid, Tanh
from tinygrad_rnn.nn.cells import GRUCell, LSTMCell, LSTMState, RNNCell
from tinygrad_rnn.nn.containers import ModuleList, Sequential
from tinygrad_rnn.nn.dropout import Dropout
from tinygrad_rnn.nn.embedding import Embedding
from tinygrad_rnn.nn.linear import Linear
from tinygrad_rnn.nn.loss import CrossEntropyLoss, MSELoss, NLLLoss
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.nn.recurrent import GRU, LSTM, RNN, Recurrent
from tinygrad_rnn.nn.state import detach_state, map_state, state_tensors

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "LSTMState",
    "Linear",
    "MSELoss",
    "Module",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "detach_state",
    "functional",
    "init",
    "map_state",
    "state_tensors",
    "utils",
]
