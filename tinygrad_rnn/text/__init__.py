"""Text and tables for models: vocabularies, files, streams for truncated BPTT, padded batches.

This package deals in strings and arrays. It never sees a Tensor.
"""

from tinygrad_rnn.text.batches import BucketedBatches, Padded, pad
from tinygrad_rnn.text.conllu import UNIVERSAL_TAGS, Sentence, read_conllu
from tinygrad_rnn.text.corpora import Corpus, embedded_text, find_text
from tinygrad_rnn.text.streams import Splits, Streams, Window, evaluation_windows, split
from tinygrad_rnn.text.tables import read_csv, read_tsv
from tinygrad_rnn.text.tokens import PADDING, UNKNOWN, TokenVocabulary
from tinygrad_rnn.text.vocabulary import LEVELS, Vocabulary
from tinygrad_rnn.text.words import split_words

__all__ = [
    "LEVELS",
    "PADDING",
    "UNIVERSAL_TAGS",
    "UNKNOWN",
    "BucketedBatches",
    "Corpus",
    "Padded",
    "Sentence",
    "Splits",
    "Streams",
    "TokenVocabulary",
    "Vocabulary",
    "Window",
    "embedded_text",
    "evaluation_windows",
    "find_text",
    "pad",
    "read_conllu",
    "read_csv",
    "read_tsv",
    "split",
    "split_words",
]
