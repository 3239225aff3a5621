"""L-BFGS: a quasi-Newton method, for small problems whose loss can be computed again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.context import caller, enable_grad, no_grad, quiet, state
from tinygrad_rnn.creation import zeros
from tinygrad_rnn.errors import ArgumentError, RecordingError, StateDictError
from tinygrad_rnn.functions import cat
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.optim.wolfe import Point, strong_wolfe
from tinygrad_rnn.tensor import Tensor


class Memory(NamedTuple):
    """The last changes of the parameters (s) and of the gradient (y), and 1 / yᵀs of each."""

    s: list[Tensor]
    y: list[Tensor]
    ro: list[float]

    def add(self, s: Tensor, y: Tensor, ys: float, most: int) -> None:
        """Keep one more change, and drop the oldest where there are too many."""
        self.s.append(s)
        self.y.append(y)
        self.ro.append(1.0 / ys)
        if len(self.s) > most:
            del self.s[0], self.y[0], self.ro[0]

    def direction(self, gradient: Tensor, scale: float) -> Tensor:
        """Return -H·gradient, H the inverse Hessian as the changes show it, from scale·I on."""
        q = -gradient
        parts = []
        for s, y, ro in zip(reversed(self.s), reversed(self.y), reversed(self.ro), strict=True):
            parts.append(s.dot(q).item() * ro)
            q = q - y * parts[-1]
        d = q * scale
        for s, y, ro, part in zip(self.s, self.y, self.ro, reversed(parts), strict=True):
            d = d + s * (part - y.dot(d).item() * ro)
        return d


class LBFGS(Optimizer):
    """p ← p + t·d, with d = -H·g and H built of the last changes of p and g.

    Liu and Nocedal, 1989, "On the limited memory BFGS method for large scale optimization". Updates
    are PyTorch's to rounding.

    `step` calls a closure again and again, and decides by its numbers, so it cannot be recorded by
    `jit`. Compile what the closure does instead: a function that sets gradients to zero, computes
    the loss, calls `backward()` and returns the loss.

    Args:
        params: parameters; there is one group of them.
        lr: the length t of a step, or the first one that the line search tries.
        max_iter: iterations in a call of `step`.
        max_eval: calls of the closure in a call of `step`; max_iter · 1.25 if None.
        tolerance_grad: stop when no element of the gradient is larger.
        tolerance_change: stop when loss or parameters change by less.
        history_size: how many changes are kept.
        line_search_fn: "strong_wolfe" to look for t, or None.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        **implementation: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": positive(max_iter, "max_iter") * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults, **implementation)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add the only group. Raises ArgumentError for a second one."""
        if self.param_groups:
            raise ArgumentError("LBFGS has one parameter group, with the same settings for all")
        super().add_param_group(group)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for a setting out of range."""
        super().check(group)
        for name in ("max_iter", "max_eval", "history_size"):
            positive(group[name], name)
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ArgumentError(
                f"line_search_fn is None or 'strong_wolfe', not {group['line_search_fn']!r}"
            )

    # ------------------------------------------------------------------ one step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move up to `max_iter` times, and return the loss before.

        Args:
            closure: sets gradients to zero, computes the loss, calls `backward()`, and returns the
                loss.
        """
        if state.recorder is not None:
            raise RecordingError(
                f"LBFGS.step at {caller()} decides by numbers, so it cannot be recorded; give it a "
                "closure that calls a jitted function of the loss and its gradients instead"
            )
        if not callable(closure):
            raise ArgumentError(
                f"LBFGS.step takes a closure that computes the loss and its gradients, and returns "
                f"the loss, not {closure!r}"
            )
        with no_grad(), quiet():
            return self._step(enable_grad(closure))

    def _step(self, closure: Callable[[], Any]) -> Any:
        (group,) = self.param_groups
        rate = group["lr"]
        held = self.state.setdefault(group["params"][0], {"func_evals": 0, "n_iter": 0})
        first_loss = closure()
        here = Point(_number(first_loss), self._gradient())
        evaluations = 1
        held["func_evals"] += 1
        if _largest(here.gradient) <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            held["n_iter"] += 1
            d = self._direction(held, here.gradient, group["history_size"])
            t = rate
            if held["n_iter"] == 1:
                t = min(1.0, 1.0 / here.gradient.abs().sum().item()) * rate
            held["prev_flat_grad"], held["prev_loss"] = here.gradient, here.loss
            held["d"], held["t"] = d, t
            slope = here.gradient.dot(d).item()
            if slope > -group["tolerance_change"]:
                break
            before, calls = here, 0
            if group["line_search_fn"] is not None:
                origin = [p.detach().clone() for p in group["params"]]

                def at(t: float, d: Tensor = d, origin: list[Tensor] = origin) -> Point:
                    self._move(t, d)
                    point = Point(_number(closure()), self._gradient())
                    for p, value in zip(group["params"], origin, strict=True):
                        p.assign(value)
                    return point

                most = group["max_eval"] - evaluations
                here, t, calls = strong_wolfe(at, t, d, here, slope, most)
                held["t"] = t
                self._move(t, d)
            else:
                self._move(t, d)
                if iteration < group["max_iter"]:
                    here = Point(_number(closure()), self._gradient())
                    calls = 1
            evaluations += calls
            held["func_evals"] += calls
            if (
                evaluations >= group["max_eval"]
                or _largest(here.gradient) <= group["tolerance_grad"]
                or _largest(d * t) <= group["tolerance_change"]
                or abs(here.loss - before.loss) < group["tolerance_change"]
            ):
                break
        return first_loss

    def _direction(self, held: dict[str, Any], gradient: Tensor, most: int) -> Tensor:
        """Return the direction to go, and keep how the gradient changed on the way so far."""
        if held["n_iter"] == 1:
            held |= {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1.0}
            return -gradient
        memory = Memory(held["old_stps"], held["old_dirs"], held["ro"])
        y = gradient - held["prev_flat_grad"]
        s = held["d"] * held["t"]
        ys = y.dot(s).item()
        if ys > 1e-10:
            memory.add(s, y, ys, most)
            held["H_diag"] = ys / y.dot(y).item()
        return memory.direction(gradient, held["H_diag"])

    def _gradient(self) -> Tensor:
        """Return the gradients of all parameters, one after the other, as a copy."""
        return cat(
            [
                (zeros(p.shape, dtype=p.dtype) if p.grad is None else p.grad.detach()).reshape(-1)
                for p in self._parameters()
            ]
        ).clone()

    def _move(self, t: float, d: Tensor) -> None:
        begin = 0
        for p in self._parameters():
            end = begin + p.numel()
            p.assign(p + d[begin:end].reshape(p.shape) * t)
            begin = end

    # ------------------------------------------------------------------ saving

    def _loaded(self, p: Tensor, number: Any, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._loaded(p, number, name, part) for part in value if part is not None]
        if name in ("func_evals", "n_iter"):
            return int(value)
        if name in ("t", "ro", "al", "H_diag", "prev_loss"):
            return float(value)
        t = value.detach() if isinstance(value, Tensor) else Tensor(value)
        elements = sum(p.numel() for p in self._parameters())
        if t.shape != (elements,):
            raise StateDictError(
                f"{name} has shape {t.shape}, the parameters have {elements} elements"
            )
        return t.to(p.dtype).clone()


def _largest(x: Tensor) -> float:
    return float(x.abs().amax().item()) if x.numel() else 0.0


def _number(loss: Any) -> float:
    try:
        return float(loss)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"the closure of LBFGS has to return the loss, a number, not {loss!r}"
        ) from None
