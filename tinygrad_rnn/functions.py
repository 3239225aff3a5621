"""Functions of tensors under PyTorch's names: joins, contractions, sorting and element-wise math.

Where a method exists, the function of the same name calls it. Nothing here records a graph itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Shape, axis_of
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.methods.reductions import MaxMin
from tinygrad_rnn.tensor import Tensor, apply

__all__ = [
    "abs",
    "argmax",
    "bmm",
    "cat",
    "chunk",
    "clamp",
    "cos",
    "cumsum",
    "einsum",
    "exp",
    "flip",
    "gather",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "norm",
    "outer",
    "relu",
    "sigmoid",
    "sin",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "stack",
    "sum",
    "tanh",
    "topk",
    "transpose",
    "unbind",
    "var",
    "where",
]


class Sorted(NamedTuple):
    """Elements in order, and where they came from."""

    values: Tensor
    indices: Tensor


def _tensor(x: Any) -> Tensor:
    """Return `x` if it is a Tensor."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"a Tensor is needed here, not {type(x).__name__}; see tensor()")
    return x


# ---------------------------------------------------------------------- joins


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an axis that exists; all other lengths agree.

    Raises:
        ShapeError: if they do not.
        DtypeError: if the element types differ.
    """
    parts = _same_kind(tensors, "cat")
    return apply(ops.concatenate, *parts, axis=axis_of(dim, parts[0].ndim))


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    parts = _same_kind(tensors, "stack")
    return apply(ops.stack, *parts, axis=axis_of(dim, parts[0].ndim + 1))


def _same_kind(tensors: Sequence[Tensor], name: str) -> Sequence[Tensor]:
    if not isinstance(tensors, Iterable):
        raise DtypeError(f"`{name}` takes a sequence of tensors, not {type(tensors).__name__}")
    parts = list(tensors)
    if not parts:
        raise ArgumentError(f"`{name}` needs at least one tensor")
    for part in parts:
        if not isinstance(part, Tensor):
            raise DtypeError(f"`{name}` takes tensors, not {type(part).__name__}; see tensor()")
        if part.dtype != parts[0].dtype:
            raise DtypeError(
                f"`{name}` got {parts[0].dtype} and {part.dtype}; convert them to one type"
            )
    return parts


def split(x: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.split`."""
    return _tensor(x).split(split_size, dim)


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.chunk`."""
    return _tensor(x).chunk(chunks, dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.unbind`."""
    return _tensor(x).unbind(dim)


def flip(x: Tensor, dims: Any) -> Tensor:
    """See `Tensor.flip`."""
    return _tensor(x).flip(dims)


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """See `Tensor.transpose`."""
    return _tensor(x).transpose(dim0, dim1)


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """See `Tensor.gather`."""
    return _tensor(x).gather(dim, index)


# ---------------------------------------------------------------------- elements


def exp(x: Tensor) -> Tensor:
    """See `Tensor.exp`."""
    return _tensor(x).exp()


def log(x: Tensor) -> Tensor:
    """See `Tensor.log`."""
    return _tensor(x).log()


def sqrt(x: Tensor) -> Tensor:
    """See `Tensor.sqrt`."""
    return _tensor(x).sqrt()


def abs(x: Tensor) -> Tensor:
    """See `Tensor.abs`."""
    return _tensor(x).abs()


def sin(x: Tensor) -> Tensor:
    """See `Tensor.sin`."""
    return _tensor(x).sin()


def cos(x: Tensor) -> Tensor:
    """See `Tensor.cos`."""
    return _tensor(x).cos()


def tanh(x: Tensor) -> Tensor:
    """See `Tensor.tanh`."""
    return _tensor(x).tanh()


def sigmoid(x: Tensor) -> Tensor:
    """See `Tensor.sigmoid`."""
    return _tensor(x).sigmoid()


def relu(x: Tensor) -> Tensor:
    """See `Tensor.relu`."""
    return _tensor(x).relu()


def softmax(x: Tensor, dim: int) -> Tensor:
    """See `Tensor.softmax`."""
    return _tensor(x).softmax(dim)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """See `Tensor.log_softmax`."""
    return _tensor(x).log_softmax(dim)


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """See `Tensor.clamp`."""
    return _tensor(x).clamp(min, max)


def maximum(a: Tensor, b: Any) -> Tensor:
    """See `Tensor.maximum`."""
    return _tensor(a).maximum(b)


def minimum(a: Tensor, b: Any) -> Tensor:
    """See `Tensor.minimum`."""
    return _tensor(a).minimum(b)


# ---------------------------------------------------------------------- reductions


def sum(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.sum`."""
    return _tensor(x).sum(dim, keepdim)


