"""What the wrapper adds to cells: padding, resets, noise, residuals, attention, recordings."""

import gc
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import Array, examples, same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.nn.utils import rnn as packing


class Pair(NamedTuple):
    fast: tg.Tensor
    slow: tg.Tensor


class OwnCell(nn.Module):
    """A user's cell: no project(), a state of two tensors of different sizes, its own output."""

    def __init__(self, input_size: int, hidden_size: int, dtype: Any = tg.float64) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.read = nn.Linear(input_size + hidden_size, hidden_size, dtype=dtype)
        self.slower = nn.Linear(hidden_size, 2, dtype=dtype)

    def initial_state(self, batch: int) -> Pair:
        dtype = self.read.weight.dtype
        return Pair(
            tg.full((batch, self.hidden_size), 0.1, dtype=dtype), tg.zeros(batch, 2, dtype=dtype)
        )

    def forward(self, x: tg.Tensor, state: Pair) -> tuple[tg.Tensor, Pair]:
        fast = self.read(tg.cat([x, state.fast], -1)).tanh()
        gate = self.slower(fast).sigmoid()
        nn.record(gate=gate)
        slow = state.slow * gate + 0.5
        return fast * slow.sum(-1, keepdim=True), Pair(fast, slow)


class Leaky(nn.Module):
    """The smallest cell there can be: one number that fades."""

    hidden_size = 2
    input_size = 2

    def forward(self, x: tg.Tensor, state: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        after = state * 0.5 + x
        return after, after


KINDS: dict[str, Any] = {
    "RNN": lambda *a, **k: nn.RNN(*a, dtype=tg.float64, **k),
    "LSTM": lambda *a, **k: nn.LSTM(*a, dtype=tg.float64, **k),
    "projected LSTM": lambda *a, **k: nn.LSTM(*a, proj_size=2, dtype=tg.float64, **k),
    "GRU": lambda *a, **k: nn.GRU(*a, dtype=tg.float64, **k),
    "own": lambda size, hidden, layers=1, **k: nn.Recurrent(
        lambda n: OwnCell(n, hidden), size, layers, **k
    ),
}
kinds = pytest.mark.parametrize("kind", list(KINDS))


def layer_of(kind: str, *sizes: int, seed: int = 0, **options: Any) -> nn.Recurrent:
    tg.manual_seed(seed)
    made: nn.Recurrent = KINDS[kind](*sizes, **options)
    return made


def normal(*shape: int, seed: int = 0) -> tg.Tensor:
    return tg.tensor(np.random.default_rng((seed, *shape)).standard_normal(shape))


def tensors(state: Any) -> list[tg.Tensor]:
    return nn.state_tensors(state)


def row_of(state: Any, row: int, stacked: bool) -> list[Array]:
    return [values(s)[:, row] if stacked else values(s)[row] for s in tensors(state)]


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


# ---------------------------------------------------------------------- padding


@kinds
@examples(10)
@given(data=st.data())
def test_any_mask_gives_what_each_sequence_gives_alone(kind: str, data: Any) -> None:
    """Padding (left, right, in the middle, of NaN) changes a result, a state or a gradient."""
    seed = data.draw(st.integers(0, 999))
    steps, batch, layers = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3)), 2
    both, first = data.draw(st.booleans()), data.draw(st.booleans())
    layer = layer_of(kind, 2, 3, layers, seed=seed, bidirectional=both, batch_first=first)
    random = np.random.default_rng(seed)
    real = random.random((steps, batch)) < 0.6
    numbers = random.standard_normal((steps, batch, 2))
    x = tg.tensor(np.where(real[..., None], numbers, np.nan), requires_grad=True)
    x_in = x.transpose(0, 1) if first else x
    out, final = layer(x_in, mask=real.T if first else real)
    out = out.transpose(0, 1) if first else out
    # Every parameter takes part, also where no row has a step.
    wanted = sum((p * 0.0).sum() for p in layer.parameters())
    for row in range(batch):
        alone = tg.tensor(numbers[real[:, row], row][:, None], requires_grad=True)
        one, after = layer(alone.transpose(0, 1) if first else alone)
        one = one.transpose(0, 1) if first else one
        close(values(out)[real[:, row], row], values(one)[:, 0])
        assert not values(out)[~real[:, row], row].any()
        for have, want in zip(
            row_of(final, row, layer._stacks_states), row_of(after, 0, layer._stacks_states),
            strict=True,
        ):
            close(have, want)
        wanted = wanted + (one * one).sum() + sum((s * 3.0).sum() for s in tensors(after))
    loss = (out * out).sum() + sum((s * 3.0).sum() for s in tensors(final))
    found = tg.grad(loss, [x, *layer.parameters()], allow_unused=True)
    alone_gradients = tg.grad(wanted, list(layer.parameters()))
    assert np.isfinite(values(found[0])).all()
    assert not values(found[0])[~real].any()
    for have, want in zip(found[1:], alone_gradients, strict=True):
        if have is None:
            assert not values(want).any()
        else:
            close(values(have), values(want))


