"""`pmmc-check.toml`: what a project's gate checks, and what it expects."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.gating.checks import DEFAULT_LIMITS, EXPECTABLE, SEARCH, Check, CheckLimits
from pmmc_check.verdicts import HOLDS

CONFIGURATION = "pmmc-check.toml"
"""The file's usual name."""

_GATE_KEYS = ("paths", "time_limit", "memory_limit")
_CHECK_KEYS = ("name", "explore", "files", "validate", "expect", "states", "time_limit", "memory_limit", "allow_inconclusive")
NOT_OF_CHECKS = (
    "format", "view", "color", "quiet", "trace-out", "jobs", "junit", "explain", "serve", "load",
    "follow", "fail-fast", "lag", "idle", "coverage", "coverage-file", "fail-under", "checkpoint", "checkpoint-every", "resume",
    "workers", "cluster", "recover",
)  # fmt: skip
"""Options of the verbs that no check can set: the gate sets them, they are for someone who watches, about many traces, or for a search of
days: what a gate has checked it remembers anyway."""
_OF_SEARCHES = """acceptors quorum1 quorum2 leaders replicas slots commands rounds window network reconfigurations ballots replica-slots
    replica-commands crashes restarts faulty invariant find constraint fair variant protocol engine strategy seed walk-steps reduce
    continue
    trust-claims threads step-deadline max-states max-depth time-limit max-memory disk strict graph observe graph-states html export
    export-tla"""
_OF_TRACES = "step-deadline search-states search-seconds search-events variant html export protocol max-memory"
CHECK_OPTIONS = {"explore": tuple(_OF_SEARCHES.split()), "validate": tuple(_OF_TRACES.split())}
"""The options of each verb that a check may set."""


@dataclass(frozen=True)
class ListedCheck:
    """A `[[check]]` of the file; `line` is where it begins. `exploring` and `validating` are options: of a search or of the specs among
    `files`, and of the traces among them."""

    name: str
    line: int
    exploring: tuple[str, ...]
    validating: tuple[str, ...]
    files: tuple[str, ...]
    expected: str | None
    states: int | None
    limits: CheckLimits
    allow_inconclusive: bool


@dataclass(frozen=True)
class GateConfiguration:
    """The file as it was read; without one it is empty. Paths in it are relative to `folder`."""

    file: str = ""
    folder: Path = Path()
    paths: tuple[str, ...] = ()
    limits: CheckLimits = DEFAULT_LIMITS
    entries: tuple[ListedCheck, ...] = ()

    @property
    def searches(self) -> tuple[Check, ...]:
        """The entries that say what to explore."""
        return tuple(self._search(each) for each in self.entries if not each.files)

    def _search(self, entry: ListedCheck) -> Check:
        arguments = ("explore", *entry.exploring, "--format", "json", "--quiet")
        return Check(
            entry.name,
            SEARCH,
            arguments,
            self.folder,
            (),
            entry.expected or HOLDS,
            self.file,
            entry.line,
            entry.states,
            entry.limits,
            entry.allow_inconclusive,
        )


