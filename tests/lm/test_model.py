"""The recurrent language model: shapes, state, initial values and what it refuses."""

from typing import Any

import numpy as np
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.creation import from_numpy, tensor
from tinygrad_rnn.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from tinygrad_rnn.lm import RecurrentLanguageModel
from tinygrad_rnn.nn import LSTMCell, functional, state_tensors
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.training.modes import inference

IDS = np.arange(12, dtype=np.int64).reshape(6, 2) % 5


class Doubled(nn.Module):
    """A cell of a user's own, whose output is longer than its state."""

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.hidden_size = 4
        self.output_size = 8
        self.x = nn.Linear(input_size, 4)
        self.h = nn.Linear(4, 4)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = (self.x(x) + self.h(h)).tanh()
        return h.repeat(1, 2), h


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn", Doubled])
@pytest.mark.parametrize("embedding_size", [None, 3])
def test_every_kind_gives_logits_and_state(kind: Any, embedding_size: int | None) -> None:
    """A kind of layer or input does not fit the rest of the model."""
    model = RecurrentLanguageModel(5, kind, 4, 2, embedding_size=embedding_size)
    logits, state = model(from_numpy(IDS))
    assert logits.shape == (6, 2, 5)
    assert [s.shape for s in state_tensors(state)] == [
        s.shape for s in state_tensors(model.initial_state(2))
    ]


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn", Doubled])
def test_carried_state_continues_the_text(kind: Any) -> None:
    """Reading a text in two windows gives other logits than reading it in one."""
    model = RecurrentLanguageModel(5, kind, 4, 2)
    whole, end = model(from_numpy(IDS))
    first, state = model(from_numpy(IDS[:2]))
    second, state = model(from_numpy(IDS[2:]), state)
    parts = np.concatenate([first.detach().numpy(), second.detach().numpy()])
    np.testing.assert_array_equal(parts, whole.detach().numpy())
    for a, b in zip(state_tensors(state), state_tensors(end), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_none_is_the_initial_state(kind: str) -> None:
    """A first window without a state and one with `initial_state` differ."""
    model = RecurrentLanguageModel(5, kind, 4, 2)
    with_none, _ = model(from_numpy(IDS))
    with_zeros, _ = model(from_numpy(IDS), model.initial_state(2))
    np.testing.assert_array_equal(with_none.detach().numpy(), with_zeros.detach().numpy())


def test_one_hot_inputs_are_a_column_of_the_weights() -> None:
    """The network reads another symbol than the one it was given."""
    model = RecurrentLanguageModel(5, "rnn", 4, 1)
    cell = model.recurrent.cells()[0]
    _, h = model(tensor([[3]]))
    expected = np.tanh(
        cell.weight_ih.detach().numpy()[:, 3]
        + cell.bias_ih.detach().numpy()
        + cell.bias_hh.detach().numpy()
    )
    np.testing.assert_allclose(h.detach().numpy()[0, 0], expected, rtol=1e-6)


def test_forget_bias_is_set_in_every_layer_and_nowhere_else() -> None:
    """The forget gates of some layer start closed, or other gates are biased too."""
    model = RecurrentLanguageModel(5, "lstm", 4, 3, forget_bias=1.5)
    for cell in model.recurrent.cells():
        assert isinstance(cell, LSTMCell)
        b_ih, b_hh = cell.bias_ih.detach().numpy(), cell.bias_hh.detach().numpy()
        assert (b_ih[4:8] == 1.5).all()
        assert (b_hh[4:8] == 0.0).all()
        others = np.concatenate([b_ih[:4], b_ih[8:], b_hh[:4], b_hh[8:]])
        assert (np.abs(others) < 0.5).all()
        assert len(set(others.tolist())) > 16


def test_dropout_works_in_training_and_only_there() -> None:
    """Dropout is missing between or after the layers, or goes on while measuring."""
    model = RecurrentLanguageModel(5, "gru", 16, 2, dropout=0.5)
    first, second = (model(from_numpy(IDS))[0].detach().numpy() for _ in range(2))
    assert (first != second).any()
    with inference(model):
        first, second = (model(from_numpy(IDS))[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert model.training


def test_inference_puts_the_mode_back_after_an_error() -> None:
    """A failed measurement leaves dropout off for the rest of the training."""
    model = RecurrentLanguageModel(5, "gru", 4)
    with pytest.raises(ZeroDivisionError), inference(model):
        raise ZeroDivisionError
    assert model.training


def test_gradients_reach_every_parameter() -> None:
    """A part of the model is cut off and never learns."""
    model = RecurrentLanguageModel(5, "lstm", 4, 2, embedding_size=3)
    logits, _ = model(from_numpy(IDS))
    functional.cross_entropy(logits.reshape(-1, 5), from_numpy(IDS).reshape(-1)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum().item() > 0, name


def test_settings_make_a_model_of_the_same_shape() -> None:
    """A checkpoint describes another model than the one it was made from."""
    model = RecurrentLanguageModel(5, "gru", 4, 3, 0.25, 6, 2.0)
    other = RecurrentLanguageModel(**model.settings())
    assert other.settings() == model.settings()
    other.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "transformer"}, "'lstm', 'gru', 'rnn'"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"vocabulary_size": 0}, "vocabulary_size"),
        ({"dropout": 1.5}, "between 0 and 1"),
        ({"embedding_size": 0}, "embedding_dim"),
    ],
)
def test_wrong_sizes_are_named(arguments: dict[str, Any], words: str) -> None:
    """A model that cannot be built fails somewhere deep inside."""
    with pytest.raises(ArgumentError, match=words):
        RecurrentLanguageModel(**({"vocabulary_size": 5} | arguments))


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        (tensor([1, 2]), ShapeError),
        (tensor([[1.0]]), DtypeError),
        (tensor([[5]]), (OutOfRangeError, ArgumentError)),
        (tensor([[-1]]), (OutOfRangeError, ArgumentError)),
    ],
)
def test_anything_but_symbol_numbers_is_refused(ids: Tensor, error: Any) -> None:
    """Wrong input is read as some other symbol."""
    with pytest.raises(error):
        RecurrentLanguageModel(5, "rnn", 4)(ids)
