"""The house: imports run downwards only, and nothing grows too long to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT

PACKAGE = ROOT / "pmmc_check"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAY_IMPORT = {
    "errors": set(),
    "protocol": {"errors"},
    "config": {"errors", "protocol"},
    "model": {"errors", "protocol", "config"},
    "properties": {"errors", "protocol", "config", "model"},
    "trace": {"errors", "protocol"},
    "checker": {"errors", "protocol", "config", "model", "properties", "trace"},
    "validation": {"errors", "protocol", "config", "model", "properties", "trace"},
    "runtime": {"errors", "protocol", "config", "model", "properties", "trace"},
    "report": {"errors", "protocol", "config", "model", "properties", "trace", "checker", "validation", "runtime"},
    "cli": {"errors", "protocol", "config", "model", "properties", "trace", "checker", "validation", "runtime", "report"},
}
"""What each part may import besides itself."""
TOP = {"__init__", "__main__"}
LINES_MAX, FUNCTION_LINES_MAX = 450, 60


def _part(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(module: Path) -> Iterator[str]:
    """The parts of the package that a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "pmmc_check" else [node.module or ""]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("pmmc_check."))


every_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


@every_module
def test_imports_run_downwards_only(module: Path) -> None:
    part = _part(module)
    if part in TOP:
        return
    assert part in MAY_IMPORT, f"{part} has no place among the layers"
    forbidden = set(_imported(module)) - MAY_IMPORT[part] - {part, "__version__"}
    assert not forbidden


def test_the_layers_have_no_cycle_and_the_three_engines_of_use_do_not_know_each_other() -> None:
    order = list(MAY_IMPORT)
    assert all(order.index(below) < order.index(part) for part, known in MAY_IMPORT.items() for below in known)
    engines = {"checker", "validation", "runtime"}
    assert all(not MAY_IMPORT[each] & engines for each in engines)


@pytest.mark.parametrize(
    ("source", "part"), [("checker/reference.py", "model"), ("cli/explore.py", "checker"), ("model/model.py", "protocol")]
)
def test_the_search_for_imports_sees_them(source: str, part: str) -> None:
    assert part in set(_imported(PACKAGE / source))


@every_module
def test_no_module_is_too_long(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@every_module
def test_no_function_is_too_long(module: Path) -> None:
    if module == PACKAGE / "checker" / "kernel.py":
        return
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or node.lineno) - node.lineno + 1 <= FUNCTION_LINES_MAX, node.name
