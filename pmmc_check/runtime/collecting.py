"""What makes a long run take no more room than a short one: slots that a majority of the replicas has performed are forgotten, as in the
paper (garbage collection; the variant of that name), and a replica that is further behind than others remember gets a snapshot.

For the protocol nothing is forgotten: an acceptor still has what it does not send, and the log says `?` there. It says of a snapshot that
the replica received the decisions for which it stands, crashed before it answered anybody, and came back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from pmmc_check.protocol.values import Command, ProcessId, SlotCommand, majority
from pmmc_check.runtime.sessions import SessionsState


class NumberSet:
    """A set of numbers that has few gaps, as ranges."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        listed = list(ranges)
        self._firsts, self._lasts = [first for first, _ in listed], [last for _, last in listed]

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def add(self, number: int) -> None:
        """Adds one."""
        if number in self:
            return
        place = bisect_right(self._firsts, number)
        self._firsts.insert(place, number)
        self._lasts.insert(place, number)
        for left in (place, place - 1):  # what now touches becomes one
            if 0 <= left < len(self._firsts) - 1 and self._lasts[left] + 1 == self._firsts[left + 1]:
                self._lasts[left] = self._lasts.pop(left + 1)
                del self._firsts[left + 1]

    def ranges(self) -> list[tuple[int, int]]:
        """The first and the last number of each range."""
        return list(zip(self._firsts, self._lasts, strict=True))


class ForgottenCommands:
    """The commands of slots that were forgotten: a few numbers for each client."""

    __slots__ = ("_of_client",)

    def __init__(self, listed: Iterable[tuple[int, list[tuple[int, int]]]] = ()) -> None:
        self._of_client = {client: NumberSet(ranges) for client, ranges in listed}

    def __contains__(self, command: Command) -> bool:
        numbers = self._of_client.get(command.client.number)
        return numbers is not None and command.cid in numbers

    def add(self, command: Command) -> None:
        """Adds one."""
        self._of_client.setdefault(command.client.number, NumberSet()).add(command.cid)

    def keep_only(self, is_kept: Callable[[int], bool]) -> None:
        """Drops all of other clients."""
        self._of_client = {client: numbers for client, numbers in self._of_client.items() if is_kept(client)}

    def listed(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """By client, what it takes to make it again."""
        return [(client, numbers.ranges()) for client, numbers in self._of_client.items()]


HELD_CHARACTERS_MAX = 2**23
"""When the operations of the slots that a node keeps are longer than this, it keeps no more of them than it must."""


def characters_of(command: Command) -> int:
    """How long its operation is."""
    return len(command.operation) if isinstance(command.operation, str) else 0


class ReplicasProgress:
    """How far each replica has performed, as it says; a replica says so when it is on its disk. `keep`: so many slots more are kept, unless
    that is too much."""

    def __init__(self, replicas: tuple[ProcessId, ...], keep: int) -> None:
        self._slot_out = dict.fromkeys(replicas, 1)
        self._keep, self._quorum = keep, majority(len(replicas))
        self._performed = 0
        """A majority has performed all slots up to this one."""

    def heard(self, replica: ProcessId, slot_out: int) -> None:
        """A replica has performed all slots below `slot_out`."""
        if slot_out > self._slot_out.get(replica, slot_out):
            self._slot_out[replica] = slot_out
            self._performed = sorted(self._slot_out.values())[-self._quorum] - 1

    def collectable(self, collected: int, characters: int) -> int | None:
        """Up to which slot to forget now; None where it is not worthwhile. All up to `collected` are forgotten; what is held has so
        many `characters`."""
        if characters > HELD_CHARACTERS_MAX and self._performed > collected:
            return self._performed
        slot = self._performed - self._keep
        return slot if slot >= collected + max(10, self._keep // 4) else None


class ReplicaSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """A replica's state: all slots below `slot_out` are performed, those up to `forgotten` are known no more, and `leaders` are those of
    `slot_in`, where the replica goes on to propose."""

    slot_out: int
    slot_in: int
    forgotten: int
    leaders: tuple[ProcessId, ...]
    performed: list[tuple[int, list[tuple[int, int]]]]
    application: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ReplicaSnapshot)
_APPLICATION = msgspec.msgpack.Decoder(SessionsState)


def encode_snapshot(snapshot: ReplicaSnapshot) -> bytes:
    """As it is stored and sent."""
    return _ENCODER.encode(snapshot)


def decode_snapshot(data: bytes) -> ReplicaSnapshot:
    """The inverse. Raises `ValueError` where it is none."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no snapshot: {error}") from None


def encode_application(state: Any) -> bytes | None:
    """What a state machine holds, with its sessions; None where it is made of more than texts, numbers, lists, and dictionaries whose keys
    are texts or whole numbers."""
    try:
        data = _ENCODER.encode(state)
        return data if decode_application(data) == state else None
    except Exception:  # whatever a user's state raises when it is compared
        return None


def decode_application(data: bytes) -> SessionsState:
    """The inverse. Raises `ValueError` where it is none."""
    try:
        return _APPLICATION.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no state of a state machine: {error}") from None


def in_slot_order(decisions: Iterable[SlotCommand]) -> list[SlotCommand]:
    """By slot."""
    return sorted(decisions, key=lambda each: each.slot)
