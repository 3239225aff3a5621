"""Parameter, where torch.nn.parameter has it."""

from tinygrad_rnn.nn.module import Parameter as Parameter
