"""Compact memory for long logs: sets that take one bit for an entry wherever most entries agree.

Acceptors keep every pvalue, replicas every decision and leaders every proposal, and where messages may be doubled, every message that was
ever sent may arrive again. As Python values these take hundreds of bytes for each event. But once a slot is decided, nearly all of them
name the same command for it. So one `Ledger` for each replay says which command a slot has, in 16 bytes, and an `Archive` is a set of
(family, slot, command) that keeps one bit for an entry that agrees with the ledger, and the whole entry if it does not. Nothing is lost
and nothing is approximate.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from pmmc_check.protocol.values import Command, ProcessId, Reconfigure

RECENT = 1024
"""Up to twice as many entries are kept as they are; then the older half is archived."""

_WORD = 256
_PAGE = 1024


class Bits:
    """A set of numbers. Memory follows their range where they are dense, their count where they are not."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        return bool(self._words.get(number // _WORD, 0) >> number % _WORD & 1)

    def add(self, number: int) -> bool:
        """Adds `number`; False if it was there."""
        index, bit = number // _WORD, 1 << number % _WORD
        word = self._words.get(index, 0)
        if word & bit:
            return False
        self._words[index] = word | bit
        return True

    def __iter__(self) -> Iterator[int]:
        for index, word in self._words.items():
            yield from _numbers(index, word)

    def since(self, older: Bits) -> Iterator[int]:
        """The numbers that are not in `older`, an earlier copy."""
        for index, word in self._words.items():
            yield from _numbers(index, word & ~older._words.get(index, 0))

    def copy(self) -> Bits:
        """A copy that later additions leave alone."""
        other = Bits()
        other._words = dict(self._words)
        return other


def _numbers(index: int, word: int) -> Iterator[int]:
    """The numbers of the bits that are set in one word."""
    while word:
        lowest = word & -word
        yield index * _WORD + lowest.bit_length() - 1
        word ^= lowest


class Once:
    """Remembers which numbers were seen under which keys."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, Bits] = {}

    def seen(self, key: Hashable, number: int) -> bool:
        """Whether `add` was called with these."""
        return number in self._seen.get(key, ())

    def add(self, key: Hashable, number: int) -> bool:
        """Remembers; False if it was known."""
        bits = self._seen.get(key)
        if bits is None:
            bits = self._seen[key] = Bits()
        return bits.add(number)

    def __iter__(self) -> Iterator[Any]:
        """The keys under which something was seen."""
        return iter(self._seen)


class Ledger:
    """One command for each slot: the first that was filed."""

    def __init__(self) -> None:
        self._clients: dict[int, array[int]] = {}
        self._cids: dict[int, array[int]] = {}
        self._operations: dict[int, str | Reconfigure] = {}

    def file(self, slot: int, command: Command) -> bool:
        """Gives the slot this command if it has none; returns whether it has this command now."""
        page, offset = divmod(slot, _PAGE)
        clients = self._clients.get(page)
        if clients is None:
            clients = self._clients[page] = array("q", [-1]) * _PAGE
            self._cids[page] = array("q", [0]) * _PAGE
        if clients[offset] >= 0:
            same = clients[offset] == command.client.number and self._cids[page][offset] == command.cid
            return same and self._operations.get(slot, "") == command.operation
        clients[offset] = command.client.number
        self._cids[page][offset] = command.cid
        if command.operation != "":
            self._operations[slot] = command.operation
        return True

    def command(self, slot: int) -> Command | None:
        """The command of a slot, if one was filed."""
        page, offset = divmod(slot, _PAGE)
        clients = self._clients.get(page)
        if clients is None or clients[offset] < 0:
            return None
        return Command(ProcessId("client", clients[offset]), self._cids[page][offset], self._operations.get(slot, ""))

    def slots_of(self, command: Command) -> Iterator[int]:
        """All slots that have this command; scans."""
        for page, cids in self._cids.items():
            if command.cid in cids:
                yield from (slot for slot in range(page * _PAGE, (page + 1) * _PAGE) if self.command(slot) == command)


_NONE = Bits()


class Archive:
    """A set of (family, slot, command); see the module's docstring."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._filed: dict[Hashable, Bits] = {}
        self._odd: dict[tuple[Hashable, int], list[Command]] = {}
        self._count = 0
        self.highest = 0
        """The highest slot that is there: most questions are about later ones."""

    def __len__(self) -> int:
        return self._count

    def add(self, family: Hashable, slot: int, command: Command) -> None:
        """Adds the command to the slot, if it is not there."""
        if self.ledger.file(slot, command):
            bits = self._filed.get(family)
            if bits is None:
                bits = self._filed[family] = Bits()
            self._count += bits.add(slot)
        elif command not in (odd := self._odd.setdefault((family, slot), [])):
            odd.append(command)
            self._count += 1
        self.highest = max(self.highest, slot)

    def has(self, family: Hashable, slot: int, command: Command) -> bool:
        """Whether `add` was called with these."""
        filed = self._filed.get(family)
        if filed is not None and slot in filed and self.ledger.command(slot) == command:
            return True
        return command in self._odd.get((family, slot), ())

    def commands(self, family: Hashable, slot: int) -> list[Command]:
        """All commands of one slot."""
        filed = self._filed.get(family)
        found = [self.ledger.command(slot)] if filed is not None and slot in filed else []
        return [command for command in (*found, *self._odd.get((family, slot), ())) if command is not None]

    def slots_of(self, family: Hashable, command: Command) -> Iterator[int]:
        """The slots of one family that have `command`; scans."""
        filed = self._filed.get(family, ())
        yield from (slot for slot in self.ledger.slots_of(command) if slot in filed)
        yield from (slot for (each, slot), commands in self._odd.items() if each == family and command in commands)

    def copy(self) -> Archive:
        """A copy that later additions leave alone; the ledger stays shared."""
        other = Archive(self.ledger)
        other._filed = {family: bits.copy() for family, bits in self._filed.items()}
        other._odd = {key: list(commands) for key, commands in self._odd.items()}
        other._count, other.highest = self._count, self.highest
        return other

    def mark(self) -> tuple[dict[Hashable, Bits], dict[tuple[Hashable, int], int]]:
        """What is there now, for `since`."""
        filed = {family: bits.copy() for family, bits in self._filed.items()}
        return filed, {key: len(commands) for key, commands in self._odd.items()}

    def since(self, mark: tuple[dict[Hashable, Bits], dict[tuple[Hashable, int], int]]) -> Iterator[tuple[Hashable, int, Command]]:
        """What was added after `mark`."""
        filed, odd = mark
        for family, bits in self._filed.items():
            yield from self._as_filed(family, bits.since(filed.get(family, _NONE)))
        for (family, slot), commands in self._odd.items():
            for command in commands[odd.get((family, slot), 0) :]:
                yield family, slot, command

    def __iter__(self) -> Iterator[tuple[Hashable, int, Command]]:
        return self.since(({}, {}))

    def _as_filed(self, family: Hashable, slots: Iterable[int]) -> Iterator[tuple[Hashable, int, Command]]:
        for slot in slots:
            command = self.ledger.command(slot)
            assert command is not None, "a bit stands for what the ledger says"
            yield family, slot, command
