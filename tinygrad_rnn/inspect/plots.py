"""Pictures by matplotlib, which the extra `viz` installs and the first picture imports."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, DataError, ShapeError, UnsupportedError
from tinygrad_rnn.inspect.activations import Saturation
from tinygrad_rnn.inspect.arguments import Floats
from tinygrad_rnn.inspect.contributions import Contributions
from tinygrad_rnn.inspect.flow import Flow
from tinygrad_rnn.paths import path_of

Path = str | os.PathLike[str]


def plot_flow(
    path: Path, flow: Flow | Mapping[str, npt.ArrayLike], title: str = "Gradient through time"
) -> None:
    """Draw ‖∂L/∂s_t‖ over time on a log axis, a line for each state.

    Args:
        path: the picture; its ending says which kind (.png, .svg, .pdf).
        flow: what `gradient_flow` returned, or {name: norms} of several models.
        title: above the picture.

    Raises:
        UnsupportedError: when matplotlib is not installed.
        DataError: when the picture cannot be written.
    """
    if isinstance(flow, Flow):
        curves = {name: (flow.steps[name], norms) for name, norms in flow.norms.items()}
    else:
        arrays = {name: np.asarray(norms, np.float64) for name, norms in flow.items()}
        curves = {name: (np.arange(len(norms)), norms) for name, norms in arrays.items()}
    if not curves:
        raise ArgumentError("there is nothing to draw: the flow is empty")
    figure, axes = _figure()
    for name, (steps, norms) in curves.items():
        # A log axis has no place for 0.
        axes.plot(steps, np.where(norms > 0, norms, np.nan), "-o", markersize=3, label=name)
    if any((norms > 0).any() for _, norms in curves.values()):
        axes.set_yscale("log")
    _label(axes, title, "time step t", "‖∂L/∂s_t‖")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _save(figure, path)


def plot_credit(path: Path, matrix: npt.ArrayLike, title: str = "Credit assignment") -> None:
    """Draw the matrix ‖∂L_t/∂s_k‖ of `credit` as a map of colours on a log scale.

    White is 0: no gradient passes. Args and errors are those of `plot_flow`.
    """
    norms = np.asarray(matrix, np.float64)
    if norms.ndim != 2 or norms.size == 0:
        raise ShapeError(f"a credit matrix has two axes, not shape {norms.shape}")
    figure, axes = _figure(6.4, 5.4)
    from matplotlib.colors import LogNorm

    present = norms[norms > 0]
    low, high = (present.min(), present.max()) if present.size else (0.1, 1.0)
    scale = LogNorm(low, max(high, low * 1.001))
    shown = np.ma.masked_less_equal(norms, 0.0)
    image = axes.imshow(shown, norm=scale, cmap="viridis", origin="lower", aspect="auto")
    figure.colorbar(image, ax=axes, label="‖∂L_t/∂s_k‖")
    _label(axes, title, "state of step k", "loss of step t")
    _save(figure, path)


def plot_contributions(
    path: Path, contributions: Contributions, title: str = "Each step's share of the gradient"
) -> None:
    """Draw the norm of each step's share of a weight's gradient as bars.

    Args and errors are those of `plot_flow`.
    """
    norms = contributions.norms()
    figure, axes = _figure()
    steps = [step for step in norms if step is not None]
    axes.bar(steps, [norms[step] for step in steps], color="#3b76c4", width=0.85)
    total = float(np.sqrt((np.asarray(contributions.total(), np.float64) ** 2).sum()))
    about = f"norm of their sum {total:.3g}"
    if None in norms:
        about += f", of the share outside the loop {norms[None]:.3g}"
    # A line for the sum, which is often far larger, would leave no height for the bars.
    _label(axes, f"{title}\n{about}", "time step t", "‖∂J/∂W at step t‖")
    axes.grid(alpha=0.3, axis="y")
    _save(figure, path)


def plot_saturation(
    path: Path, gates: Mapping[str, Saturation], title: str = "Saturation of gates"
) -> None:
    """Draw a point a unit: how often it is closed (below 0.1) and open (above 0.9).

    After Karpathy, Johnson and Fei-Fei (2015), figure 2. Args and errors are those of `plot_flow`.
    """
    if not gates:
        raise ArgumentError("there is nothing to draw: no gates were given")
    layers: dict[str, list[str]] = {}
    for name in gates:
        layers.setdefault(name.rpartition(".")[2], []).append(name)
    figure = _new_figure(3.6 * len(layers), 3.9)
    for i, (kind, names) in enumerate(layers.items()):
        axes = figure.add_subplot(1, len(layers), i + 1)
        for name in names:
            left, right = gates[name]
            axes.scatter(left, right, s=14, alpha=0.6, label=name.rpartition(".")[0] or name)
        axes.plot([0, 1], [1, 0], color="#c3cbd4", linewidth=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        _label(axes, kind, "share of steps below 0.1", "share above 0.9" if i == 0 else "")
        axes.legend(fontsize="small")
    figure.suptitle(title)
    _save(figure, path)


def plot_singular_values(
    path: Path, values: Mapping[str, Iterable[Floats]], title: str = "Singular values"
) -> None:
    """Draw the singular values of ∂h_T/∂h_k against the distance T - k, on a log axis.

    Args:
        path: the picture.
        values: for each model the singular values at distances 1, 2, …
        title: above the picture.

    Raises what `plot_flow` does.
    """
    figure, axes = _figure()
    for i, (name, rows) in enumerate(values.items()):
        table = np.stack([np.asarray(row, np.float64) for row in rows])
        distance = np.arange(1, len(table) + 1)
        largest = np.where(table[:, 0] > 0, table[:, 0], np.nan)
        axes.plot(distance, largest, color=f"C{i}", label=f"{name}, largest")
        rest = np.where(table > 0, table, np.nan)
        axes.plot(distance, rest[:, 1:], color=f"C{i}", alpha=0.25, linewidth=0.8)
    axes.set_yscale("log")
    _label(axes, title, "distance T - k in steps", "singular values of ∂h_T/∂h_k")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _save(figure, path)


def _new_figure(width: float, height: float) -> Any:
    try:
        # Without pyplot, which would choose a window system and keep every figure.
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(
            "plots are drawn by matplotlib, which is not installed: pip install tinygrad_rnn[viz]"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def _figure(width: float = 7.5, height: float = 4.5) -> tuple[Any, Any]:
    figure = _new_figure(width, height)
    return figure, figure.add_subplot()


def _label(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _save(figure: Any, path: Path) -> None:
    picture = path_of(path)
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(os.fspath(picture), dpi=150)
    except (OSError, ValueError) as error:
        # ValueError is matplotlib's word for an ending that it does not know.
        raise DataError(f"{picture} cannot be written: {error}") from error
