"""Compiled kernels on NumPy arrays: matrix products, activations, softmax, random numbers, threads.

They see ndarrays and addresses, never a Tensor; float32 and float64; inputs are never modified.
Nothing is compiled, read or printed on import: each kernel is compiled, or loaded from the user's
cache directory, when it is first called. Results do not depend on the number of threads.
"""

from tinygrad_rnn.kernels.activations import erf, exp, sigmoid, tanh
from tinygrad_rnn.kernels.gemm import matmul, sum_of_products
from tinygrad_rnn.kernels.random import fill_uniform, uniform_blocks
from tinygrad_rnn.kernels.softmax import log_softmax, softmax
from tinygrad_rnn.kernels.threads import get_num_threads, set_num_threads

__all__ = [
    "erf",
    "exp",
    "fill_uniform",
    "get_num_threads",
    "log_softmax",
    "matmul",
    "set_num_threads",
    "sigmoid",
    "softmax",
    "sum_of_products",
    "tanh",
    "uniform_blocks",
]
