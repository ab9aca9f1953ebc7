"""Messages as bytes: MessagePack arrays `[kind, sender, to, fields...]`, all that go to one node at a time in one frame with its length,
the version, and a check.

    4 bytes length | 1 byte version | 4 bytes for each setting | 4 bytes CRC-32, or 32 bytes HMAC-SHA-256 | [node, [message, ...]]

The HMAC is taken where a key is shared. Settings are those that must be the same at all nodes (`SHARED_SETTINGS`), as check sums.

`to` is nil for the node's own role, so that what goes to many nodes is the same bytes for each. Whatever does not decode to messages of the
known kinds is no frame of ours: `decode` says so, and whoever reads drops and counts it.
"""

from __future__ import annotations

import hmac
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from operator import or_
from typing import Any, get_type_hints

import msgspec

from pmmc_check.protocol import messages
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import CLIENT, COMMANDER, ROLES, SCOUT, ProcessId, PValue, SlotCommand, host_of, new_tuple
from pmmc_check.protocol.variants.optimised import P1bCollected
from pmmc_check.runtime import signals
from pmmc_check.runtime.signals import Signal
from pmmc_check.runtime.surroundings import Envelope, Record

WIRE_VERSION = 4
FRAME_BYTES_MAX = 8 * 2**20
"""Longer frames are refused before they are read."""
WHOLE_BYTES_MAX = 128 * 2**20
"""What is longer than a frame comes in parts; of what is longer than this nothing is kept."""
_LENGTH = struct.Struct(">I")
SHARED_SETTINGS = ("machine", "window", "configurations", "replicas")
"""Names of what must be the same at all nodes and clients of a cluster."""

CONTENTS: tuple[type[Message | Signal], ...] = (
    messages.Request,
    messages.Propose,
    messages.P1a,
    P1bCollected,
    messages.P2a,
    messages.P2b,
    messages.Decision,
    messages.Response,
    signals.Heartbeat,
    signals.Probe,
    signals.Alive,
    signals.Lacking,
    signals.Order,
    signals.OrderAnswer,
    signals.Passed,
    signals.Forgotten,
    signals.Part,
)
"""Everything that travels between nodes; its place in this tuple is its kind on the wire."""


class Foreign(Exception):
    """Bytes that are no frame of this version, or not of somebody who has the key."""


class OtherSettings(Foreign):
    """A frame of somebody who belongs to the cluster, and has another cluster file."""


def _wire_type(content: type[Any], code: int) -> Any:
    """The array that stands for one kind, with the types of its fields, so that decoding checks them."""
    hints = get_type_hints(content, vars(messages) | vars(signals))
    listed: list[Any] = [("sender", ProcessId), ("to", ProcessId | None)]
    listed += [(each.name, str if each.name == "result" else hints[each.name]) for each in fields(content)]
    return msgspec.defstruct(f"Wire{content.__name__}", listed, array_like=True, tag=code, forbid_unknown_fields=True, gc=False)


_WIRE_TYPES = tuple(_wire_type(each, code) for code, each in enumerate(CONTENTS))
_CODE = {each: code for code, each in enumerate(CONTENTS)}
_CONTENT = dict(zip(_WIRE_TYPES, CONTENTS, strict=True))
_NAMES = tuple(tuple(each.name for each in fields(content)) for content in CONTENTS)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(
    msgspec.defstruct("WireFrame", [("node", ProcessId), ("messages", list[reduce(or_, _WIRE_TYPES)])], array_like=True)  # type: ignore[misc]
)
_RECORD_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {3: msgspec.msgpack.Decoder(PValue), 2: msgspec.msgpack.Decoder(SlotCommand)}
_RECORDS_OF = msgspec.msgpack.Decoder(list[msgspec.Raw])


def encode_message(envelope: Envelope) -> bytes:
    """One message, for the node where its recipient runs."""
    sender, to, content = envelope
    if type(content) is messages.P1b:  # of an acceptor that never forgets
        content = P1bCollected(content.acceptor, content.ballot, content.accepted, 0)
    code = _CODE[type(content)]
    return _ENCODER.encode((code, sender, to if is_hosted(to) else None, *[getattr(content, name) for name in _NAMES[code]]))


def is_hosted(process: ProcessId) -> bool:
    """Whether it is a scout or a commander, which a message must name: its node has many."""
    return process.role in (SCOUT, COMMANDER)


def encode_body(node: ProcessId, encoded: Sequence[bytes]) -> bytes:
    """The body of a frame that takes these messages to one node."""
    return _ENCODER.encode((node, [msgspec.Raw(each) for each in encoded]))


def encode(envelope: Envelope) -> bytes:
    """The body of a frame that takes one message to its node."""
    return encode_body(host_of(envelope.to), [encode_message(envelope)])


