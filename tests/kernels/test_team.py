"""A team of threads that walks a table of tasks, on a machine that does not always let it."""

import numpy as np
import pytest

from tinygrad_rnn import kernels
from tinygrad_rnn.kernels import team
from tinygrad_rnn.kernels.atomics import atomic_load
from tinygrad_rnn.kernels.cache import kernel
from tinygrad_rnn.kernels.simd import pointer_at

ELEMENTS = 10
TASKS = 8
# The words of a task: where it counts, where it notes the number of parts, how long part 1 takes.
COUNTS, SEEN, DELAY = range(3)
LONG = 20_000_000  # loads one after the other: some milliseconds
SECONDS = 0.01  # of a table, as a program would guess; a tenth is its patience


@kernel("void(intp, intp, intp)")
def _count(words, part, parts):
    given = pointer_at(words, np.int64)
    counts = pointer_at(given[COUNTS], np.int64)
    for i in range(ELEMENTS * part // parts, ELEMENTS * (part + 1) // parts):
        counts[i] += 1
    if part == 0:
        pointer_at(given[SEEN], np.int64)[0] = parts
    if part == parts - 1:
        for _ in range(given[DELAY]):
            atomic_load(words)


class Table:
    """Tasks that count, each after a barrier."""

    def __init__(self, delays, flags):
        self.counts = np.zeros(ELEMENTS, np.int64)
        self.seen = np.zeros(len(delays), np.int64)
        self.words = np.zeros((len(delays), 3), np.int64)
        rows = []
        for i, delay in enumerate(delays):
            self.words[i] = self.counts.ctypes.data, self.seen[i:].ctypes.data, delay
            rows += [_count.address, self.words[i].ctypes.data, flags[i]]
        self.status = np.zeros(team.STATUS_WORDS, np.int64)
        self.header = team.Header(np.array(rows, np.int64), self.status, SECONDS)
        self.runs = 0

    def run(self):
        """Run, and return how many parts each task was divided into."""
        assert team.runner()(self.header.address, True) == 0
        self.runs += 1
        assert (self.counts == self.runs * len(self.seen)).all()
        return self.seen.tolist()

    def run_together(self):
        """Run until the team came together; on a busy machine that may take a while."""
        for _ in range(100):
            seen = self.run()
            if seen[0] > 1:
                return seen
        pytest.skip("this machine never let two threads run together")


@pytest.fixture(autouse=True)
def _two_threads():
    before = kernels.get_num_threads()
    kernels.set_num_threads(2)
    if kernels.get_num_threads() < 2:
        pytest.skip("one CPU")
    yield
    kernels.set_num_threads(before)


def test_a_team_that_waits_breaks_up():
    """Wrong if threads that share a CPU went on waiting for each other at every barrier.

    `Table.run` holds it to doing every piece of work once all the same.
    """
    table = Table([LONG] * TASKS, [team.DIVIDED + team.BARRIER] * TASKS)
    seen = table.run_together()
    assert seen[-1] == 1
    assert sorted(seen, reverse=True) == seen


def test_afterwards_one_thread_works_alone_for_a_while():
    """Wrong if each run tried again at once, while the other threads still spin on this CPU."""
    table = Table([LONG] * TASKS, [team.DIVIDED + team.BARRIER] * TASKS)
    for _ in range(10):
        table.run_together()
        if table.header.words[team.RESTING]:
            break
    resting = int(table.header.words[team.RESTING])
    assert resting > 0
    for left in reversed(range(resting)):
        assert table.run() == [1] * TASKS
        assert table.header.words[team.RESTING] == left
    assert table.run_together()[0] == 2


def test_the_work_of_one_is_waited_for():
    """Wrong if a team broke up because one thread had something to do that cannot be divided."""
    divided = team.DIVIDED + team.BARRIER
    for _ in range(20):
        table = Table([0, 10 * LONG, 0, 0], [divided, team.BARRIER, divided, divided])
        seen = table.run_together()
        if seen == [2, 1, 2, 2]:
            return
    raise AssertionError(seen)
