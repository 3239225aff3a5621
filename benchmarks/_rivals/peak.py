"""The machine's fused multiply-adds, measured in the same rounds as the contenders."""

from benchmarks._peak import peak_loop
from benchmarks._workers import Work
from tinygrad_rnn import set_num_threads


def peak(threads: int) -> Work:
    """The peak loop; `facts` holds the floating-point operations of a call."""
    set_num_threads(threads)
    call, operations = peak_loop()
    return Work(call, facts={"operations": operations})
