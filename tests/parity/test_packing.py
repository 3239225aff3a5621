"""Packed sequences and projected states against PyTorch's, in float64."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.parity.test_recurrent_layers import (
    arguments,
    assert_close,
    assert_same_gradients,
    copy_weights,
    kinds,
    pair,
    states_of,
    uniform,
)
from tests.tools import examples, values
from tinygrad_rnn import nn

torch = pytest.importorskip("torch")
theirs_of = torch.nn.utils.rnn
ours_of = nn.utils.rnn


@kinds
@examples(12)
@given(data=st.data())
def test_packed_batches_agree(kind: str, data: Any) -> None:
    """Outputs, final states, orders or gradients of packed sequences differ from PyTorch's."""
    name, extra = arguments(kind)
    lengths = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    ordered = data.draw(st.booleans())
    lengths = sorted(lengths, reverse=True) if ordered else lengths
    first = data.draw(st.booleans())
    extra |= {"bidirectional": data.draw(st.booleans())}
    if kind == "LSTM":
        extra |= {"proj_size": data.draw(st.integers(0, 2))}
    random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    ours = getattr(nn, name)(2, 3, 2, dtype=tg.float64, **extra)
    theirs = getattr(torch.nn, name)(2, 3, 2, dtype=torch.float64, **extra)
    copy_weights(ours, theirs, random)
    x, y = pair(uniform(random, *((len(lengths), 5) if first else (5, len(lengths))), 2))
    options = {"batch_first": first, "enforce_sorted": ordered}
    packed = ours_of.pack_padded_sequence(x, lengths, **options)
    wanted = theirs_of.pack_padded_sequence(y, lengths, **options)
    assert_close(packed.data, wanted.data)
    for attribute in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        have, want = getattr(packed, attribute), getattr(wanted, attribute)
        assert (have is None) == (want is None)
        assert want is None or have.tolist() == want.tolist()
    (out, state), (theirs_out, theirs_state) = ours(packed), theirs(wanted)
    assert_close(out.data, theirs_out.data)
    for a, b in zip(states_of(kind, state), states_of(kind, theirs_state), strict=True):
        assert_close(a, b)
    shown = {"batch_first": first, "padding_value": -1.5, "total_length": 6}
    padded, sizes = ours_of.pad_packed_sequence(out, **shown)
    theirs_padded, theirs_sizes = theirs_of.pad_packed_sequence(theirs_out, **shown)
    assert_close(padded, theirs_padded)
    assert sizes.tolist() == theirs_sizes.tolist()
    (padded * padded).sum().backward()
    (theirs_padded * theirs_padded).sum().backward()
    assert_close(x.grad, y.grad)
    assert_same_gradients(ours, theirs)


@examples(12)
@given(data=st.data())
def test_padding_and_packing_of_separate_sequences_agree(data: Any) -> None:
    """pad_sequence, pack_sequence or their inverses differ from PyTorch's."""
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    arrays = [uniform(random, n, 2) for n in lengths]
    ours, theirs = [tg.tensor(a) for a in arrays], [torch.from_numpy(a) for a in arrays]
    options = {
        "batch_first": data.draw(st.booleans()),
        "padding_value": data.draw(st.sampled_from([0.0, -3.0])),
        "padding_side": data.draw(st.sampled_from(["right", "left"])),
    }
    assert_close(ours_of.pad_sequence(ours, **options), theirs_of.pad_sequence(theirs, **options))
    packed = ours_of.pack_sequence(ours, enforce_sorted=False)
    assert_close(packed.data, theirs_of.pack_sequence(theirs, enforce_sorted=False).data)
    for a, b in zip(ours_of.unpack_sequence(packed), arrays, strict=True):
        assert np.array_equal(values(a), b)


def test_parameters_as_one_vector_agree() -> None:
    """The order of the vector differs from PyTorch's, or writing it back misplaces a number."""
    ours, theirs = nn.LSTM(2, 3, dtype=tg.float64), torch.nn.LSTM(2, 3, dtype=torch.float64)
    copy_weights(ours, theirs, np.random.default_rng(0))
    vector = nn.utils.parameters_to_vector(ours.parameters())
    assert_close(vector, torch.nn.utils.parameters_to_vector(theirs.parameters()))
    nn.utils.vector_to_parameters(vector * 2.0, ours.parameters())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(a, b * 2.0)
