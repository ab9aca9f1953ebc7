"""A scenario: what goes wrong in a cluster, and when, as a file says; for real processes and for simulated ones.

[[at]]
seconds = 1.0
loss = 0.2                                   # of messages, from now on; so are duplication, delay and reordering (seconds at most)
kill = ["A1", "L1"]                          # kill -9; restart brings them back
pause = ["R2"]                               # SIGSTOP; resume lets them go on
partition = [["A1", "R1"], ["A2", "L1"]]     # these groups do not hear each other
one_way = [["A3"], ["L1", "L2"]]             # what the first group sends does not reach the second
slow_disk = { nodes = ["A2"], seconds = 0.2 }    # each write takes so much longer; 0 ends it
full_disk = ["A3"]                           # the next promise ends the node; restart makes room and brings it back
clock_jump = { nodes = ["L2"], seconds = -30.0 }
mend = true                                  # the network is whole again
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol.values import CLIENT, ProcessId
from pmmc_check.runtime.roster import Roster, nodes_of

RATES = ("loss", "duplication")
TIMES = ("delay", "reordering")
DEEDS = ("kill", "restart", "pause", "resume", "full_disk")
GROUPS = ("partition", "one_way")
AMOUNTS = ("slow_disk", "clock_jump")
_KEYS = ("seconds", *RATES, *TIMES, *DEEDS, *GROUPS, *AMOUNTS, "mend")


class Afflicted(Protocol):
    """A cluster in which a scenario takes place. Nodes that are down, or up already, stay so."""

    def weather(self, name: str, value: float) -> None:
        """One of `RATES` or `TIMES` is `value` from now on, for all nodes."""

    def deed(self, name: str, me: ProcessId) -> None:
        """Does one of `DEEDS` to a node."""

    def block(self, pairs: set[tuple[ProcessId, ProcessId]]) -> None:
        """Nothing gets from the first of each pair to the second."""

    def amount(self, name: str, me: ProcessId, seconds: float) -> None:
        """One of `AMOUNTS`, for a node."""

    def mend(self) -> None:
        """The network is whole again."""


@dataclass(frozen=True)
class ScenarioMoment:
    """What happens `seconds` after the clients have begun to ask, in the order of the keys in the file."""

    seconds: float
    changes: tuple[tuple[str, Any], ...]

    def happens(self, cluster: Afflicted) -> None:
        """Does it."""
        for name, value in self.changes:
            if name in (*RATES, *TIMES):
                cluster.weather(name, value)
            elif name in DEEDS:
                for me in value:
                    cluster.deed(name, me)
            elif name in GROUPS:
                cluster.block(set(_pairs(value, both=name == "partition")))
            elif name in AMOUNTS:
                for me in value[0]:
                    cluster.amount(name, me, value[1])
            else:
                cluster.mend()


def _pairs(groups: tuple[tuple[ProcessId, ...], ...], both: bool) -> Iterator[tuple[ProcessId, ProcessId]]:
    for index, group in enumerate(groups):
        for other in groups[index + 1 :]:
            yield from ((one, two) for one in group for two in other)
            yield from ((two, one) for one in group for two in other if both)


@dataclass(frozen=True)
class Scenario:
    """All moments, in order of time; `name` is the file's."""

    name: str
    moments: tuple[ScenarioMoment, ...]

    @property
    def seconds(self) -> float:
        """When the last one is."""
        return self.moments[-1].seconds