def read_configuration(path: Path) -> GateConfiguration:
    """Reads the file.

    Raises:
        UsageError: it cannot be read, or says what a gate does not know; the text names the file and the line or the entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8; save it as UTF-8, as TOML asks") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is no TOML: {error}") from None
    written = text.splitlines()
    _only(lambda key: f"{path}:{_line_of_table(key, written)}", content, ("gate", "check"))
    gate = _typed(f"{path}: gate", content.get("gate", {}), dict, "a table [gate]")
    _only(lambda key: f"{path}:{_line_of(key, _line_of_table('gate', written), written)}: [gate]", gate, _GATE_KEYS)
    paths = _texts(f"{path}: [gate] paths", gate.get("paths", []))
    limits = _limits(f"{path}: [gate]", gate, DEFAULT_LIMITS)
    tables = _typed(f"{path}: check", content.get("check", []), list, "tables [[check]]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*check\s*\]\]", line)]
    lines += [1] * (len(tables) - len(lines))
    for number, (line, table) in enumerate(zip(lines, tables, strict=False)):
        _check_keys(path, table, line, written[: lines[number + 1] - 1] if number + 1 < len(lines) else written)
    entries = tuple(_entry(f"{path}:{line}", line, table, limits) for line, table in zip(lines, tables, strict=False))
    _names_differ(path, entries)
    return GateConfiguration(str(path), path.absolute().parent, paths, limits, entries)


def _check_keys(path: Path, given: Any, line: int, written: Sequence[str]) -> None:
    """Keys and options that do not exist are told first, at their lines: `written` ends with this entry, which begins at `line`."""
    table = given if isinstance(given, Mapping) else {}
    _only(lambda key: f"{path}:{_line_of(key, line, written)}", table, _CHECK_KEYS)
    for verb, known in CHECK_OPTIONS.items():
        options = table.get(verb)
        for key in options if isinstance(options, Mapping) else ():
            where = f"{path}:{_line_of(key, line, written)}: {verb}"
            if (option := key.replace("_", "-")) in NOT_OF_CHECKS:
                raise UsageError(f"{where}: {key} cannot be set here: it is the gate's, for someone who watches, or about many traces")
            if option not in known:
                raise UsageError(f"{where}: there is no option {key}{did_you_mean(option, known)}; see pmmc-check {verb} --help")


def _line_of_table(name: str, written: Sequence[str]) -> int:
    """The line of `[name]`, or where `name` is given otherwise."""
    header = re.compile(rf"\s*\[+\s*{re.escape(name)}\s*[\].]")
    return next((number for number, line in enumerate(written, 1) if header.match(line)), _line_of(name, 1, written))


def _line_of(key: str, first: int, written: Sequence[str]) -> int:
    """The line from `first` on in which `key` is given; `first` where it is not found, as with a key in an unusual form."""
    assigned = re.compile(rf"""(?:^|[\s,{{.])["']?{re.escape(key)}["']?\s*[=.]""")
    return next((number for number in range(first, len(written) + 1) if assigned.search(written[number - 1])), first)


def _entry(where: str, line: int, given: Any, limits: CheckLimits) -> ListedCheck:
    table = _typed(where, given, dict, "a table [[check]]")
    name = _typed(f"{where}: [[check]] name", table.get("name"), str, 'a text, such as name = "default configuration"')
    where = f"{where}: check {name!r}"
    if "explore" not in table and "files" not in table:
        raise UsageError(f"{where}: expected explore = {{...}}, the options of a search, or files = [...], specs or traces")
    if "validate" in table and "files" not in table:
        raise UsageError(f"{where}: validate = {{...}} are options for the traces of files = [...]")
    exploring, validating = (
        tuple(_options(f"{where}: {verb}", _typed(f"{where}: {verb}", table.get(verb, {}), dict, "a table of options")))
        for verb in ("explore", "validate")
    )
    expected = table.get("expect")
    if expected is not None and expected not in EXPECTABLE:
        raise UsageError(
            f"{where}: expect = {expected!r}{did_you_mean(str(expected), EXPECTABLE)}; expected one of {', '.join(EXPECTABLE)}"
        )
    states = table.get("states")
    if states is not None and (type(states) is not int or states < 1):
        raise UsageError(f"{where}: states = {states!r}; expected the exact number of distinct states")
    files = _texts(f"{where}: files", table.get("files", []))
    if "files" in table and not files:
        raise UsageError(f"{where}: files = [] names nothing; give files, directories or patterns such as traces/bad-*.pmmc")
    return ListedCheck(
        name,
        line,
        exploring,
        validating,
        files,
        expected,
        states,
        _limits(where, table, limits),
        _typed(f"{where}: allow_inconclusive", table.get("allow_inconclusive", False), bool, "true or false"),
    )


def _options(where: str, table: Mapping[str, Any]) -> Iterable[str]:
    """`{slots = 2, variant = ["a", "b"], trust_claims = true}` as on the command line."""
    for key, value in table.items():
        option = key.replace("_", "-")
        for each in value if isinstance(value, list) else [value]:
            if each is True:
                yield f"--{option}"
            elif isinstance(each, str | int | float) and each is not False:
                yield f"--{option}={each}"
            elif each is not False:
                raise UsageError(f"{where}: {key} = {each!r}; expected a text, a number, true, or a list of them")


def _limits(where: str, table: Mapping[str, Any], default: CheckLimits) -> CheckLimits:
    seconds, mebibytes = table.get("time_limit", default.seconds), table.get("memory_limit", default.mebibytes)
    if type(seconds) not in (int, float) or not 0 < seconds < float("inf"):
        raise UsageError(f"{where}: time_limit = {seconds!r}; expected a positive number of seconds")
    if type(mebibytes) is not int or mebibytes < 1:
        raise UsageError(f"{where}: memory_limit = {mebibytes!r}; expected a positive number of MiB")
    return CheckLimits(float(seconds), mebibytes)


def _only(where: Callable[[str], str], table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Nothing but the `known` keys; `where` says for each where it stands."""
    for key in table:
        if key not in known:
            raise UsageError(f"{where(key)}: there is no key {key}{did_you_mean(key, known)}; expected some of {', '.join(known)}")


def _typed(where: str, value: Any, kind: type, expected: str) -> Any:
    if not isinstance(value, kind):
        raise UsageError(
            f"{where}: expected {expected}, got {value!r}" if value is not None else f"{where}: is missing; expected {expected}"
        )
    return value


def _texts(where: str, value: Any) -> tuple[str, ...]:
    for each in _typed(where, value, list, "a list of texts"):
        if not isinstance(each, str) or not each:
            raise UsageError(f"{where}: expected a list of texts, got {each!r} in it")
    return tuple(value)


def _names_differ(path: Path, entries: tuple[ListedCheck, ...]) -> None:
    lines: dict[str, int] = {}
    for each in entries:
        if each.name in lines:
            raise UsageError(f"{path}:{each.line}: check {each.name!r} has the name of that in line {lines[each.name]}; give each its own")
        lines[each.name] = each.line
