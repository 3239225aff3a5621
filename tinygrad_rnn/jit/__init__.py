"""Record a step once, run it as one compiled call.

    recorder → tape → lowering → graph → passes → codegen → program

`recorder` listens while the step runs and writes the `tape`; `lowering` turns the tape into a
`graph` of operations on views; the `passes` make it small and fast; `codegen` finds the kernel for
each operation; `program` lays out memory and runs the table of kernels; `replay` carries arguments
in and results out, `guards` notice what changed outside, `check` compares with NumPy; `function`
is what users call.
"""

from typing import TYPE_CHECKING, Any

from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.jit.function import JitFunction, jit

__all__ = ["JitFunction", "jit"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