def read_scenario(path: Path, roster: Roster) -> Scenario:
    """Reads and checks the file.

    Raises:
        UsageError: it cannot be read, or says what cannot happen in this cluster; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no TOML: {error}") from None
    listed = found.pop("at", None)
    if not isinstance(listed, list) or not listed or not all(isinstance(each, dict) for each in listed) or found:
        more = f", but there is also {', '.join(found)}" if found else ""
        raise UsageError(f"{path}: expected [[at]] tables and nothing else, each with seconds and with what happens then{more}")
    nodes = {str(each): each for each in nodes_of(roster.system())}
    moments = [_Reader(path, text, number, each, nodes).moment() for number, each in enumerate(listed, 1)]
    return Scenario(path.name, tuple(sorted(moments, key=lambda each: each.seconds)))


class _Reader:
    def __init__(self, path: Path, text: str, number: int, table: Mapping[str, Any], nodes: Mapping[str, ProcessId]) -> None:
        self.path, self.text, self.number, self.table, self.nodes = path, text, number, table, nodes

    def moment(self) -> ScenarioMoment:
        """The moment that the table describes."""
        for key in self.table:
            if key not in _KEYS:
                raise self._wrong(f"{key}: nothing is called so{did_you_mean(key, _KEYS)}; expected some of {', '.join(_KEYS)}")
        if "seconds" not in self.table:
            raise self._wrong("seconds: missing; expected when it happens, such as seconds = 1.5")
        seconds = self._number("seconds", self.table["seconds"])
        if len(self.table) < 2:
            raise self._wrong("nothing happens")
        return ScenarioMoment(seconds, tuple((key, self._value(key, value)) for key, value in self.table.items() if key != "seconds"))

    def _wrong(self, text: str) -> UsageError:
        line = self._line(re.split(r"\W", text)[0])
        return UsageError(f"{self.path}{f':{line}' if line else ''}: [[at]] number {self.number}: {text}")

    def _line(self, key: str) -> int | None:
        """The line of a key of this table, or else of its heading; None where the tables are written in another way."""
        lines = self.text.splitlines()
        heads = [index for index, line in enumerate(lines) if re.match(r"\s*\[\[\s*at\s*\]\]", line)]
        if len(heads) < self.number:
            return None
        begin, end = heads[self.number - 1], [*heads, len(lines)][self.number]
        found = (index for index in range(begin, end) if re.match(rf"\s*{re.escape(key)}\s*[.=]", lines[index]))
        return 1 + next(found, begin)

    def _value(self, key: str, value: Any) -> Any:
        if key in RATES:
            return self._number(key, value, most=0.99)
        if key in TIMES:
            return self._number(key, value)
        if key in DEEDS:
            return self._group(key, value)
        if key in GROUPS:
            if not isinstance(value, list) or len(value) < 2 or (key == "one_way" and len(value) > 2):
                raise self._wrong(f'{key}: expected {"two" if key == "one_way" else "two or more"} groups, such as [["A1"], ["A2", "L1"]]')
            groups = tuple(self._group(key, each) for each in value)
            twice = [str(each) for each, count in Counter(each for group in groups for each in group).items() if count > 1]
            if twice:
                raise self._wrong(f"{key}: {twice[0]} is in two groups")
            return groups
        if key in AMOUNTS:
            if not isinstance(value, dict) or set(value) != {"nodes", "seconds"}:
                raise self._wrong(f'{key}: expected {{ nodes = ["A1"], seconds = 0.2 }}')
            least = 0.0 if key == "slow_disk" else -1e6
            return self._group(key, value["nodes"]), self._number(f"{key}.seconds", value["seconds"], least=least)
        if value is not True:
            raise self._wrong("mend: expected true")
        return value

    def _number(self, key: str, value: Any, most: float = 1e6, least: float = 0.0) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(f"{key} = {value!r}: expected a number from {least:g} to {most:g}")
        return float(value)

    def _group(self, key: str, names: Any) -> tuple[ProcessId, ...]:
        if not isinstance(names, list) or not names:
            expected = 'groups of nodes, such as [["A1"], ["A2", "L1"]]' if key in GROUPS else 'a list of nodes, such as ["A1", "L2"]'
            raise self._wrong(f"{key}: expected {expected}")
        for name in names:
            if name not in self.nodes:
                raise self._wrong(f"{key}: {name!r} is no node of this cluster{did_you_mean(str(name), self.nodes)}")
            if self.nodes[name].role == CLIENT and key not in GROUPS:
                raise self._wrong(f"{key}: {name} is a client, which keeps nothing and is not to fail")
        return tuple(self.nodes[name] for name in names)
