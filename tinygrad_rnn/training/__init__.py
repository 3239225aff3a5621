"""Training any model: the loop that the examples share, and what a run leaves in its folder."""

from tinygrad_rnn.training.history import CsvHistory, plot_curves
from tinygrad_rnn.training.interruption import Interruption
from tinygrad_rnn.training.loop import Fitted, fit
from tinygrad_rnn.training.modes import inference

__all__ = ["CsvHistory", "Fitted", "Interruption", "fit", "inference", "plot_curves"]
