"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tinygrad_rnn.errors import OutOfRangeError
from tinygrad_rnn.nn.module import Module


class ModuleList(Module):
    """A list of modules. `append`, `extend`, indexing and iteration are those of a list."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, index: int) -> Module:
        held = list(self.children())
        if not -len(held) <= index < len(held):
            raise OutOfRangeError(f"there is no module {index} in a list of {len(held)}")
        return held[index]

    def __iter__(self) -> Iterator[Module]:
        return self.children()


class Sequential(ModuleList):
    """Modules one after the other: y = f_n(... f_2(f_1(x)))."""

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Pass `x` through every module in turn."""
        for module in self:
            x = module(x)
        return x
