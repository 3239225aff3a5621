"""How a sequence is laid out: time first or batch first, a batch or one sequence; and back."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_rnn import ops
from tinygrad_rnn.creation import arange, as_tensor
from tinygrad_rnn.dtypes import bool_
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.tensor import Tensor, apply


class Layout(NamedTuple):
    """The layout of what a caller gave; the layers compute in (T, B, ...)."""

    batch_first: bool
    single: bool

    @classmethod
    def of(cls, x: Tensor, batch_first: bool, caller: str) -> Layout:
        """Return the layout of an input, and refuse what is none."""
        if not isinstance(x, Tensor):
            raise DtypeError(f"{caller} takes a Tensor, not {type(x).__name__}")
        if x.ndim not in (2, 3):
            order = "(batch, time, features)" if batch_first else "(time, batch, features)"
            raise ShapeError(f"{caller} takes {order} or (time, features), not shape {x.shape}")
        return cls(batch_first, x.ndim == 2)

    def time_major(self, x: Tensor) -> Tensor:
        """Return x as (T, B, ...)."""
        if self.single:
            return x.unsqueeze(1)
        return x.transpose(0, 1) if self.batch_first else x

    def restored(self, x: Tensor) -> Tensor:
        """Return (T, B, ...) in the caller's layout."""
        if self.single:
            return x.squeeze(1)
        return x.transpose(0, 1) if self.batch_first else x

    def step_choices(self, chosen: Any, x: Tensor, name: str) -> Tensor:
        """Return booleans for every step of x (T, B, ...) as (T, B)."""
        several = choices(chosen, name)
        steps, batch = x.shape[:2]
        wanted = (steps,) if self.single else (batch, steps) if self.batch_first else (steps, batch)
        if several.shape != wanted:
            raise ShapeError(f"{name} is laid out as the input, {wanted}, not {several.shape}")
        return self.time_major(several)

    def real_steps(self, x: Tensor, lengths: Any, mask: Any) -> Tensor | None:
        """Return (T, B), True where x (T, B, ...) has a real step; None if it is all real."""
        if mask is not None:
            if lengths is not None:
                raise ArgumentError("pass lengths= or mask=, not both")
            return self.step_choices(mask, x, "mask")
        if lengths is None:
            return None
        steps, batch = x.shape[:2]
        ends = as_tensor(lengths)
        if ends.dtype.kind not in "iu" and ends.numel():
            raise DtypeError(f"lengths are integers, not {ends.dtype}")
        if ends.shape != ((batch,) if not self.single else ()):
            raise ShapeError(
                f"lengths has one number for each of {batch} rows, not shape {ends.shape}"
            )
        ends = apply(
            ops.require_range,
            ends.reshape(batch),
            low=0,
            high=steps + 1,
            ignore=None,
            message=f"lengths lie between 0 and the {steps} steps of the input, not {{value}}",
        )
        return arange(steps).unsqueeze(1) < ends.unsqueeze(0)

    def begins(self, x: Tensor, reset: Any) -> Tensor:
        """Return (B,) for rows, or (T, B) for steps, at which a sequence begins."""
        chosen = choices(reset, "reset")
        if chosen.ndim == (1 if self.single else 2):
            return self.step_choices(chosen, x, "reset")
        batch = x.shape[1]
        if chosen.shape != (() if self.single else (batch,)):
            raise ShapeError(
                f"reset has one boolean for each of {batch} rows, or one for each of their steps, "
                f"not shape {chosen.shape}"
            )
        return chosen.reshape(batch)


def choices(chosen: Any, name: str) -> Tensor:
    """Return booleans as a Tensor."""
    several = as_tensor(chosen)
    if several.dtype != bool_ and several.numel():
        raise DtypeError(f"{name} is made of booleans, not {several.dtype}; compare, as in x != 0")
    return several
