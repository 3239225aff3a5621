"""The one device there is, under the names with which scripts for PyTorch ask for others.

`cuda.is_available()` and its like say no, so that a script which asks goes on with the CPU.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tinygrad_rnn.errors import ArgumentError, MissingNameError, UnsupportedError

# PyTorch's names of devices.
_KINDS = ("cpu", "cuda", "mps", "xpu", "mtia", "hpu", "ipu", "xla", "vulkan", "meta")


def names_device(name: Any) -> bool:
    """Whether it is a device, or the name of one, such as "cuda:0"."""
    return isinstance(name, str) and name.partition(":")[0] in _KINDS


def require_cpu(device: Any) -> None:
    """Raise UnsupportedError for any device but None and "cpu"."""
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise UnsupportedError(
            f"there is no device {device}: this is a library for the CPU; leave the device out, "
            "or say 'cpu'"
        )


class device(str):  # noqa: N801 - PyTorch's name
    """Where a tensor is: `device("cpu")`, which equals the string "cpu".

    Raises:
        UnsupportedError: for another device.
    """

    type = "cpu"
    index = None  # type: ignore[assignment]

    def __new__(cls, type: str = "cpu", index: int | None = None) -> device:
        """Return the CPU."""
        if not names_device(type):
            raise ArgumentError(f"a device is named by a string such as 'cpu', not {type!r}")
        require_cpu(type)
        return super().__new__(cls, "cpu")

    def __repr__(self) -> str:
        return "device(type='cpu')"


CPU = device()


class Absent:
    """A kind of device that this machine may have, and this library does not use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def is_available(self) -> bool:
        """Return False."""
        return False

    def device_count(self) -> int:
        """Return 0."""
        return 0

    def manual_seed(self, seed: int) -> None:
        """Do nothing, as PyTorch does without such a device; `manual_seed` seeds the CPU."""

    def manual_seed_all(self, seed: int) -> None:
        """Do nothing, as PyTorch does without such a device; `manual_seed` seeds the CPU."""

    def empty_cache(self) -> None:
        """Do nothing: there is no cache."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise MissingNameError(
            f"there is no {self._name}.{name}: this is a library for the CPU; leave the call out, "
            f"or make it depend on {self._name}.is_available(), which is False"
        )


cuda = Absent("cuda")
mps = Absent("mps")
xpu = Absent("xpu")
accelerator = Absent("accelerator")

# Settings may be put here, as for PyTorch on a machine without these; they change nothing.
backends = SimpleNamespace(cudnn=Absent("backends.cudnn"), mps=mps)
