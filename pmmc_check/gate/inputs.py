"""Everything that can change the outcome of a check: files, modules of roles and what they import, the tool, Python, the options."""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pmmc_check import __version__
from pmmc_check.gate.checks import SPEC, Check

PACKAGE = Path(__file__).resolve().parents[1]
_REFERENCE = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?=:[A-Za-z_])")
_LIBRARIES = ("numpy", "numba", "lark", "orjson")
_UNSEEN = frozenset(
    ("__import__", "import_module", "eval", "exec", "open", "read_text", "read_bytes", "environ", "getenv", "random", "time", "subprocess")
)
"""With these a module may depend on what its text does not show."""


def modules_of(check: Check) -> tuple[Path, ...]:
    """The files of the roles and invariants of one's own that a check uses, and of all that they import from outside the installed
    libraries."""
    found: dict[Path, None] = {}
    folders = _folders(check.folder)
    waiting = [path for name in _references(check) for path in _resolved(name, folders)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = None
            waiting += [each for name, where in _imports(path, folders) for each in _resolved(name, where)]
    return tuple(found)


def input_digest(check: Check) -> str | None:
    """A digest of all that can change the outcome; None where that cannot be known, as a module reads what its text does not show, or a
    file cannot be read."""
    modules = modules_of(check)
    try:
        if any(_depends_on_the_unseen(path.read_bytes()) for path in modules):
            return None
        files = [(str(path), _content(check.folder / path)) for path in (*check.files, *modules)]
    except (OSError, SyntaxError, ValueError):
        return None
    told = [_tool(), platform.python_implementation(), sys.version, platform.machine(), check.kind, check.arguments, files]
    return sha256(json.dumps(told).encode()).hexdigest()


def _references(check: Check) -> Iterator[str]:
    """The modules that the options or the spec name, as in `module:object`. More may match in a spec; it is then only looked for."""
    texts = [argument.partition("=")[2] or argument for argument in check.arguments]
    if check.kind == SPEC:
        texts += [path.read_text(encoding="utf-8", errors="replace") for path in check.files if path.is_file()]
    for text in texts:
        yield from _REFERENCE.findall(text)


def _folders(folder: Path) -> list[Path]:
    """Where Python looks for a project's own modules."""
    return [folder, *(Path(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each)]


def _resolved(name: str, folders: list[Path]) -> Iterator[Path]:
    """The files that importing `name` executes, its packages included; nothing of the tool itself, whose digest counts anyway."""
    parts = name.split(".")
    if parts[0] == PACKAGE.name:
        return
    for folder in folders:
        for length in range(1, len(parts) + 1):
            base = folder.joinpath(*parts[:length])
            yield from (each for each in (base / "__init__.py", base.with_name(f"{base.name}.py")) if each.is_file())


def _imports(path: Path, folders: list[Path]) -> Iterator[tuple[str, list[Path]]]:
    """The names that a file imports, each with the folders in which it is looked for."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, folders) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            where = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else folders
            yield from ((".".join(filter(None, (node.module, alias.name))), where) for alias in node.names)


def _nodes(path: Path) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(path.read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return


def _depends_on_the_unseen(source: bytes) -> bool:
    for node in ast.walk(ast.parse(source)):
        if (isinstance(node, ast.Name) and node.id in _UNSEEN) or (isinstance(node, ast.Attribute) and node.attr in _UNSEEN):
            return True
        if isinstance(node, ast.ImportFrom) and any(alias.name in _UNSEEN for alias in node.names):
            return True
    return False


def _content(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


@cache
def _tool() -> list[str]:
    """The tool's version, a digest of its sources, and the libraries that it computes with."""
    digest = sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".lark", ".json"):
            digest.update(f"{path.relative_to(PACKAGE)}\0{_content(path)}\0".encode())
    return [__version__, digest.hexdigest(), *map(_version, _LIBRARIES)]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
