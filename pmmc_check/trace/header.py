"""Collects the settings of a header and checks that they fit together; all readers share it."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from pmmc_check.errors import did_you_mean
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.events import (
    ALL,
    COMPLETE,
    DUPLICATING,
    FIFO,
    FROM_MIDDLE,
    KINDS,
    LOSSY,
    MIDDLE,
    NETWORK_FLAGS,
    NONE,
    NOTHING,
    RELIABLE,
    ROLE_FIELDS,
    ConfigurationNames,
    Contract,
    Header,
    Names,
    partial,
)
from pmmc_check.trace.fields import JSON_KEYS
from pmmc_check.trace.values import NAME
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED

WORD_SETTINGS = {
    "requests": ("once", "resent", "list"),
    "application": ("opaque", "log"),
    "restarts": ("logged", "any"),
    "ballots": ("next", "any"),
    "proposals": ("eager", "lazy"),
    "decisions": ("single", "batched"),
    "answers": ("heeded", "ignored"),
    "sends": ("once", "repeated"),
}
RESERVED = ("config", "log", "pmmc-trace")
NUMBER_SETTINGS = ("window", "slots", "rounds", "quorum1", "quorum2")
EXPECT, EXPECTED_VERDICTS = "expect", (ACCEPTED, REJECTED, INCONCLUSIVE)
"""The note that says which verdict a trace should have, for gates and tests; and what it may say."""
CONFIGURATIONS, IGNORE = "configurations", "ignore"
HEADER_PROCESSES_MAX = 10_000


class HeaderBuilder:
    """Settings and contracts as they are read, and the `Header` that they make. All methods raise `Unfit`."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.meta: dict[str, str] = {}
        self.logs: dict[str, Contract] = {}

    def set(self, key: str, value: Any) -> None:
        """Takes one setting; lists come as tuples."""
        if key in self.settings:
            raise Unfit(f"{key}= is set twice; leave one", key)
        if key in ROLE_FIELDS:
            self._check_names(key, value)
        elif key in NUMBER_SETTINGS:
            if not 1 <= value <= 10**9:
                raise Unfit(f"{key}={value}: must be between 1 and 1000000000", key)
        elif key == "network":
            value = self._network(value)
        elif key == CONFIGURATIONS:
            value = tuple(ConfigurationNames(*each) for each in value)
        elif key == IGNORE:
            self._check_ignored(value)
        elif key not in WORD_SETTINGS or value not in WORD_SETTINGS[key]:
            known = (*ROLE_FIELDS, *NUMBER_SETTINGS, "network", CONFIGURATIONS, IGNORE, *WORD_SETTINGS)
            guess = did_you_mean(str(value), WORD_SETTINGS[key]) if key in WORD_SETTINGS else did_you_mean(key, known)
            raise Unfit(f"{key}={value} is no setting{guess}; expected one of {', '.join(known)}, with its value", key)
        self.settings[key] = value

    def set_meta(self, key: str, value: str) -> None:
        """A note for people and tools, such as the seed of a simulated run."""
        if NAME.fullmatch(key) is None or not value.isprintable():
            raise Unfit(f"meta.{key[:40]!r}: a note has a name (letters, digits, _ and -) and a printable value", f"meta.{key}")
        if key in self.meta:
            raise Unfit(f"meta.{key}= is set twice; leave one", f"meta.{key}")
        if key == EXPECT and value not in EXPECTED_VERDICTS:
            guess = did_you_mean(value, EXPECTED_VERDICTS)
            raise Unfit(f"meta.{key}={value} is no verdict{guess}; expected one of {', '.join(EXPECTED_VERDICTS)}", f"meta.{key}")
        self.meta[key] = value

    def _check_names(self, key: str, names: tuple[str, ...]) -> None:
        taken = {name for other in ROLE_FIELDS for name in self.settings.get(other, ())}
        for name in names:
            if NAME.fullmatch(name) is None or name in RESERVED:
                raise Unfit(
                    f"{name!r} cannot name a process; a name is a letter or _, then letters, digits, _ or -, and not a keyword", key
                )
            if name in taken:
                raise Unfit(f"two processes are called {name}; each needs a name of its own", key)
            taken.add(name)
        if len(taken) > HEADER_PROCESSES_MAX and key != "clients":
            raise Unfit(f"{len(taken)} processes are more than {HEADER_PROCESSES_MAX}", key)

    def _check_ignored(self, names: tuple[str, ...]) -> None:
        """Keys of events in JSON Lines that mean nothing: none that means something."""
        for name in names:
            if name in JSON_KEYS:
                raise Unfit(f"{IGNORE}={name}: {name!r} has a meaning in the trace format, and cannot be ignored; leave it out", IGNORE)
            if not name or not name.isprintable() or names.count(name) > 1:
                raise Unfit(f"{IGNORE}= has {name!r}, which is empty, not printable, or there twice", IGNORE)

    def _network(self, flags: tuple[str, ...]) -> frozenset[str]:
        for flag in flags:
            if flag not in NETWORK_FLAGS:
                raise Unfit(
                    f"network={flag}: no such assumption{did_you_mean(flag, NETWORK_FLAGS)}; expected some of {', '.join(NETWORK_FLAGS)}",
                    "network",
                )
        if RELIABLE in flags and {LOSSY, DUPLICATING} & set(flags):
            raise Unfit("a reliable network neither loses nor duplicates; leave out reliable, or lossy and duplicating", "network")
        return frozenset(flags)

    def log(self, names: tuple[str, ...], form: str, kinds: tuple[str, ...] = ()) -> None:
        """Takes the contract of some processes."""
        header = self.configuration("log")
        known = Names(header)
        for kind in kinds:
            if kind not in KINDS:
                raise Unfit(f"{kind!r} is no message kind{did_you_mean(kind, KINDS)}; expected some of {', '.join(KINDS)}", "log")
        for name in names:
            process = known.process_of.get(name)
            if process is None and (header.clients is not None or NAME.fullmatch(name) is None):
                raise Unfit(f"{name!r} is no process of the header; it has {', '.join(known.process_of)}", "log")
            if process is None and (alike := _alike(name, known.process_of)):
                told = f"{name} is no replica, leader or acceptor of the header (did you mean {alike}?)"
                raise Unfit(f"{told}; if it is a client, add clients={name} to the config line", "log")
            if name in self.logs:
                raise Unfit(f"{name} has two contracts; leave one", "log")
            self.logs[name] = {COMPLETE: ALL, NONE: NOTHING, MIDDLE: FROM_MIDDLE}.get(form) or partial(frozenset(kinds))

    def configuration(self, what: str) -> Header:
        """The header so far; `what` is about to need it."""
        for key in ("replicas", "leaders", "acceptors", "window"):
            if not self.settings.get(key):
                example = "window=5" if key == "window" else f"{key}={key[0].upper()}1"
                raise Unfit(f"the configuration lacks {key}=; add {example} to a config line before {what}")
        for key in ("quorum1", "quorum2"):
            if self.settings.get(key, 1) > (acceptors := len(self.settings["acceptors"])):
                raise Unfit(f"{key}={self.settings[key]}: must be at most the number of acceptors, {acceptors}", key)
        self._check_configurations()
        self._check_habits()
        settings = {"network": frozenset((LOSSY, DUPLICATING)), **self.settings}
        return Header(**settings, meta=tuple(self.meta.items()), logs=dict(self.logs))

    def _check_configurations(self) -> None:
        """Every leader and acceptor belongs to a configuration, and a leader always uses the same acceptors."""
        configurations = self.settings.get(CONFIGURATIONS, ())
        uses: dict[str, frozenset[str]] = {}
        for each in configurations:
            for key, names in each._asdict().items():
                for name in names:
                    if name not in self.settings[key]:
                        raise Unfit(f"{name} in {CONFIGURATIONS}= is none of {key}={','.join(self.settings[key])}", CONFIGURATIONS)
                if len(set(names)) < len(names):
                    raise Unfit(f"a configuration names one of its {key} twice: {','.join(names)}", CONFIGURATIONS)
            for leader in each.leaders:
                if uses.setdefault(leader, frozenset(each.acceptors)) != frozenset(each.acceptors):
                    raise Unfit(f"{leader} has two sets of acceptors in {CONFIGURATIONS}=; each leader uses one", CONFIGURATIONS)
            for quorum in ("quorum1", "quorum2"):
                if self.settings.get(quorum, 1) > len(each.acceptors):
                    raise Unfit(f"{quorum}={self.settings[quorum]}: must be at most the number of acceptors of a configuration", quorum)
        for key in ("leaders", "acceptors") if configurations else ():
            missing = [name for name in self.settings[key] if not any(name in getattr(each, key) for each in configurations)]
            if missing:
                raise Unfit(f"{missing[0]} belongs to none of the {CONFIGURATIONS}=; every one of {key}= does", CONFIGURATIONS)

    def _check_habits(self) -> None:
        """Habits that are legal runs on some networks only."""
        network = self.settings.get("network", (LOSSY, DUPLICATING))
        for key, habit in (("proposals", "lazy"), ("requests", "list"), ("answers", "ignored")):
            if self.settings.get(key) == habit and FIFO in network:
                raise Unfit(f"{key}={habit} means that messages are received later, which network=fifo does not allow; leave out fifo", key)
        if self.settings.get("sends") == "repeated" and DUPLICATING not in network:
            raise Unfit("sends=repeated means that one send arrives several times; add duplicating to network=", "sends")

    def finish(self) -> Header:
        """The header, once events begin."""
        header = self.configuration("the first event")
        if not self.logs:
            raise Unfit("no log line says what is recorded; add, for example: log " + ",".join(header.acceptors) + " complete")
        return header


def _alike(name: str, known: Collection[str]) -> str | None:
    """The one of some names that `name` may be a misspelling of: alike, or the same but for its number."""
    stem = name.rstrip("0123456789")
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.8)), None) or next(
        (each for each in known if each.rstrip("0123456789") == stem), None
    )
