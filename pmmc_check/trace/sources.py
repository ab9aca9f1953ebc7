"""From the command line's paths to traces: a file is a trace, and a directory is searched for traces and for the parts of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pmmc_check.errors import UsageError
from pmmc_check.trace.readers.reader import is_part

SUFFIXES = (".pmmc", ".trace", ".jsonl", ".pmmc.gz", ".trace.gz", ".jsonl.gz")
"""A file in a directory is taken for a trace by such a name, or because it begins like one. Then it must be one: a part with a misspelt
first line would else be left out without a word, and what it shows with it."""


NOT_SEARCHED = ("node_modules", "__pycache__")
"""Folders that are passed by where a directory is searched, beside hidden ones and Python environments: nobody records traces there."""


def sources(paths: Sequence[str]) -> list[Source]:
    """All traces at the given paths, each once.

    Raises:
        UsageError: a path does not exist, or a directory has no traces.
    """
    found: list[Source] = []
    for text in paths:
        path = Path(text)
        if path.is_dir():
            inside = list(traces_inside(path))
            if not inside:
                raise UsageError(
                    f"{text}: no traces in this directory; a trace begins with 'pmmc-trace 1', or is called *{' or *'.join(SUFFIXES[:3])}"
                )
            found += inside
        elif path.exists():
            found.append(Source(path))
        elif text == "-":
            raise UsageError("-: a trace is read from standard input with --follow only; validate --follow - does that")
        else:
            raise UsageError(f"{text}: no such file or directory")
    return list({each.path.resolve(): each for each in reversed(found)}.values())[::-1]


def traces_inside(directory: Path) -> Iterator[Source]:
    """All traces in a directory and those below it, but for `NOT_SEARCHED`; a trace in parts is one.

    Raises:
        UsageError: the directory cannot be read.
    """
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise UsageError(f"{directory}: cannot be read: {error.strerror}; check its permissions") from None
    parts = {each: is_part(each) for each in entries if each.is_file()}
    files = tuple(each for each, part in parts.items() if part is not None or each.name.endswith(SUFFIXES))
    if any(parts.values()):
        yield Source(directory, files)
    else:
        yield from map(Source, files)
    for each in entries:
        if each.is_dir() and not each.is_symlink() and not _is_passed_by(each):
            yield from traces_inside(each)


def passed_by(folder: Path, below: Path) -> bool:
    """Whether `folder`, or one between it and `below`, is none that is searched."""
    return any(_is_passed_by(each) for each in (folder, *folder.parents) if each != below and each.is_relative_to(below))


def _is_passed_by(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in NOT_SEARCHED or (folder / "pyvenv.cfg").exists()


@dataclass(frozen=True)
class Source:
    """A trace to judge: one file, or all part files of one directory."""

    path: Path
    parts: tuple[Path, ...] = ()