def mean(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.mean`."""
    return _tensor(x).mean(dim, keepdim)


def var(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """See `Tensor.var`."""
    return _tensor(x).var(dim, correction, keepdim)


def max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | MaxMin:
    """See `Tensor.max`."""
    return _tensor(x).max(dim, keepdim)  # type: ignore[no-any-return]


def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor | MaxMin:
    """See `Tensor.min`."""
    return _tensor(x).min(dim, keepdim)  # type: ignore[no-any-return]


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.argmax`."""
    return _tensor(x).argmax(dim, keepdim)


def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """See `Tensor.logsumexp`."""
    return _tensor(x).logsumexp(dim, keepdim)


def norm(x: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.norm`."""
    return _tensor(x).norm(p, dim, keepdim)


def cumsum(x: Tensor, dim: int) -> Tensor:
    """See `Tensor.cumsum`."""
    return _tensor(x).cumsum(dim)


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> Sorted:
    """Return the elements in order along an axis, equal ones in their old order."""
    axis = axis_of(dim, x.ndim)
    keys = _tensor(x).detach().numpy()
    if descending:
        # Sorting the reversed axis and turning it round keeps equal elements in their old order.
        turned = np.flip(np.argsort(np.flip(keys, axis), axis, kind="stable"), axis)
        order = keys.shape[axis] - 1 - turned
    else:
        order = np.argsort(keys, axis, kind="stable")
    indices = Tensor(np.ascontiguousarray(order))
    return Sorted(x.gather(axis, indices), indices)


def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True) -> Sorted:
    """Return the k largest (or smallest) elements along an axis, the most extreme first."""
    axis = axis_of(dim, x.ndim)
    if not 0 <= k <= x.shape[axis]:
        raise ArgumentError(f"topk cannot take {k} of {x.shape[axis]} elements on axis {axis}")
    values, indices = sort(x, axis, descending=largest)
    return Sorted(values.narrow(axis, 0, k), indices.narrow(axis, 0, k))


# ---------------------------------------------------------------------- products


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """See `Tensor.matmul`."""
    return _tensor(a).matmul(b)


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """See `Tensor.bmm`."""
    return _tensor(a).bmm(b)


