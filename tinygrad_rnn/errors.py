"""Typed errors. Every message says what was wrong, with shapes or names, and what to do about it.

Each error is also the built-in exception that Python users would expect in its place, so
`except ValueError` goes on working. This module imports nothing from the package.
"""


class TinygradRnnError(Exception):
    """Base of every error this library raises on purpose."""


class ArgumentError(TinygradRnnError, ValueError):
    """An argument has a value that the call cannot use."""


class ShapeError(TinygradRnnError, ValueError):
    """Shapes that do not fit each other or the operation."""


class DtypeError(TinygradRnnError, TypeError):
    """An element type that the operation does not take, or two that must not be mixed silently."""


class OutOfRangeError(TinygradRnnError, IndexError):
    """An index, class or token outside the range that exists."""


class GraphError(TinygradRnnError, RuntimeError):
    """The recorded graph cannot answer: already released, mutated, or never recorded."""


class RecordingError(TinygradRnnError, RuntimeError):
    """A step that `jit` cannot record, such as one that reads a number back while it runs."""


class RecordingWarning(UserWarning):
    """A step that `jit` records anew with nearly every call."""


class UnsupportedError(TinygradRnnError, NotImplementedError):
    """A call that exists elsewhere under this name, and that this library does not do."""


class MissingNameError(UnsupportedError, AttributeError):
    """A name that PyTorch has here, and this library does not; it says what to use instead."""


class MissingImportError(UnsupportedError, ImportError):
    """The same, for `from ... import name`."""


class GradcheckError(TinygradRnnError, AssertionError):
    """An analytic gradient that differs from finite differences."""


class NumericalError(TinygradRnnError, ArithmeticError):
    """A loss or gradient that became NaN, infinite, or exploded."""


class VocabularyError(TinygradRnnError, ValueError):
    """A character, byte or word that the vocabulary does not hold."""


class DataError(TinygradRnnError, ValueError):
    """A file or text that is missing, empty, too short or malformed."""


class CheckpointError(TinygradRnnError, ValueError):
    """A checkpoint that is damaged, truncated, foreign, or does not fit the model."""


class StateDictError(TinygradRnnError, KeyError):
    """A state dict whose names or shapes do not fit; every mismatch is listed."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument, which would hide the line breaks of the list.
        return str(self.args[0]) if self.args else ""
