"""Bad input of every public call, in one table: what is wrong, and what the error has to say.

A row is (call, mistake, function, error, fragments). The function makes the mistake; the message
has to contain every fragment: what was wrong (shapes, names, numbers) and what to do about it.
`docs/errors.md` is printed from this table by `python -m tests.errors.table`. Every module here
has rows of its own, under headings in `TABLE`.
"""

import importlib
import pkgutil

from tests.errors.cases.mistake import FOLDER as FOLDER
from tests.errors.cases.mistake import Mistake as Mistake

TABLE: dict[str, list[Mistake]] = {}
for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    module = importlib.import_module(f"{__name__}.{name}")
    for heading, mistakes in getattr(module, "TABLE", {}).items():
        TABLE.setdefault(heading, []).extend(mistakes)