@kinds
def test_lengths_are_a_mask_whose_padding_is_on_the_right(kind: str) -> None:
    """`lengths` as list, array and tensor do not mean the same, or not the mask they stand for."""
    layer = layer_of(kind, 2, 3, 2, bidirectional=True)
    x, lengths = normal(4, 3, 2), [4, 0, 2]
    mask = np.arange(4)[:, None] < np.array(lengths)
    wanted, state = layer(x, mask=mask)
    for given_lengths in (lengths, np.array(lengths, np.int32), tg.tensor(lengths)):
        out, final = layer(x, lengths=given_lengths)
        assert same_bits(out, wanted)
        assert all(map(same_bits, tensors(final), tensors(state)))


@kinds
@examples(8)
@given(data=st.data())
def test_a_packed_sequence_gives_what_its_lengths_give(kind: str, data: Any) -> None:
    """Packing loses a step or an order, on the way in or on the way out."""
    lengths = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    layer = layer_of(kind, 2, 3, bidirectional=True)
    x = normal(max(lengths), len(lengths), 2)
    wanted, state = layer(x, lengths=lengths)
    packed = packing.pack_padded_sequence(x, lengths, enforce_sorted=False)
    out, final = layer(packed)
    assert isinstance(out, packing.PackedSequence)
    padded, sizes = packing.pad_packed_sequence(out)
    assert sizes.tolist() == lengths
    assert same_bits(padded, wanted)
    assert all(map(same_bits, tensors(final), tensors(state)))
    parts = packing.unpack_sequence(out)
    for i, n in enumerate(lengths):
        assert same_bits(parts[i], wanted[:n, i])
    again = packing.pack_sequence(packing.unpack_sequence(packed), enforce_sorted=False)
    assert same_bits(again.data, packed.data)
    assert again.batch_sizes.tolist() == packed.batch_sizes.tolist()


# ---------------------------------------------------------------------- resets


@kinds
def test_rows_are_reset_without_touching_the_others(kind: str) -> None:
    """Starting some rows anew changes the others, or leaves something of the old state."""
    layer = layer_of(kind, 2, 3, 2, learn_initial_state=True)
    x = normal(4, 3, 2)
    _, carried = layer(x)
    rows = np.array([True, False, True])
    by_argument, after = layer(x, carried, reset=rows)
    by_method, after_too = layer(x, layer.reset_state(carried, rows))
    fresh, _ = layer(x)
    old, _ = layer(x, carried)
    assert same_bits(by_argument, by_method)
    assert all(map(same_bits, tensors(after), tensors(after_too)))
    close(values(by_argument)[:, rows], values(fresh)[:, rows])
    close(values(by_argument)[:, ~rows], values(old)[:, ~rows])


@kinds
@pytest.mark.parametrize("both", [False, True])
def test_a_reset_in_the_middle_separates_two_sequences(kind: str, both: bool) -> None:
    """State leaks over the place where a new sequence begins, forwards or backwards."""
    layer = layer_of(kind, 2, 3, 1, bidirectional=both)
    x = normal(5, 2, 2)
    begins = np.zeros((5, 2), bool)
    begins[2, 0] = begins[4, 0] = True
    out, _ = layer(x, reset=begins)
    whole, _ = layer(x)
    pieces = [layer(x[a:b])[0] for a, b in ((0, 2), (2, 4), (4, 5))]
    close(values(out)[:, 0], values(tg.cat(pieces))[:, 0])
    close(values(out)[:, 1], values(whole)[:, 1])


# ---------------------------------------------------------------------- noise


