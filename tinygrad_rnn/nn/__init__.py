"""Layers, losses and the unrolling of cells over time, under PyTorch's names."""

from typing import TYPE_CHECKING, Any

from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.nn import functional, init, utils
from tinygrad_rnn.nn.activation import (
    ELU,
    GELU,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from tinygrad_rnn.nn.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
)
from tinygrad_rnn.nn.cells import (
    CoupledLSTMCell,
    GatedCell,
    GRUCell,
    IRNNCell,
    LayerNormGatesLSTMCell,
    LayerNormLSTMCell,
    LSTMCell,
    LSTMState,
    MGUCell,
    PeepholeLSTMCell,
    RNNCell,
)
from tinygrad_rnn.nn.containers import (
    ModuleDict,
    ModuleList,
    ParameterDict,
    ParameterList,
    Sequential,
)
from tinygrad_rnn.nn.distance import CosineSimilarity, PairwiseDistance
from tinygrad_rnn.nn.dropout import Dropout
from tinygrad_rnn.nn.embedding import Embedding
from tinygrad_rnn.nn.linear import Linear
from tinygrad_rnn.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    TripletMarginLoss,
)
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.nn.norm import LayerNorm
from tinygrad_rnn.nn.recording import observe, record
from tinygrad_rnn.nn.recurrent import GRU, LSTM, RNN, Recurrent
from tinygrad_rnn.nn.shaping import Flatten, Identity
from tinygrad_rnn.nn.state import detach_state, map_state, state_tensors
from tinygrad_rnn.nn.truncation import TruncatedState, TruncatedWindow, truncated_windows

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CoupledLSTMCell",
    "CrossEntropyLoss",
    "DotAttention",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GatedCell",
    "GeneralAttention",
    "Hardtanh",
    "HuberLoss",
    "IRNNCell",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LSTMState",
    "LayerNorm",
    "LayerNormGatesLSTMCell",
    "LayerNormLSTMCell",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MGUCell",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PairwiseDistance",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "PeepholeLSTMCell",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "TripletMarginLoss",
    "TruncatedState",
    "TruncatedWindow",
    "detach_state",
    "functional",
    "init",
    "map_state",
    "observe",
    "record",
    "state_tensors",
    "truncated_windows",
    "utils",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
