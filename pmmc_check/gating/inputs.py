"""Everything that can change the outcome of a check: files, modules of roles and what they import, the tool, Python, the options."""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import shlex
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from pmmc_check import __version__
from pmmc_check.gating.checks import SPEC, Check

PACKAGE = Path(__file__).resolve().parents[1]
_REFERENCE = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?=:[A-Za-z_])")
_PROGRAM = "exec:"
_QUOTED_PROGRAM = re.compile(rf'"({_PROGRAM}[^"\n]*)"')
_COMPILED = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""How a compiled program begins: that of Linux, and those of macOS."""
_COMMENT = re.compile(r"\\\*[^\n]*|\(\*.*?\*\)", re.DOTALL)
_LIBRARIES = ("numpy", "numba", "lark", "orjson")
_LIBRARY_FOLDERS = tuple(Path(sysconfig.get_path(each)) for each in ("stdlib", "platstdlib", "purelib", "platlib"))
_UNSEEN = frozenset(
    (
        "__import__",
        "step_server",
        "import_module",
        "eval",
        "exec",
        "open",
        "read_text",
        "read_bytes",
        "environ",
        "getenv",
        "random",
        "time",
        "subprocess",
    )
)
"""With these a module may depend on what its text does not show."""


def modules_of(check: Check) -> tuple[Path, ...]:
    """The files of the roles and invariants of one's own that a check uses, and of all that they import from outside the installed
    libraries."""
    found: dict[Path, None] = {}
    folders = _folders(check.folder)
    waiting = [path for name in references(check) for path in _resolved(name, folders) or _installed(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = None
            waiting += [each for name, where in _imports(path, folders) for each in _resolved(name, where)]
    return tuple(found)


def input_digest(check: Check) -> str | None:
    """A digest of all that can change the outcome; None where that cannot be known, as a module reads what its text does not show, a
    program that plays roles is no executable of the project's own, or a file cannot be read."""
    modules = modules_of(check)
    try:
        if any(_depends_on_the_unseen(path.read_bytes()) for path in modules):
            return None
        programs = [_executable(check.folder, each) for each in commands_of(check)]
        if None in programs:
            return None
        files = [(str(path), _content(check.folder / path)) for path in (*check.files, *modules, *filter(None, programs))]
    except (OSError, SyntaxError, ValueError):
        return None
    told = [_tool(), platform.python_implementation(), sys.version, platform.machine(), check.kind, check.arguments, files]
    return sha256(json.dumps([*told, _libraries(modules)]).encode()).hexdigest()


def commands_of(check: Check) -> tuple[str, ...]:
    """The commands of the programs that play roles in a check: `--protocol exec:COMMAND`, or so in a spec."""
    found = [argument.partition("=")[2] for argument in check.arguments if argument.startswith(f"--protocol={_PROGRAM}")]
    return tuple(dict.fromkeys(each.removeprefix(_PROGRAM) for each in (*found, *_QUOTED_PROGRAM.findall("\n".join(_spec_texts(check))))))


def _executable(folder: Path, command: str) -> Path | None:
    """The file that holds all that a program consists of: a compiled one, by a relative path, and no argument of it is a file. What a
    script or a virtual machine executes, nobody says."""
    try:
        program, *arguments = shlex.split(command)
    except ValueError:
        return None
    if "/" not in program or os.path.isabs(program) or any((folder / each).exists() for each in arguments):
        return None
    with open(folder / program, "rb") as file:
        return Path(program) if file.read(4) in _COMPILED else None


def references(check: Check) -> tuple[str, ...]:
    """The modules that the options or the spec name, as in `module:object`. More may match in a spec; it is then only looked for."""
    texts = [argument.partition("=")[2] or argument for argument in check.arguments]
    texts += _spec_texts(check)
    return tuple(dict.fromkeys(name for text in texts for name in _REFERENCE.findall(text) if name.split(".")[0] != PACKAGE.name))


def _spec_texts(check: Check) -> list[str]:
    """The specs of a check, without their comments."""
    if check.kind != SPEC:
        return []
    files = [check.folder / path for path in check.files]
    return [_COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace")) for path in files if path.is_file()]


def _folders(folder: Path) -> list[Path]:
    """Where Python looks for a project's own modules: also where a project is installed so that its sources count, but not where copies
    are installed."""
    named = [Path(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    others = [Path(each) for each in sys.path if each and Path(each).is_dir() and not _holds_libraries(Path(each))]
    return list(dict.fromkeys([folder, *named, *others]))


def _holds_libraries(folder: Path) -> bool:
    return folder.name in ("site-packages", "dist-packages") or any(folder.is_relative_to(each) for each in _LIBRARY_FOLDERS)


def _resolved(name: str, folders: list[Path]) -> list[Path]:
    """The files that importing `name` executes, its packages included; nothing of the tool itself, whose digest counts anyway."""
    parts = name.split(".")
    if parts[0] == PACKAGE.name:
        return []
    bases = [folder.joinpath(*parts[:length]) for folder in folders for length in range(1, len(parts) + 1)]
    return [each for base in bases for each in (base / "__init__.py", base.with_name(f"{base.name}.py")) if each.is_file()]


def _installed(name: str) -> list[Path]:
    """The files of an installed package that a check names: all of them, since nobody says which it executes."""
    try:
        found = find_spec(name.split(".", maxsplit=1)[0])
    except (ImportError, ValueError):
        return []
    if found is None:
        return []
    folders = [Path(each) for each in found.submodule_search_locations or ()]
    files = [Path(found.origin)] if found.origin and found.origin.endswith(".py") else []
    return [*files, *(each for folder in folders for each in sorted(folder.rglob("*.py")))]


def _libraries(modules: tuple[Path, ...]) -> list[tuple[str, str]]:
    """The versions of the installed libraries that modules import, those of Python itself excepted."""
    imported = {name.split(".")[0] for path in modules for name, _ in _imports(path, [])} - sys.stdlib_module_names - {PACKAGE.name}
    homes = packages_distributions() if imported else {}
    return sorted((home, _version(home)) for name in imported for home in homes.get(name, ()))


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