def test_variational_dropout_has_one_mask_for_all_steps() -> None:
    """The mask differs between steps, or is missing at the input, between layers or at the end."""
    cells = [Leaky(), Leaky()]
    for place in ("input_dropout", "dropout", "output_dropout"):
        tg.manual_seed(1)
        layer = nn.Recurrent(cells, variational=True, **{place: 0.5})
        out, _ = layer(tg.ones(6, 50, 2))
        silent = values(out) == 0
        assert 0.3 < silent.mean() < 0.7
        assert (silent == silent[:1]).all()
        each, _ = nn.Recurrent(cells, **{place: 0.5})(tg.ones(6, 50, 2))
        still, _ = layer.eval()(tg.ones(6, 50, 2))
        assert not (values(each) == 0).all(0).any()
        assert (values(still)[0] == 1.0).all()
        layer.train()


def test_recurrent_dropout_masks_h_alone_and_the_same_at_each_step() -> None:
    """c is dropped too, the mask changes on the way, or evaluation drops as well."""
    steps, p = 3, 0.5
    layer = layer_of("LSTM", 2, 4, recurrent_dropout=p)
    x, cell = normal(steps, 2, 2), layer.cells()[0]
    tg.manual_seed(7)
    out, _ = layer(x)
    tg.manual_seed(7)
    mask = nn.functional.dropout(tg.ones(2, 4, dtype=tg.float64), p)
    state = cell.initial_state(2)
    for t in range(steps):
        state = cell(x[t], nn.LSTMState(state.h * mask, state.c))
        close(values(out)[t], values(state.h))
    plain, _ = layer_of("LSTM", 2, 4)(x)
    assert same_bits(layer.eval()(x)[0], plain)


def test_zoneout_keeps_old_numbers_in_training_and_their_mean_in_evaluation() -> None:
    """A number of the state is neither the old nor the new one, or the expectation is wrong."""
    x = normal(5, 3, 2)
    layer = layer_of("LSTM", 2, 4, zoneout=(0.3, 0.6))
    cell = layer.cells()[0]
    out, _, seen = layer(x, record=True)
    h, c = (np.zeros((3, 4)), np.zeros((3, 4)))
    kept = {"h": 0, "c": 0}
    for t in range(5):
        new = cell(x[t], nn.LSTMState(tg.tensor(h), tg.tensor(c)))
        for name, old in (("h", h), ("c", c)):
            got, fresh = values(seen["l0"][name])[t], values(getattr(new, name))
            stays = got == old
            assert np.all(stays | (np.abs(got - fresh) < 1e-12))
            kept[name] += int(stays.sum())
        h, c = (values(seen["l0"][name])[t] for name in ("h", "c"))
        close(values(out)[t], h)
    assert 5 < kept["h"] < 30 < kept["c"] < 55
    layer.eval()
    out, _ = layer(x)
    h, c = (np.zeros((3, 4)), np.zeros((3, 4)))
    for t in range(5):
        new = cell(x[t], nn.LSTMState(tg.tensor(h), tg.tensor(c)))
        h, c = 0.3 * h + 0.7 * values(new.h), 0.6 * c + 0.4 * values(new.c)
        close(values(out)[t], h)


def test_weight_drop_masks_the_hidden_weights_once_a_call() -> None:
    """The mask is drawn anew at each step, reaches other weights, or stays after the call."""
    layer = layer_of("LSTM", 2, 8, weight_drop=0.5)
    x, before = normal(4, 1, 2), {n: values(p).copy() for n, p in layer.named_parameters()}
    tg.manual_seed(3)
    out, _ = layer(x)
    plain = layer_of("LSTM", 2, 8)
    tg.manual_seed(3)
    masked = nn.functional.dropout(layer.weight_hh_l0, 0.5)
    plain.load_state_dict({**layer.state_dict(), "weight_hh_l0": masked})
    assert same_bits(out, plain(x)[0])
    for name, parameter in layer.named_parameters():
        assert same_bits(values(parameter), before[name])
    out.sum().backward()
    dropped = values(masked) == 0
    assert 0.3 < dropped.mean() < 0.7
    gradient = values(layer.weight_hh_l0.grad)
    assert not gradient[dropped].any()
    assert gradient[~dropped].any()
    assert same_bits(layer.eval()(x)[0], layer_of("LSTM", 2, 8)(x)[0])


