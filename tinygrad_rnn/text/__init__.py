"""Text for language models: vocabularies, where text comes from, and streams for truncated BPTT.

This package deals in strings and integer arrays. It never sees a Tensor.
"""

from tinygrad_rnn.text.corpora import Corpus, embedded_text, find_text
from tinygrad_rnn.text.streams import Splits, Streams, Window, evaluation_windows, split
from tinygrad_rnn.text.vocabulary import LEVELS, Vocabulary

__all__ = [
    "LEVELS",
    "Corpus",
    "Splits",
    "Streams",
    "Vocabulary",
    "Window",
    "embedded_text",
    "evaluation_windows",
    "find_text",
    "split",
]
