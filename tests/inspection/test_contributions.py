"""Each step's share of a gradient: the shares are right one by one, and they add up."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.inspection.models import KINDS, OwnCell, T, layers, loss_of, sequence, unrolled_copies
from tests.tools import examples
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.errors import GraphError


@examples(20)
@given(
    kind=st.sampled_from(KINDS),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    steps=st.integers(1, 6),
)
def test_shares_add_up_to_the_gradient(
    kind: str, num_layers: int, bidirectional: bool, steps: int
) -> None:
    """A share is missing, counted twice, or put to a step that is none of the sequence."""
    model = layers(kind, num_layers, bidirectional)
    loss = loss_of(model(sequence(steps))[0])
    shares = {name: inspect.contributions_of(loss, p) for name, p in model.named_parameters()}
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert [share.step for share in shares[name]] == list(range(steps))
        np.testing.assert_allclose(shares[name].total(), parameter.grad.numpy(), atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_each_share_is_the_gradient_of_a_copy(kind: str, num_layers: int) -> None:
    """What is shown for a step is not what a weight used at that step only would receive."""
    model, x = layers(kind, num_layers), sequence()
    output, copies = unrolled_copies(model, x)
    loss_of(output).backward()
    loss = loss_of(model(x)[0])
    for name, parameter in model.named_parameters():
        shares = inspect.contributions_of(loss, parameter)
        assert len(shares) == T
        for share in shares:
            assert share.step is not None
            expected = copies[share.step][name].grad
            wanted = np.zeros(parameter.shape) if expected is None else expected.numpy()
            np.testing.assert_allclose(share.gradient, wanted, atol=1e-13, err_msg=name)
            assert share.norm == pytest.approx(float(np.sqrt((wanted**2).sum())), abs=1e-13)


def test_embedding_and_output_layer_are_divided_by_step() -> None:
    """Layers that are applied to all steps at once are shown as one use, or divided wrongly."""
    embedding = nn.Embedding(7, 3).double()
    model = layers("lstm")
    output = nn.Linear(4, 5, dtype=tg.float64)
    ids = tg.tensor([[0, 1], [1, 1], [6, 2], [0, 6]])
    loss = loss_of(output(model(embedding(ids))[0]).log_softmax(-1))

    copies = [(copy.deepcopy(embedding), copy.deepcopy(output)) for _ in range(4)]
    vectors = tg.stack([own(ids[t]) for t, (own, _) in enumerate(copies)])
    h = model(vectors)[0]
    logits = tg.stack([own(h[t]) for t, (_, own) in enumerate(copies)])
    loss_of(logits.log_softmax(-1)).backward()

    for index, layer in enumerate((embedding, output)):
        for name, parameter in layer.named_parameters():
            shares = inspect.contributions_of(loss, parameter).by_step()
            assert list(shares) == [0, 1, 2, 3]
            for t, share in shares.items():
                expected = dict(copies[t or 0][index].named_parameters())[name].grad
                assert expected is not None
                np.testing.assert_allclose(share, expected.numpy(), atol=1e-13)


def test_a_weight_prepared_outside_the_loop_is_divided() -> None:
    """Shares stop at the mask, chunk or sum that lies between a weight and the loop."""
    W = tg.randn(8, 4, dtype=tg.float64, requires_grad=True)
    mask = (tg.rand(8, 4) > 0.5).to(tg.float64)
    xs = tg.randn(3, 2, 4, dtype=tg.float64)

    def loss_with(weights: list[tg.Tensor]) -> tg.Tensor:
        h = tg.zeros(2, 4, dtype=tg.float64)
        for t in range(3):
            U, V = (weights[t] * mask).chunk(2, 0)
            with tg.scope("cell", t):
                h = (xs[t] @ U + h @ V).tanh()
        return loss_of(h)

    U, V = (W * mask).chunk(2, 0)
    h = tg.zeros(2, 4, dtype=tg.float64)
    for t in range(3):
        with tg.scope("cell", t):
            h = (xs[t] @ U + h @ V).tanh()
    shares = inspect.contributions_of(loss_of(h), W).by_step()
    copies: list[tg.Tensor] = [W.detach().clone().requires_grad_() for _ in range(3)]
    loss_with(copies).backward()
    assert list(shares) == [0, 1, 2]
    for t, own in enumerate(copies):
        assert own.grad is not None
        np.testing.assert_allclose(shares[t], own.grad.numpy(), atol=1e-13)


def test_a_loop_without_steps_has_one_share_a_use() -> None:
    """Uses of a loop that names no steps are lost."""
    w = tg.tensor([2.0, 3.0], requires_grad=True)
    loss = ((w * 3.0).sin() * w).sum()
    shares = inspect.contributions_of(loss, w)
    assert [share.step for share in shares] == [None, None]
    assert {share.operation for share in shares} == {"mul"}
    loss.backward()
    assert w.grad is not None
    np.testing.assert_allclose(shares.total(), w.grad.numpy(), rtol=1e-6)


def test_nothing_is_changed() -> None:
    """Looking at shares leaves a gradient behind, or takes the graph away."""
    model = layers("gru")
    weight = model.cells()[0].weight_hh
    loss = loss_of(model(sequence())[0])
    inspect.contributions_of(loss, weight)
    assert weight.grad is None
    loss.backward(retain_graph=True)
    before = weight.grad.numpy().copy()
    inspect.contributions_of(loss, weight, retain_graph=False)
    np.testing.assert_array_equal(weight.grad.numpy(), before)
    with pytest.raises(GraphError, match="retain_graph=True"):
        inspect.contributions_of(loss, weight)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_cut_graph_is_truncated_bptt(kind: str, window: int) -> None:
    """The gradients shown for a window are not those of a loop that detaches its state."""
    model, x = layers(kind), sequence(7)
    whole = loss_of(model(x)[0])
    cut = inspect.window_cut(window)
    shares = {
        name: inspect.contributions_of(whole, p, cut=cut) for name, p in model.named_parameters()
    }
    outputs, state = [], None
    for start in range(0, 7, window):
        output, state = model(x[start : start + window], state)
        state = nn.detach_state(state)
        outputs.append(output)
    loss_of(tg.cat(outputs)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(shares[name].total(), parameter.grad.numpy(), atol=1e-13)


def test_hooks_count() -> None:
    """A hook that scales a gradient on its way is left out of the shares."""
    cell = OwnCell(3)
    h = tg.zeros(2, 4, dtype=tg.float64)
    for t, x in enumerate(sequence()):
        with tg.scope("cell", t):
            _, h = cell(x, h)
        h.register_hook(lambda g: g * 0.5)
    loss = loss_of(h)
    shares = inspect.contributions_of(loss, cell.gate.weight)
    loss.backward()
    np.testing.assert_allclose(shares.total(), cell.gate.weight.grad.numpy(), atol=1e-13)
    assert shares.norms()[0] < shares.norms()[T - 1]


def test_a_learned_initial_state_and_a_computed_tensor_have_shares() -> None:
    """Only leaves used inside the loop can be asked about."""
    model = layers("rnn")
    start = tg.zeros(1, 2, 4, dtype=tg.float64, requires_grad=True)
    begin = start * 2.0
    loss = loss_of(model(sequence(), begin)[0])
    expected = tg.grad(loss, [start, begin], retain_graph=True)
    for tensor, gradient in zip((start, begin), expected, strict=True):
        shares = inspect.contributions_of(loss, tensor)
        np.testing.assert_allclose(shares.total(), gradient.numpy(), atol=1e-13)
    assert str(inspect.contributions_of(loss, model.cells()[0].weight_hh)).count("\n") == T