# ---------------------------------------------------------------------- wiring


@kinds
def test_residual_connections_add_what_goes_in(kind: str) -> None:
    """A layer after the first does not get its input added, or the first one does."""
    layer = layer_of(kind, 2, 3, 3, residual=True)
    x = normal(4, 2, 2)
    wanted = x
    for i, cell in enumerate(layer.cells()):
        out, _ = nn.Recurrent(cell)(wanted)
        wanted = out + wanted if i else out
    close(values(layer(x)[0]), values(wanted))


@kinds
def test_a_learned_initial_state_is_a_parameter_of_every_cell(kind: str) -> None:
    """Some layer's or direction's start is not learned, not saved, or not used."""
    layer = layer_of(kind, 2, 3, 2, bidirectional=True, learn_initial_state=True)
    plain = layer_of(kind, 2, 3, 2, bidirectional=True)
    x = normal(3, 2, 2)
    close(values(layer(x)[0]), values(plain(x)[0]))
    starts = [p for name, p in layer.named_parameters() if name.startswith("initial_")]
    assert len(starts) == sum(len(tensors(c.initial_state(1))) for c in layer.cells())
    layer(x)[0].sum().backward()
    for start in starts:
        assert start.grad is not None
        assert values(start.grad).any()
        with tg.no_grad():
            start.assign(normal(*start.shape, seed=4))
    copy = layer_of(kind, 2, 3, 2, bidirectional=True, learn_initial_state=True, seed=5)
    copy.load_state_dict(layer.state_dict())
    assert same_bits(copy(x)[0], layer(x)[0])
    assert same_bits(layer(x, layer.initial_state(2))[0], layer(x)[0])
    assert not np.allclose(values(layer(x)[0]), values(plain(x)[0]))


def test_cells_of_different_kinds_and_sizes_stack() -> None:
    """Only equal cells can be stacked, or their states get mixed up when they are carried."""
    layer = nn.Recurrent(
        [
            nn.LSTMCell(2, 3, dtype=tg.float64),
            OwnCell(3, 4),
            nn.GRUCell(4, 2, dtype=tg.float64),
        ]
    )
    x = normal(6, 2, 2)
    whole, final = layer(x)
    first, state = layer(x[:2])
    second, after = layer(x[2:], state)
    close(values(tg.cat([first, second])), values(whole))
    assert [type(s).__name__ for s in final] == ["LSTMState", "Pair", "Tensor"]
    for a, b in zip(tensors(after), tensors(final), strict=True):
        close(values(a), values(b))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "own"])
@pytest.mark.parametrize("first", [False, True])
def test_attention_is_read_at_each_step_with_the_state_before_it(kind: str, first: bool) -> None:
    """The context comes from another step's state, from masked places, or from the wrong row."""
    attention = nn.AdditiveAttention(3, 5, 4, dtype=tg.float64)
    layer = layer_of(kind, 2, 3, 2, attention=attention, batch_first=first)
    x, memory = normal(4, 2, 2), normal(6, 2, 5)
    readable = np.ones((6, 2), bool)
    readable[3:, 1] = False

    def laid_out(z: Any) -> Any:
        return z.T if first and z.ndim == 2 else z.transpose(0, 1) if first else z

    options = {"memory": laid_out(memory), "memory_mask": laid_out(readable)}
    out, _, seen = layer(laid_out(x), record=True, **options)
    cell, top = layer.cells()
    below, state = [], nn.map_state(lambda s: s, cell.initial_state(2))
    for t in range(4):
        query = tensors(state)[0]
        context, weights = attention(query, memory.transpose(0, 1), tg.tensor(readable.T))
        close(values(laid_out(seen["l0"]["attention"])[t]), values(weights))
        step, state = nn.Recurrent(cell)(
            tg.cat([x[t], context], -1).unsqueeze(0),
            nn.map_state(lambda s: s.unsqueeze(0), state),
        )
        state = nn.map_state(lambda s: s.squeeze(0), state)
        below.append(step)
    wanted, _ = nn.Recurrent(top)(tg.cat(below))
    close(values(laid_out(out)), values(wanted))
    assert not values(laid_out(seen["l0"]["attention"]))[:, 1, 3:].any()
    assert "attention.query_projection.weight" in layer.state_dict()


