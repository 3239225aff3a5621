"""The passes over the graph, in the order in which they run; each can be switched off by name.

A pass is a function of the graph that changes it in place and returns a sentence about what it did,
or nothing. Without any of them the program is right, only slow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.jit.graph import Graph
from tinygrad_rnn.jit.passes.accumulate import accumulate_products
from tinygrad_rnn.jit.passes.batch import batch_products
from tinygrad_rnn.jit.passes.dead import remove_dead
from tinygrad_rnn.jit.passes.lookups import look_up_one_hot
from tinygrad_rnn.jit.passes.slices import compute_in_slices, compute_in_steps
from tinygrad_rnn.jit.passes.stacks import compute_on_stacks
from tinygrad_rnn.jit.passes.sums import sum_at_once

Pass = Callable[[Graph], str]

PASSES: dict[str, Pass] = {
    "dead": remove_dead,
    "lookups": look_up_one_hot,
    "batch": batch_products,
    "stacks": compute_on_stacks,
    "steps": compute_in_steps,
    "accumulate": accumulate_products,
    "sums": sum_at_once,
    "slices": compute_in_slices,
}
# Simplifications while the tape is lowered, and choices of the planner.
ELSEWHERE = ("constants", "common", "place", "pack", "fuse", "overlay", "reuse")
NAMES = (*ELSEWHERE[:2], *PASSES, *ELSEWHERE[2:])


def check_names(off: Collection[str]) -> frozenset[str]:
    """Raise ArgumentError for a name that is no pass."""
    unknown = sorted(set(off) - set(NAMES))
    if unknown:
        raise ArgumentError(f"there is no pass {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return frozenset(off)


def run_passes(graph: Graph, off: Collection[str] = ()) -> None:
    """Run every pass that is not switched off."""
    for name, change in PASSES.items():
        if name not in off:
            note = change(graph)
            if note:
                graph.notes.append((name, note))
