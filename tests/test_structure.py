"""The house: imports run downwards only, and nothing grows too long to read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers import ROOT

PACKAGE = ROOT / "pmmc_check"
MODULES = sorted(PACKAGE.rglob("*.py"))
_ENGINES = {"errors", "replacing", "words", "users_code", "protocol", "config", "model", "properties", "trace", "verdicts"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "verdicts": set(),
    "words": set(),
    "browser_headers": set(),
    "replacing": set(),
    "lifelines": set(),
    "users_code": {"errors"},
    "protocol": {"errors"},
    "examples": {"protocol"},
    "config": {"errors", "protocol"},
    "model": {"errors", "users_code", "protocol", "config"},
    "properties": {"errors", "words", "users_code", "protocol", "config", "model"},
    "trace": {"errors", "verdicts", "protocol"},
    "external": {"errors", "users_code", "protocol", "trace"},
    "spec": {"errors", "users_code", "protocol", "config", "model", "properties", "verdicts"},
    "checker": _ENGINES,
    "validation": _ENGINES,
    "runtime": _ENGINES | {"browser_headers", "lifelines"},
    "client": {"errors", "runtime"},
    "gating": _ENGINES | {"spec", "checker", "validation"},
    "report": _ENGINES | {"checker", "validation", "runtime", "gating"},
    "explorer": _ENGINES | {"browser_headers"} | {"spec", "checker", "validation", "report"},
    "api": _ENGINES | {"external"} | {"spec", "checker", "validation", "runtime", "gating", "report"},
    "pytest_plugin": {"api", "errors", "spec", "trace"},
    "cli": _ENGINES | {"external", "lifelines"} | {"spec", "checker", "validation", "runtime", "gating", "report", "explorer", "api"},
}
"""What each part may import besides itself."""
TOP = {"__init__", "__main__"}
LINES_MAX, FUNCTION_LINES_MAX, METHODS_MAX = 450, 60, 30
INTERFACES = {"cli": {"configure", "run"}}
"""Names by which a part calls each of its modules: they mean the same in all of them."""


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


def _named(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def test_every_part_has_its_place_among_the_layers() -> None:
    assert {_part(module) for module in MODULES} - TOP - set(MAY_IMPORT) == set()


def test_imports_run_downwards_only() -> None:
    forbidden = {
        _named(module): found
        for module in MODULES
        if (part := _part(module)) not in TOP and (found := set(_imported(module)) - MAY_IMPORT[part] - {part, "__version__"})
    }
    assert forbidden == {}


def test_the_layers_have_no_cycle_and_the_three_engines_of_use_do_not_know_each_other() -> None:
    order = list(MAY_IMPORT)
    assert all(order.index(below) < order.index(part) for part, known in MAY_IMPORT.items() for below in known)
    engines = {"checker", "validation", "runtime"}
    assert all(not MAY_IMPORT[each] & engines for each in engines)


@pytest.mark.parametrize(("source", "part"), [("checker/reference.py", "model"), ("cli/explore.py", "api"), ("model/model.py", "protocol")])
def test_the_search_for_imports_sees_them(source: str, part: str) -> None:
    assert part in set(_imported(PACKAGE / source))


def _defined(source: str) -> Iterator[str]:
    """The public names that a module defines at its top; what it imports is not among them."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = [part for target in (node.targets if isinstance(node, ast.Assign) else [node.target]) for part in ast.walk(target)]
            names = [part.id for part in targets if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def test_a_public_name_has_one_meaning_in_the_whole_package() -> None:
    homes: dict[str, list[str]] = {}
    for module in MODULES:
        for name in set(_defined(module.read_text(encoding="utf-8"))) - INTERFACES.get(_part(module), set()):
            homes.setdefault(name, []).append(str(module.relative_to(PACKAGE)))
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


def test_the_search_for_names_sees_classes_functions_and_constants_and_neither_imports_nor_private_ones() -> None:
    source = "from b import C\nclass D: e = 1\ndef f(): pass\nH, (I, _J) = 1, (2, 3)\nk: int = [p for p in q]\nL[0] = m.n = 5\n_o = 6"
    assert sorted(_defined(source)) == ["D", "H", "I", "f", "k"]


def _methods(sources: Iterable[str]) -> dict[str, set[str]]:
    """The methods of each class, those of its bases among the classes of `sources` included."""
    classes = [node for source in sources for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    own = {each.name: {node.name for node in each.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)} for each in classes}
    bases = {each.name: [name for name in map(_last_name, each.bases) if name in own] for each in classes}

    def all_of(name: str) -> set[str]:
        return own[name].union(*map(all_of, bases[name]))

    return {name: all_of(name) for name in own}


def _last_name(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""


def test_no_class_is_too_large_with_what_it_inherits() -> None:
    found = _methods(module.read_text(encoding="utf-8") for module in MODULES)
    assert {name: len(methods) for name, methods in found.items() if len(methods) > METHODS_MAX} == {}
    assert len(found["Replay"]) > 10


def test_inherited_methods_count_once() -> None:
    source = "class A:\n def f(): ...\n def g(): ...\nclass B(A, dict):\n def g(): ...\n async def h(): ..."
    assert _methods([source, "class C(m.B): ..."]) == {"A": {"f", "g"}, "B": {"f", "g", "h"}, "C": {"f", "g", "h"}}


def test_no_module_is_too_long() -> None:
    lengths = {_named(module): len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def _function_lengths(source: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_too_long() -> None:
    found = {
        f"{_named(module)}: {name}": length
        for module in MODULES
        if module != PACKAGE / "checker" / "kernel.py"
        for name, length in _function_lengths(module.read_text(encoding="utf-8"))
        if length > FUNCTION_LINES_MAX
    }
    assert found == {}
    assert list(_function_lengths("class A:\n def f():\n  a\n  async def g(): b")) == [("f", 3), ("g", 1)]
