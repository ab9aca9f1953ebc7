"""`pmmc-check examples`: lists the examples that come with the command, or copies them to a folder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from pmmc_check.cli.outputs import make_folder, print_results
from pmmc_check.errors import UsageError

_FOLDER = Path(__file__).parent.parent / "examples"
_LISTED = (".pmmc", ".py", "mapping.toml", "servers/rust/src/main.rs", "acceptor.go", "AcceptorStep.java", ".cpp")
_SUFFIXES = (".pmmc", ".py", ".toml", ".md", ".log", ".gz", ".go", ".mod", ".rs", ".java", ".xml", ".cpp")
_EPILOG = """\
examples:
  pmmc-check examples          what there is
  pmmc-check examples .        copies all of it to the current folder
  pmmc-check validate traces/  then judges the traces
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.epilog = _EPILOG
    parser.add_argument("directory", metavar="DIR", nargs="?", help="where to copy them; nothing there is overwritten (default: list them)")


def run(arguments: argparse.Namespace) -> int:
    """Lists or copies the examples."""
    names = sorted(_names(_FOLDER))
    if arguments.directory is None:
        listed = [name for name in names if name.endswith(_LISTED)]
        width = max(map(len, listed))
        print_results(*(f"{name:{width}}  {_summary(_FOLDER / name)}".rstrip() for name in listed))
        print_results("", "pmmc-check examples DIR copies them to DIR")
        return 0
    directory = Path(arguments.directory).absolute()
    for each in (directory, *directory.parents):
        if each.is_file():
            raise UsageError(f"{each}: is a file; give a folder")
    contents = {directory / name: (_FOLDER / name).read_bytes() for name in names}
    for target, content in contents.items():
        if target.exists() and not (target.is_file() and target.read_bytes() == content):
            raise UsageError(f"{target} exists and is another file; give a folder without it")
    for target, content in contents.items():
        _copy(target, content)
    print_results(f"{len(names)} files are in {directory}; next: pmmc-check validate {Path(arguments.directory, 'traces')}")
    return 0


def _names(folder: Path) -> Iterator[str]:
    for each in folder.rglob("*"):
        if each.is_file() and each.suffix in _SUFFIXES:
            yield each.relative_to(_FOLDER).as_posix()


def _summary(file: Path) -> str:
    """What the first comment says of an example."""
    lines = file.read_text(encoding="utf-8").splitlines()
    if file.suffix != ".pmmc":
        return lines[0].strip('"').lstrip("/#! ")
    comments = [line.lstrip("# ").removeprefix("verdict: ") for line in lines[:2] if line.startswith("#")]
    return ": ".join(comments)


def _copy(target: Path, content: bytes) -> None:
    if target.exists():
        return
    make_folder("", target.parent)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from None
