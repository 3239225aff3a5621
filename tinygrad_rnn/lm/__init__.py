"""Language models: the recurrent model, training it on a text, measuring it, drawing from it."""

from tinygrad_rnn.lm.evaluation import Evaluation, evaluate, perplexity
from tinygrad_rnn.lm.generation import generate, generate_text, probabilities
from tinygrad_rnn.lm.history import Record, plot_history, read_history
from tinygrad_rnn.lm.model import KINDS, RecurrentLanguageModel
from tinygrad_rnn.lm.parts import Parts, cut
from tinygrad_rnn.lm.reports import ConsoleReport, Report
from tinygrad_rnn.lm.saving import SavedModel, load_model, require_same_text
from tinygrad_rnn.lm.settings import TrainingSettings
from tinygrad_rnn.lm.training import StepResult, Trainer

__all__ = [
    "KINDS",
    "ConsoleReport",
    "Evaluation",
    "Parts",
    "Record",
    "RecurrentLanguageModel",
    "Report",
    "SavedModel",
    "StepResult",
    "Trainer",
    "TrainingSettings",
    "cut",
    "evaluate",
    "generate",
    "generate_text",
    "load_model",
    "perplexity",
    "plot_history",
    "probabilities",
    "read_history",
    "require_same_text",
]
