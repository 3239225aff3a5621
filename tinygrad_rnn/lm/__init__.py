"""Language models: n-gram, fixed-window and recurrent; training, measuring, drawing from them."""

from tinygrad_rnn.lm.base import LanguageModel
from tinygrad_rnn.lm.drawing import probabilities
from tinygrad_rnn.lm.evaluation import Evaluation, evaluate, perplexity, surprises
from tinygrad_rnn.lm.fixed_window import FixedWindowLanguageModel
from tinygrad_rnn.lm.generation import generate, generate_text
from tinygrad_rnn.lm.history import Record, plot_history, read_history
from tinygrad_rnn.lm.model import KINDS, RecurrentLanguageModel
from tinygrad_rnn.lm.ngram import SMOOTHINGS, NGramLanguageModel
from tinygrad_rnn.lm.parts import Parts, cut
from tinygrad_rnn.lm.reports import ConsoleReport, Report
from tinygrad_rnn.lm.saving import SavedModel, load_model, require_same_text
from tinygrad_rnn.lm.search import (
    Hypothesis,
    Sampled,
    beam_search,
    completions,
    generate_batch,
    sample,
)
from tinygrad_rnn.lm.settings import TrainingSettings
from tinygrad_rnn.lm.training import StepResult, Trainer

__all__ = [
    "KINDS",
    "SMOOTHINGS",
    "ConsoleReport",
    "Evaluation",
    "FixedWindowLanguageModel",
    "Hypothesis",
    "LanguageModel",
    "NGramLanguageModel",
    "Parts",
    "Record",
    "RecurrentLanguageModel",
    "Report",
    "Sampled",
    "SavedModel",
    "StepResult",
    "Trainer",
    "TrainingSettings",
    "beam_search",
    "completions",
    "cut",
    "evaluate",
    "generate",
    "generate_batch",
    "generate_text",
    "load_model",
    "perplexity",
    "plot_history",
    "probabilities",
    "read_history",
    "require_same_text",
    "sample",
    "surprises",
]
