"""From paths and pmmc-check.toml to checks."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pmmc_check.errors import PmmcError, UsageError
from pmmc_check.gating.checks import SPEC, TRACE, Check, CheckLimits
from pmmc_check.gating.configuration import GateConfiguration, ListedCheck
from pmmc_check.spec.document import SPEC_SUFFIX, read_spec
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.header import EXPECT
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source, passed_by, sources, traces_inside
from pmmc_check.verdicts import ACCEPTED, HOLDS


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
        inside = list(_listed(configuration))
        found = [*(Source(path, parts) for path, (_, parts) in entries.items()), *inside]
    seen: set[str] = set()
    for source in found:
        where = os.path.realpath(source.path)
        if where not in seen:
            seen.add(where)
            checks.append(_check(source, _entry_for(source, entries), limits))
    return checks


def _listed(configuration: GateConfiguration) -> Iterator[Source]:
    """What the paths of the configuration hold; an error says where the path was given."""
    for path in configuration.paths:
        try:
            yield from _sources(_shown(configuration.folder / path))
        except UsageError as error:
            raise UsageError(f"{configuration.file}: [gate] paths: {error}") from None


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
    specs = sorted(each for each in Path(path).rglob(f"*{SPEC_SUFFIX}") if not passed_by(each.parent, Path(path)))
    traces = list(traces_inside(Path(path)))
    if not specs and not traces:
        raise UsageError(f"{path}: neither specs (*{SPEC_SUFFIX}) nor traces in this directory")
    yield from map(Source, specs)
    yield from traces


def _check(source: Source, entry: ListedCheck | None, limits: CheckLimits) -> Check:
    name = source.path.as_posix()
    spec = name.endswith(SPEC_SUFFIX)
    expected = _of_spec(source.path, entry) if spec else _Expected(_expected_by(source))
    verb = ("explore", name) if spec else ("validate", name)
    more: tuple[str, ...] = () if spec else ("--jobs", "1")
    if entry:
        more = (*(entry.exploring if spec else entry.validating), *more)
    return Check(
        name,
        SPEC if spec else TRACE,
        (*verb, *more, "--format", "json", "--quiet"),
        Path.cwd(),
        source.parts or (source.path,),
        (entry.expected if entry else None) or expected.verdict,
        str(source.parts[0]) if source.parts else name,
        expected.line,
        (entry.states if entry else None) or expected.states,
        entry.limits if entry else limits,
        bool(entry and entry.allow_inconclusive),
        expected.property_lines,
    )


@dataclass(frozen=True)
class _Expected:
    """What a file says of itself: its verdict, the line that says it, and what else a spec tells."""

    verdict: str
    line: int = 1
    states: int | None = None
    property_lines: Mapping[str, int] = field(default_factory=dict)


def _of_spec(path: Path, entry: ListedCheck | None) -> _Expected:
    """What a spec expects; one that cannot be read expects nothing. The number of states is that of the spec as it is written."""
    try:
        spec = read_spec(str(path))
    except PmmcError:
        return _Expected(HOLDS)
    verdict, states = spec.expected
    line = next((spec.settings[name].place.line for name in ("expect", "states") if name in spec.settings), 1)
    return _Expected(verdict or HOLDS, line, None if entry and entry.exploring else states, spec.property_lines)


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