def decode(body: bytes) -> list[Envelope]:
    """What a body says, all to processes of one node.

    Raises:
        Foreign: it says something that is not known here.
    """
    try:
        frame = _DECODER.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        raise Foreign(str(error)) from None
    node, found = frame.node, []
    for wire in frame.messages:
        sender, to, *said = msgspec.structs.astuple(wire)
        if sender.role not in ROLES:
            raise Foreign("a process of no known role")
        if to is None:
            to = node
        elif not is_hosted(to) or host_of(to) != node:
            raise Foreign("a message to a process of another node")
        found.append(new_tuple(Envelope, (sender, to, _CONTENT[type(wire)](*said))))
    return found


def encode_record(record: Record) -> bytes:
    """A record as the storage keeps it."""
    return _ENCODER.encode(record)


def decode_record(data: bytes) -> Record:
    """The inverse of `encode_record`. Raises `Foreign`."""
    try:
        record: Record = _RECORD_DECODERS[len(_RECORDS_OF.decode(data))].decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
        raise Foreign(str(error)) from None
    return record


_REASONS_MAX = 10
_WRONG_CHECK = "a wrong check sum, another key, or another cluster"
_OTHERS_BYTES_MAX = 2**18
"""Longer frames of somebody with another cluster file are not waited for: whoever has one says shorter ones, too."""


class Framing:
    """Puts bodies into frames and takes them out of a stream. `key` is the secret that the cluster shares, or empty; frames of another
    cluster fit neither. `settings`: values of `SHARED_SETTINGS`. Whoever repeats a frame does what the protocol's network may do."""

    def __init__(self, cluster: str, key: bytes = b"", settings: Mapping[str, str] | None = None) -> None:
        self.key = key
        self.refused = ""
        """Why bytes that came in were refused last; `reasons` are the first few of all."""
        self.reasons: list[str] = []
        self.introduction = b""
        """The body of the frame that answers one of `OtherSettings`: it says who has this one's."""
        sums = [zlib.crc32((settings or {}).get(name, "").encode()).to_bytes(4, "big") for name in SHARED_SETTINGS]
        self._head = bytes((WIRE_VERSION,)) + b"".join(sums)
        self._cluster = cluster.encode()
        self._seed = zlib.crc32(self._head + self._cluster)
        self._check_size = 32 if key else 4

    def refuse(self, why: str) -> None:
        """Notes why something was refused."""
        self.refused = why
        if why not in self.reasons and len(self.reasons) < _REASONS_MAX:
            self.reasons.append(why)

    def _check(self, body: bytes) -> bytes:
        if self.key:
            return hmac.digest(self.key, self._head + self._cluster + body, "sha256")
        return zlib.crc32(body, self._seed).to_bytes(4, "big")

    def frame(self, body: bytes) -> bytes:
        """One frame."""
        check = self._check(body)
        return b"".join((_LENGTH.pack(len(self._head) + len(check) + len(body)), self._head, check, body))

    def bodies(self, buffer: bytearray) -> Iterator[bytes]:
        """The bodies of all whole frames at the beginning of `buffer`, which are taken out of it.

        Raises:
            Foreign: what follows is no frame; the stream cannot be read any further.
        """
        start, before = 0, len(self._head) + self._check_size
        try:
            while len(buffer) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, start)
                if not before <= length <= FRAME_BYTES_MAX:
                    raise Foreign(f"a frame that is too short, or longer than {FRAME_BYTES_MAX:,} bytes")
                begin = start + _LENGTH.size
                head = bytes(buffer[begin : begin + len(self._head)])
                self._begins_well(head, length)
                if len(buffer) - begin < length:
                    break
                start = begin + length
                check = bytes(buffer[begin + len(self._head) : begin + before])
                body = bytes(buffer[begin + before : start])
                if head != self._head:
                    raise self._other(head, check, body)
                if not hmac.compare_digest(check, self._check(body)):
                    raise Foreign(_WRONG_CHECK)
                yield body
        finally:
            del buffer[:start]

    def _begins_well(self, head: bytes, length: int) -> None:
        """Raises `Foreign` as soon as it is known; nothing that a stranger can choose is in a reason, so that there are few of them."""
        if head and head[0] != WIRE_VERSION:
            raise Foreign(f"another version than {WIRE_VERSION}")
        if length > _OTHERS_BYTES_MAX and not self._head.startswith(head):
            raise Foreign("a long frame of somebody with another cluster file, or of another cluster")

    def _other(self, head: bytes, check: bytes, body: bytes) -> Foreign:
        """Why a frame with another head is none of ours."""
        theirs = Framing(self._cluster.decode(), self.key)
        theirs._head = head
        theirs._seed = zlib.crc32(head + self._cluster)
        if not hmac.compare_digest(check, theirs._check(body)):
            return Foreign(_WRONG_CHECK)
        differ = [name for at, name in enumerate(SHARED_SETTINGS) if head[1 + 4 * at : 5 + 4 * at] != self._head[1 + 4 * at : 5 + 4 * at]]
        try:
            sender = host_of(decode(body)[0].sender)
            who = "a client" if sender.role == CLIENT else str(sender)  # each client has another number
        except (Foreign, IndexError):
            who = "somebody"
        return OtherSettings(f"{who} has other settings in its cluster file: {', '.join(differ)}; all need the same file")
