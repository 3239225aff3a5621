"""The whole surface in a few seconds, to be read from top to bottom as a tour.

Each step says what one would be surprised about if it failed. The thorough tests are in the
folders beside this file.
"""

import math

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


def test_a_tensor_is_an_array_with_a_memory() -> None:
    """Arithmetic forgets where its result came from, or finds the wrong slope."""
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    assert y.item() == 14.0
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_shapes_broadcast_and_gradients_are_summed_back() -> None:
    """A bias that was added to every row gets the gradient of one row."""
    rows = tg.zeros(4, 3)
    bias = tg.zeros(3, requires_grad=True)
    (rows + bias).sum().backward()
    assert bias.grad.tolist() == [4.0, 4.0, 4.0]


def test_indexing_slicing_joining() -> None:
    """A view or a join holds other elements than NumPy's."""
    x = tg.arange(6).reshape(2, 3)
    assert x[1, -1].item() == 5
    assert x[:, ::2].tolist() == [[0, 2], [3, 5]]
    assert tg.cat([x, x[:1]]).shape == (3, 3)
    assert tg.stack(x.unbind(1), 1).tolist() == x.tolist()
    assert x[x > 2].tolist() == [3, 4, 5]


def test_products() -> None:
    """matmul and einsum disagree about the same product."""
    a, b = tg.randn(4, 2, 3), tg.randn(3, 5)
    difference = (a @ b) - tg.einsum("bij,jk->bik", a, b)
    assert difference.abs().max().item() < 1e-5


def test_gradients_of_gradients() -> None:
    """A gradient is not itself a graph: x³ has the slopes 3x², 6x, 6."""
    x = tg.tensor(2.0, requires_grad=True)
    slope = x**3
    for expected in (12.0, 12.0, 6.0):
        (slope,) = tg.grad(slope, x, create_graph=True)
        assert slope.item() == expected


def test_whole_derivatives() -> None:
    """A Jacobian or Hessian product is transposed or scaled."""
    x = tg.tensor([1.0, 2.0])
    assert tg.jacobian(lambda x: x * x, x).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    _, product = tg.hvp(lambda x: (x * x * x).sum(), x, tg.ones(2))
    assert product.tolist() == [6.0, 12.0]


def test_every_gradient_can_be_checked() -> None:
    """Finite differences disagree with the gradient of something simple."""
    x = tg.randn(3, dtype=tg.float64, requires_grad=True)
    assert tg.gradcheck(lambda x: (x.tanh() * x.exp()).sum(), x, order=2)


def test_recording_can_be_switched_off() -> None:
    """Inference keeps a graph alive, or a detached tensor still has a past."""
    x = tg.ones(2, requires_grad=True)
    with tg.no_grad():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    assert not (x * 2).detach().requires_grad


def test_checkpoint_computes_again_instead_of_keeping() -> None:
    """Recomputing gives another gradient than storing."""
    x = tg.tensor([0.5], requires_grad=True)
    tg.checkpoint(lambda x: x.tanh().exp(), x).backward()
    expected = math.exp(math.tanh(0.5)) * (1 - math.tanh(0.5) ** 2)
    assert math.isclose(x.grad.item(), expected, rel_tol=1e-5)


def test_a_module_knows_its_parameters() -> None:
    """A model loses a parameter, or cannot be saved and loaded."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    assert [name for name, _ in model.named_parameters()] == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    ]
    other = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    other.load_state_dict(model.state_dict())
    x = tg.randn(5, 2)
    assert model(x).tolist() == other(x).tolist()


def test_an_optimizer_learns_exclusive_or() -> None:
    """Gradients, layers and optimizer do not go downhill together."""
    tg.manual_seed(1)
    x = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    target = tg.tensor([0, 1, 1, 0])
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert model(x).argmax(1).tolist() == target.tolist()


def test_a_recurrent_layer_carries_its_state() -> None:
    """Half a sequence, and the other half from the state, differs from the whole."""
    lstm = nn.LSTM(input_size=3, hidden_size=4, num_layers=2)
    x = tg.randn(6, 1, 3)  # time, batch, features
    whole, _ = lstm(x)
    first, state = lstm(x[:3])
    second, _ = lstm(x[3:], state)
    assert tg.cat([first, second]).tolist() == whole.tolist()


def test_a_cell_of_ones_own_is_unrolled_like_any_other() -> None:
    """A cell of a few lines of tensor math does not run under the wrapper."""

    class Leaky(nn.Module):
        """h' = (h + tanh(W x)) / 2."""

        def __init__(self, size: int, hidden_size: int) -> None:
            super().__init__()
            self.hidden_size = hidden_size
            self.weight = nn.Parameter(tg.randn(hidden_size, size))

        def forward(self, x: tg.Tensor, h: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            h = (h + nn.functional.linear(x, self.weight).tanh()) * 0.5
            return h, h

    layer = nn.Recurrent(lambda size: Leaky(size, 4), input_size=3, num_layers=2)
    out, final = layer(tg.randn(6, 2, 3))
    assert out.shape == (6, 2, 4)
    assert final.shape == (2, 2, 4)
    out.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_truncated_bptt_trains_window_by_window() -> None:
    """A network of three units does not learn to spell "hello" over and over."""
    tg.manual_seed(0)
    letters = [ord(c) - ord("a") for c in "hello" * 4]
    x = nn.functional.one_hot(tg.tensor(letters), 26, dtype=tg.float32).unsqueeze(1)
    target = tg.tensor([*letters[1:], letters[0]])
    rnn, head = nn.GRU(26, 6), nn.Linear(6, 26)
    optimizer = optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.05)
    for _ in range(60):
        state = None
        for start in range(0, 20, 5):
            window = slice(start, start + 5)
            out, state = rnn(x[window], state)
            loss = nn.functional.cross_entropy(head(out.squeeze(1)), target[window])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(rnn.parameters(), 5.0)
            optimizer.step()
            state = nn.detach_state(state)
    assert loss.item() < 0.2


def test_the_same_seed_gives_the_same_numbers() -> None:
    """A run cannot be repeated."""
    tg.manual_seed(3)
    first = tg.randn(4).tolist()
    tg.manual_seed(3)
    assert tg.randn(4).tolist() == first