def outer(a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix of products a_i b_j of two vectors."""
    return einsum("i,j->ij", a, b)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum products of elements over named axes (Einstein's convention).

    `einsum("bi,ij->bj", x, w)` is x @ w. Letters that `->` does not list are summed over; without
    `->` the letters that occur once are kept, in alphabetical order. `...` stands for leading axes
    that are broadcast. Operands are contracted from left to right, each pair as one batched matrix
    product.

    Raises:
        ArgumentError: if the equation cannot be read.
        ShapeError: if an axis has two lengths, or an operand another number of axes.
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise ArgumentError(f"einsum's first argument is its equation, not {equation!r}")
    terms, result = _parsed(equation, [_tensor(x) for x in operands])
    lengths: dict[str, int] = {}
    pairs = [_with_distinct_axes(x, term) for x, term in zip(operands, terms, strict=True)]
    for x, term in pairs:
        for letter, n in zip(term, x.shape, strict=True):
            if lengths.setdefault(letter, n) != n and 1 not in (n, lengths[letter]):
                raise ShapeError(
                    f"einsum('{equation}'): axis {letter} has lengths {lengths[letter]} and {n}"
                )
            lengths[letter] = n if lengths[letter] == 1 else lengths[letter]
    x, term = _summed(*pairs[0], keep=result + "".join(t for _, t in pairs[1:]))
    for i, (y, other) in enumerate(pairs[1:], start=2):
        later = result + "".join(t for _, t in pairs[i:])
        y, other = _summed(y, other, keep=later + term)
        x, term = _contracted(x, term, y, other, later, lengths)
    x, term = _summed(x, term, keep=result)
    return _tensor(x).permute([term.index(letter) for letter in result])


def _parsed(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result, `...` replaced by capital letters."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ArgumentError(
            f"einsum('{equation}') names {len(terms)} operands, {len(operands)} were given"
        )
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in equation]
    widest = 0
    for i, (term, x) in enumerate(zip(terms, operands, strict=True)):
        named = term.replace("...", "")
        if not (named.isalpha() or not named) or term.count("...") > 1:
            raise ArgumentError(f"einsum('{equation}'): cannot read '{term}'; use letters and ...")
        free = x.ndim - len(named)
        if free < 0 or (free > 0 and "..." not in term):
            raise ShapeError(f"einsum('{equation}'): '{term}' does not fit the shape {x.shape}")
        if "..." in term:
            widest = free if free > widest else widest
            terms[i] = term.replace("...", "".join(spare[:free][::-1]))
    ellipsis = "".join(spare[:widest][::-1])
    used = "".join(terms)
    if not arrow:
        once = sorted(c for c in set(used) if used.count(c) == 1 and c not in ellipsis)
        return terms, ellipsis + "".join(once)
    result = result.replace("...", ellipsis)
    if len(set(result)) != len(result) or any(c not in used for c in result):
        raise ArgumentError(
            f"einsum('{equation}'): the letters of the result must be different, and come from "
            "the operands"
        )
    return terms, result


def _with_distinct_axes(x: Tensor, term: str) -> tuple[Tensor, str]:
    """Take the diagonal of axes that share a letter."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            if x.shape[first] != x.shape[second]:
                raise ShapeError(
                    f"einsum: a repeated letter needs equal lengths, not {x.shape[first]} "
                    f"and {x.shape[second]}"
                )
            steps = Tensor(np.arange(x.shape[first]))
            front = [first, second, *(i for i in range(x.ndim) if i not in (first, second))]
            x = x.permute(front)[steps, steps]
            term = letter + "".join(c for i, c in enumerate(term) if i not in (first, second))
    return x, term


def _summed(x: Tensor, term: str, keep: str) -> tuple[Tensor, str]:
    """Sum over the letters that nothing needs any more."""
    gone = [i for i, letter in enumerate(term) if letter not in keep]
    if not gone:
        return x, term
    return _tensor(x).sum(tuple(gone)), "".join(letter for letter in term if letter in keep)


def _contracted(
    x: Tensor, a: str, y: Tensor, b: str, later: str, lengths: dict[str, int]
) -> tuple[Tensor, str]:
    """Multiply two operands and sum over the letters that only they have."""
    batch = [c for c in a if c in b and c in later]
    inner = [c for c in a if c in b and c not in later]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]

    def arranged(z: Tensor, term: str, groups: Sequence[Sequence[str]]) -> Tensor:
        letters = [c for group in groups for c in group]
        spread = z.permute([term.index(c) for c in letters])
        shared = batch + inner
        spread = spread.expand(
            tuple(
                lengths[c] if c in shared else n
                for c, n in zip(letters, spread.shape, strict=True)
            )
        )
        length = dict(zip(letters, spread.shape, strict=True))
        sizes = [tuple(length[c] for c in group) for group in groups]
        return spread.reshape((*sizes[0], math.prod(sizes[1]), math.prod(sizes[2])))

    def extent(z: Tensor, term: str, letters: Sequence[str]) -> Shape:
        return tuple(z.shape[term.index(c)] for c in letters)

    product = arranged(x, a, (batch, rows, inner)) @ arranged(y, b, (batch, inner, columns))
    shape = (
        *(lengths[c] for c in batch),
        *extent(x, a, rows),
        *extent(y, b, columns),
    )
    return product.reshape(shape), "".join([*batch, *rows, *columns])