# ---------------------------------------------------------------------- recording


@kinds
def test_everything_named_is_returned_for_every_step(kind: str) -> None:
    """A state, output or gate of some layer, direction or step is missing or another one's."""
    layer = layer_of(kind, 2, 3, 2, bidirectional=True)
    x = normal(4, 2, 2)
    plain, plain_final = layer(x)
    out, final, seen = layer(x, record=True)
    assert same_bits(out, plain)
    assert all(map(same_bits, tensors(final), tensors(plain_final)))
    assert list(seen) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    joined = tg.cat([seen["l1"]["output"], seen["l1_reverse"]["output"]], -1)
    assert same_bits(joined, out)
    gates = {"RNN": (), "GRU": ("r", "z", "n"), "own": ("gate",)}.get(kind, ("i", "f", "g", "o"))
    for label, cell in zip(seen, layer.cells(), strict=True):
        names = {"output", *gates, *nn.state.named_tensors(cell.initial_state(1))}
        assert set(seen[label]) == names
        for name in names:
            assert seen[label][name].shape[:2] == (4, 2)
        last = 0 if "reverse" in label else -1
        i = list(seen).index(label)
        for name, s in nn.state.named_tensors(cell.initial_state(1)).items():
            field = list(nn.state.named_tensors(cell.initial_state(1))).index(name)
            kept = tensors(final)[field][i] if layer._stacks_states else tensors(final[i])[field]
            assert same_bits(seen[label][name][last], kept)
            assert s.shape[1:] == kept.shape[1:]
    if kind == "LSTM":
        gate = {n: values(seen["l0"][n]) for n in (*gates, "c", "h")}
        before = np.concatenate([np.zeros((1, 2, 3)), gate["c"][:-1]])
        close(gate["c"], gate["f"] * before + gate["i"] * gate["g"])
        close(gate["h"], gate["o"] * np.tanh(gate["c"]))


def test_observers_see_the_tensors_of_the_graph() -> None:
    """What is observed is a copy, so that no gradient can be asked for it."""
    model = nn.Sequential(nn.Linear(2, 2, dtype=tg.float64))
    layer = layer_of("LSTM", 2, 3)
    with nn.observe() as seen:
        out, _ = layer(model(normal(3, 1, 2)))
    named = seen.values["l0"]
    assert set(named["h"]) == {0, 1, 2}
    (gradient,) = tg.grad(out[2].sum(), [named["c"][0]])
    assert values(gradient).any()
    assert named["f"][1]._node.name == "f"
    layer(normal(3, 1, 2))
    assert set(seen.values["l0"]["h"]) == {0, 1, 2}


# ---------------------------------------------------------------------- compiled

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "variational": {"variational": True, "input_dropout": 0.3, "dropout": 0.3},
    "recurrent dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": 0.2},
    "weight drop": {"weight_drop": 0.3},
    "residual, learned start": {"residual": True, "learn_initial_state": True},
}


@pytest.mark.parametrize("option", list(OPTIONS))
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_compiled_steps_agree_with_eager_ones(kind: str, option: str) -> None:
    """Some wiring computes something else when it is recorded, or keeps an old mask or length."""

    def run(compiled: bool) -> list[Any]:
        layer = layer_of(kind, 2, 3, 2, bidirectional=True, **OPTIONS[option])
        optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)

        def step(x: tg.Tensor, mask: tg.Tensor, begins: tg.Tensor) -> Any:
            out, state, seen = layer(x, mask=mask, reset=begins, record=True)
            loss = (out * out).mean() + tensors(state)[0].sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss, out, state, seen["l1"]["h"]

        call = tg.jit(step) if compiled else step
        random = np.random.default_rng(3)
        tg.manual_seed(11)
        results = []
        for turn in range(3):
            x = normal(4, 3, 2, seed=turn)
            mask, begins = (tg.tensor(random.random((4, 3)) < p) for p in (0.7, 0.2))
            results.append(call(x, mask, begins))
        return results

    for eager, compiled in zip(run(False), run(True), strict=True):
        (*first, state), (*second, state_too) = (
            [r[0], r[1], r[3], r[2]] for r in (eager, compiled)
        )
        for a, b in zip([*first, *tensors(state)], [*second, *tensors(state_too)], strict=True):
            np.testing.assert_allclose(values(a), values(b), rtol=1e-9, atol=1e-11)


