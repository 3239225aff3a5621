"""The machine's peak rate of fused multiply-adds, as a loop that others can be measured beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SUMS = 12
STEPS = 100_000


def peak_loop() -> tuple[Callable[[], object], float]:
    """A call that runs the peak loop on every thread, and the floating-point operations in it."""
    import numba
    import numpy as np
    from numba.extending import intrinsic

    from tinygrad_rnn.kernels import get_num_threads
    from tinygrad_rnn.kernels.cache import kernel
    from tinygrad_rnn.kernels.simd import INDEX, INT32, Vectors, lanes, pointer_at
    from tinygrad_rnn.kernels.threads import run_task, team_address

    width = lanes("float32")

    @intrinsic
    def spin(typing_context: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            vectors = Vectors(builder, "float32", width)
            before = builder.block
            body = builder.append_basic_block("peak")
            done = builder.append_basic_block("peak_done")
            builder.branch(body)
            builder.position_at_end(body)
            left = builder.phi(INDEX)
            left.add_incoming(values[0], before)
            sums = [builder.phi(vectors.type) for _ in range(SUMS)]
            factor = vectors.constant(0.999)
            added = vectors.constant(0.001)
            updated = [vectors.fma(total, factor, added) for total in sums]
            for number, (total, value) in enumerate(zip(sums, updated, strict=True)):
                total.add_incoming(vectors.constant(number), before)
                total.add_incoming(value, body)
            remaining = builder.sub(left, INDEX(1))
            left.add_incoming(remaining, body)
            builder.cbranch(builder.icmp_signed(">", remaining, INDEX(0)), body, done)
            builder.position_at_end(done)
            total = updated[0]
            for value in updated[1:]:
                total = vectors.add(total, value)
            return builder.extract_element(total, INT32(0))

        return numba.float32(numba.intp), generate

    @kernel("void(intp, intp, intp)")
    def peak(arguments, part, parts):
        pointer_at(arguments, np.float32)[16 * part] = spin(STEPS)

    @kernel("void(intp, intp, intp)")
    def peak_entry(task, arguments, team):
        run_task(task, arguments, True, team)

    results = np.zeros(16 * get_num_threads(), np.float32)
    entry = peak_entry.compiled
    address = results.ctypes.data

    def work() -> object:
        entry(peak.address, address, team_address())
        return results

    return work, 2.0 * width * SUMS * STEPS * get_num_threads()
