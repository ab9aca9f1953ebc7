"""From paths and pmmc-check.toml to checks."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pmmc_check.errors import UsageError
from pmmc_check.gate.checks import SPEC, TRACE, Check, CheckLimits
from pmmc_check.gate.configuration import GateConfiguration, ListedCheck
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.header import EXPECT
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source, sources, traces_inside
from pmmc_check.verdicts import ACCEPTED

SPEC_SUFFIX = ".spec"


def checks_of(paths: Sequence[str], configuration: GateConfiguration, limits: CheckLimits) -> list[Check]:
    """The checks of `paths`; without any, all that the configuration lists. What an entry says of a file holds in either case.

    Raises:
        UsageError: a path does not exist, or there is nothing to check.
    """
    entries = dict(_entries_of_files(configuration))
    checks: list[Check] = []
    if paths:
        found = [source for path in paths for source in _sources(path)]
    else:
        checks += configuration.searches
        inside = [source for path in configuration.paths for source in _sources(_shown(configuration.folder / path))]
        found = [*(Source(path, parts) for path, (_, parts) in entries.items()), *inside]
    seen: set[str] = set()
    for source in found:
        where = os.path.realpath(source.path)
        if where not in seen:
            seen.add(where)
            checks.append(_check(source, _entry_for(source, entries), limits))
    return checks


def _entries_of_files(configuration: GateConfiguration) -> Iterator[tuple[Path, tuple[ListedCheck, tuple[Path, ...]]]]:
    """The files and traces that entries name; of two entries the last counts."""
    for entry in configuration.entries:
        for pattern in entry.files:
            matches = sorted(glob.glob(_shown(configuration.folder / pattern), recursive=True))
            if not matches:
                raise UsageError(f"{configuration.file}:{entry.line}: check {entry.name!r}: files = {pattern!r} matches nothing")
            for match in matches:
                yield from ((source.path, (entry, source.parts)) for source in _sources(match))


def _entry_for(source: Source, entries: dict[Path, tuple[ListedCheck, tuple[Path, ...]]]) -> ListedCheck | None:
    found = entries.get(source.path)
    if found is None:
        same = os.path.realpath(source.path)
        found = next((each for path, each in entries.items() if os.path.realpath(path) == same), None)
    return found[0] if found else None


def _sources(path: str) -> Iterator[Source]:
    """The specs and traces at a path."""
    if not os.path.isdir(path):
        yield from sources([path])
        return
    specs = sorted(Path(path).rglob(f"*{SPEC_SUFFIX}"))
    traces = list(traces_inside(Path(path)))
    if not specs and not traces:
        raise UsageError(f"{path}: neither specs (*{SPEC_SUFFIX}) nor traces in this directory")
    yield from map(Source, specs)
    yield from traces


def _check(source: Source, entry: ListedCheck | None, limits: CheckLimits) -> Check:
    name = source.path.as_posix()
    spec = name.endswith(SPEC_SUFFIX)
    more = entry.arguments if entry else ()
    verb: tuple[str, ...] = ("explore", name) if spec else ("validate", name, *more, "--jobs", "1")
    expected = entry.expected if entry else None
    return Check(
        name,
        SPEC if spec else TRACE,
        (*verb, "--format", "json", "--quiet"),
        Path.cwd(),
        source.parts or (source.path,),
        expected or (None if spec else _expected_by(source)),
        str(source.parts[0]) if source.parts else name,
        states=entry.states if entry else None,
        limits=entry.limits if entry else limits,
        allow_inconclusive=bool(entry and entry.allow_inconclusive),
    )


def _expected_by(source: Source) -> str:
    """What the header of a trace says that its verdict is; one that cannot be read says nothing."""
    try:
        header = open_trace(source.path, source.parts).header
    except TraceError:
        return ACCEPTED
    return dict(header.meta).get(EXPECT, ACCEPTED)


def _shown(path: Path) -> str:
    """A path as short as the user would write it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