def test_compiled_attention_and_packing_agree_with_eager() -> None:
    """Attention or packed sequences inside a compiled step give other numbers."""
    attention = nn.GeneralAttention(3, 5, dtype=tg.float64)
    layer = layer_of("GRU", 2, 3, attention=attention)
    second = layer_of("LSTM", 3, 3)

    def step(x: tg.Tensor, memory: tg.Tensor) -> Any:
        out, _ = layer(x, memory=memory)
        packed = packing.pack_padded_sequence(out, [4, 2, 1])
        after, _ = second(packed)
        return packing.pad_packed_sequence(after)[0]

    compiled = tg.jit(step)
    for turn in range(3):
        given_tensors = (normal(4, 3, 2, seed=turn), normal(5, 3, 5, seed=turn))
        close(values(compiled(*given_tensors)), values(step(*given_tensors)))


# ---------------------------------------------------------------------- limits


@kinds
@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (1, 2), (3, 0), (0, 0), (1, 1)])
def test_empty_batches_and_sequences(kind: str, steps: int, batch: int) -> None:
    """A batch of no rows or a sequence of no steps fails, or has other shapes."""
    layer = layer_of(kind, 2, 3, 2, bidirectional=True)
    x = tg.zeros(steps, batch, 2, dtype=tg.float64)
    for options in ({}, {"lengths": [steps] * batch}, {"mask": np.ones((steps, batch), bool)}):
        out, final = layer(x, **options)
        assert out.shape[:2] == (steps, batch)
        axis = 1 if layer._stacks_states else 0
        assert all(s.shape[axis] == batch for s in tensors(final))
        if steps:
            (out.sum() + sum(s.sum() for s in tensors(final))).backward()


def test_nan_stays_visible() -> None:
    """NaN in a real step is hidden by a mask or by padding."""
    layer = layer_of("LSTM", 2, 3)
    x = values(normal(4, 2, 2)).copy()
    x[1, 0, 0] = np.nan
    out, final = layer(tg.tensor(x), lengths=[4, 4])
    assert np.isnan(values(out)[1:, 0]).all()
    assert np.isfinite(values(out)[:, 1]).all()
    assert np.isnan(values(final.h)[0, 0]).all()


def test_inputs_stay_as_they_are() -> None:
    """The layer writes into the input, the mask, the lengths or the state that it was given."""
    layer = layer_of("LSTM", 2, 3, zoneout=0.5, recurrent_dropout=0.5)
    base = np.random.default_rng(0).standard_normal((3, 8, 4))
    x = tg.as_tensor(base.transpose(1, 0, 2)[::2, :, ::2])
    mask = np.random.default_rng(1).random((4, 3)) < 0.5
    start = nn.LSTMState(normal(1, 3, 3), normal(1, 3, 3))
    before = [base.copy(), mask.copy(), *(values(s).copy() for s in start)]
    out, _ = layer(x, start, mask=mask, reset=[True, False, True])
    out.sum().backward()
    for a, b in zip([base, mask, *map(values, start)], before, strict=True):
        assert same_bits(a, b)
    layer.eval()
    contiguous, _ = layer(tg.tensor(values(x).copy()), start, mask=mask)
    assert same_bits(layer(x, start, mask=mask)[0], contiguous)


def test_nothing_is_left_behind_when_the_results_are_gone() -> None:
    """A mask, a rule or a recording keeps the graph alive until the collector runs."""
    layer = layer_of(
        "LSTM",
        2,
        3,
        2,
        variational=True,
        dropout=0.3,
        recurrent_dropout=0.3,
        zoneout=0.2,
        weight_drop=0.3,
        residual=True,
        learn_initial_state=True,
        attention=nn.GeneralAttention(3, 5, dtype=tg.float64),
    )
    gc.collect()
    gc.disable()
    try:
        before = sum(type(x).__name__ == "Operation" for x in gc.get_objects())
        out, state, seen = layer(
            normal(4, 3, 2), mask=np.eye(4, 3) == 0, memory=normal(5, 3, 5), record=True
        )
        assert sum(type(x).__name__ == "Operation" for x in gc.get_objects()) > before + 100
        del out, state, seen
        assert sum(type(x).__name__ == "Operation" for x in gc.get_objects()) == before
    finally:
        gc.enable()
