"""einsum: products of elements, summed over named axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Shape
from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.tensor import Tensor


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Return the matrix of products a_i b_j of two vectors."""
    return einsum("i,j->ij", input, vec2)


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
    terms, result = _parsed(equation, [required(x) for x in operands])
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
    return required(x).permute([term.index(letter) for letter in result])


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
    return required(x).sum(tuple(gone)), "".join(letter for letter in term if letter in keep)


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
