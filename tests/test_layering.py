"""Who may import whom in the package: read from the source of every module and held to a table."""

import ast
import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tinygrad_rnn

ROOT = Path(tinygrad_rnn.__file__).parent
PACKAGE = "tinygrad_rnn"

# A unit (a module or folder of the package) may import units of a lower rank, and itself.
RANKS = {
    "errors": 0,
    "context": 0,
    "compatibility": 1,
    "paths": 1,
    "arguments": 2,
    "devices": 1,
    "dtypes": 1,
    "engine": 1,
    "kernels": 1,
    "generator": 3,
    "ops": 3,
    "text": 2,
    "methods": 4,
    "tensor": 5,
    "creation": 6,
    "functions": 6,
    "autograd": 7,
    "gradcheck": 8,
    "nn": 8,
    "utils": 8,
    "checkpoints": 9,
    "inspect": 11,
    "jit": 9,
    "optim": 9,
    "serialization": 10,
    "training": 10,
    "interchange": 10,
    "lm": 11,
}

# Units that may import less than their rank allows: these units or modules, and themselves.
ONLY = {
    "arguments": {"dtypes", "errors"},
    "checkpoints": {"errors", "paths"},
    "context": set[str](),
    "dtypes": {"context", "errors"},
    "engine": {"errors"},
    "errors": set[str](),
    "kernels": {"errors"},
    "paths": {"errors"},
    "text": {"errors", "kernels.cache", "paths"},
}


def module_name(path: Path) -> str:
    """The dotted name below the package: "kernels.gemm", "ops" for ops/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    return module.partition(".")[0]


def is_type_checking(node: ast.AST) -> bool:
    """Whether `node` is `if TYPE_CHECKING:`, whose imports never happen."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def import_nodes(node: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """Every import statement below `node`, those inside functions included."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [node]
    children = list(ast.iter_child_nodes(node))
    if is_type_checking(node):
        assert isinstance(node, ast.If)
        children = list(node.orelse)
    return [found for child in children for found in import_nodes(child)]


def imported_names(tree: ast.AST, package: list[str]) -> set[str]:
    """The full dotted names that a module imports; `package` is the one that contains it."""
    names = set()
    for node in import_nodes(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            continue
        base = package[: len(package) - node.level + 1] if node.level else []
        source = ".".join([*base, *([node.module] if node.module else [])])
        names |= {f"{source}.{alias.name}" for alias in node.names}
    return names


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(module: str) -> set[str]:
    """The modules of this package that `module` imports; "" is the package itself."""
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = [PACKAGE, *path.relative_to(ROOT).parent.parts]
    found = set()
    for name in imported_names(tree, package):
        if unit_of(name) != PACKAGE:
            continue
        inner = name.removeprefix(PACKAGE).removeprefix(".")
        while inner not in MODULES:  # a name in a module: step back to the module
            inner = inner.rpartition(".")[0]
        found.add(inner)
    return found


def allowed(module: str, imported: str) -> bool:
    unit, other = unit_of(module), unit_of(imported)
    if unit == other:
        return True
    if unit in ONLY:
        return other in ONLY[unit] or imported in ONLY[unit]
    return other in RANKS and RANKS[other] < RANKS[unit]


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_downwards(module: str) -> None:
    """A module leans on one that is built on top of it, or on one it must not know."""
    assert unit_of(module) in RANKS, f"give {unit_of(module)!r} a rank in this file's table"
    wrong = sorted(name or PACKAGE for name in imports_of(module) if not allowed(module, name))
    assert not wrong, f"{module} must not import {', '.join(wrong)}"


def test_modules_do_not_import_in_a_circle() -> None:
    """Two modules need each other, so that neither can be read, or imported, first."""
    graph = {module: imports_of(module) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(
            f"imports go in a circle: {' ← '.join(name or PACKAGE for name in error.args[1])}"
        )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tinygrad_rnn.tensor", {"tinygrad_rnn.tensor"}),
        ("from tinygrad_rnn import ops, engine", {"tinygrad_rnn.ops", "tinygrad_rnn.engine"}),
        ("def f():\n    from ..tensor import Tensor", {"tinygrad_rnn.tensor.Tensor"}),
        ("from . import words", {"tinygrad_rnn.text.words"}),
        ("try:\n    import torch\nexcept ImportError:\n    pass", {"torch"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("if typing.TYPE_CHECKING:\n    import a", set()),
    ],
)
def test_every_form_of_import_is_seen(source: str, expected: set[str]) -> None:
    """An import written in another way escapes the tests above."""
    assert imported_names(ast.parse(source), [PACKAGE, "text"]) == expected


@pytest.mark.parametrize(
    ("module", "imported", "expected"),
    [
        ("ops.reduce", "engine", True),
        ("ops.reduce", "ops.shape", True),
        ("ops.reduce", "tensor", False),
        ("engine", "context", False),
        ("text.corpora", "kernels.cache", True),
        ("text.corpora", "kernels.gemm", False),
        ("text.corpora", "kernels", False),
        ("nn.linear", "gradcheck", False),
        ("lm.training", "checkpoints", True),
        ("tensor", "", False),
    ],
)
def test_the_table_means_what_it_says(module: str, imported: str, expected: bool) -> None:
    """The rule allows or forbids the wrong imports, so that the tests above show nothing."""
    assert allowed(module, imported) == expected


def test_importing_prints_and_writes_nothing(tmp_path: Path) -> None:
    """`import tinygrad_rnn` talks, warns, or compiles kernels into the cache."""
    names = ", ".join(f"{PACKAGE}.{module}" for module in MODULES if module)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {PACKAGE}, {names}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TINYGRAD_RNN_CACHE_DIR": str(tmp_path)},
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert os.listdir(tmp_path) == []
