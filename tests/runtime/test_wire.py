"""Messages as bytes: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmmc_check.protocol.messages import Decision, P1a, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.values import (
    ACCEPTOR,
    BOTTOM,
    CLIENT,
    LEADER,
    REPLICA,
    Ballot,
    Command,
    ProcessId,
    PValue,
    Reconfigure,
    SlotCommand,
    scout_id,
)
from pmmc_check.protocol.variants.optimised import P1bCollected
from pmmc_check.runtime.inward import STRANGERS_BYTES_MAX, Connections, Inward
from pmmc_check.runtime.signals import Alive, Forgotten, Heartbeat, Lacking, Order, OrderAnswer, Part, Passed, Probe
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.tcp import TcpTransport
from pmmc_check.runtime.wire import (
    FRAME_BYTES_MAX,
    SHARED_SETTINGS,
    WIRE_VERSION,
    Foreign,
    Framing,
    OtherSettings,
    decode,
    decode_record,
    encode,
    encode_body,
    encode_message,
    encode_record,
)

numbers = st.integers(1, 2**40)


def processes(role: str) -> st.SearchStrategy[ProcessId]:
    return numbers.map(lambda number: ProcessId(role, number))


ballots = st.just(BOTTOM) | st.builds(Ballot, st.integers(0, 2**40), numbers)
leaders = processes(LEADER)
acceptors = processes(ACCEPTOR)
operations = st.text(max_size=20) | st.builds(Reconfigure, st.lists(leaders, max_size=3).map(tuple))
commands = st.builds(Command, processes(CLIENT), numbers, operations)
pvalues = st.builds(PValue, ballots, numbers, commands)
contents = st.one_of(
    st.builds(Request, commands),
    st.builds(Propose, numbers, commands),
    st.builds(P1a, ballots),
    st.builds(P1bCollected, acceptors, ballots, st.frozensets(pvalues, max_size=4), st.integers(0, 2**40)),
    st.builds(Passed, st.binary(max_size=9), st.lists(st.builds(SlotCommand, numbers, commands), max_size=3).map(tuple)),
    st.builds(Part, st.booleans(), st.booleans(), st.binary(max_size=9)),
    st.builds(Forgotten, st.integers(0, 2**63 - 1)),
    st.builds(Order, st.text(max_size=9), st.text(max_size=9)),
    st.builds(OrderAnswer, st.text(max_size=9), st.text(max_size=9)),
    st.builds(P2a, ballots, numbers, commands),
    st.builds(P2b, acceptors, ballots),
    st.builds(Decision, numbers, commands),
    st.builds(Response, numbers, st.text(max_size=20)),
    st.builds(Heartbeat, ballots),
    st.builds(Lacking, numbers),
    st.just(Probe()) | st.just(Alive()),
)
envelopes = st.builds(Envelope, acceptors, leaders, contents)


@given(envelopes)
def test_a_message_comes_out_as_it_went_in(envelope: Envelope) -> None:
    assert decode(encode(envelope)) == [envelope]


@given(st.lists(st.builds(Envelope, acceptors, leaders | st.just(scout_id(Ballot(2, 7))), contents), max_size=4))
def test_all_for_one_node_come_out_of_one_frame_in_their_order(sent: list[Envelope]) -> None:
    node = ProcessId(LEADER, 7)
    sent = [each._replace(to=node) if each.to.role == LEADER else each for each in sent]
    assert decode(encode_body(node, list(map(encode_message, sent)))) == sent


def test_what_goes_to_many_is_the_same_bytes() -> None:
    sent = [Envelope(ProcessId(CLIENT, 1), ProcessId(REPLICA, number), P1a(BOTTOM)) for number in (1, 2, 3)]
    assert len(set(map(encode_message, sent))) == 1


@pytest.mark.parametrize("to", [ProcessId(LEADER, 7), scout_id(Ballot(2, 8)), ProcessId("scribe", 7)])
def test_a_message_for_another_node_than_its_frame_is_foreign(to: ProcessId) -> None:
    strange = msgspec.msgpack.encode((0, ProcessId(CLIENT, 1), to, (ProcessId(CLIENT, 1), 1, "read")))
    with pytest.raises(Foreign, match="another node"):
        decode(encode_body(ProcessId(LEADER, 9), [strange]))


@given(pvalues | st.builds(SlotCommand, numbers, commands))
def test_so_does_a_record_of_the_storage(record: PValue | SlotCommand) -> None:
    again = decode_record(encode_record(record))
    assert again == record
    assert type(again) is type(record)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_message_are_foreign(body: bytes) -> None:
    try:
        decode(body)
    except Foreign:
        return


@given(envelopes, st.data())
@settings(max_examples=200)
def test_a_changed_message_is_another_message_or_foreign_and_never_a_crash(envelope: Envelope, data: st.DataObject) -> None:
    body = bytearray(encode(envelope))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(body))
    except Foreign:
        return


@given(st.lists(st.binary(max_size=30), max_size=5), st.data(), st.sampled_from([b"", b"secret"]))
def test_a_stream_may_come_in_any_pieces(bodies: list[bytes], data: st.DataObject, key: bytes) -> None:
    framing = Framing("cluster", key)
    stream = b"".join(map(framing.frame, bodies))
    cut = data.draw(st.integers(0, len(stream)))
    buffer, found = bytearray(), []
    for piece in (stream[:cut], stream[cut:]):
        buffer += piece
        found += framing.bodies(buffer)
    assert found == bodies
    assert not buffer


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Framing("a"), Framing("b")),
        (Framing("a", b"secret"), Framing("a", b"guess")),
        (Framing("a", b"secret"), Framing("b", b"secret")),
        (Framing("a", b"secret"), Framing("a")),
        (Framing("a"), Framing("a", b"secret")),
    ],
)
def test_frames_of_another_cluster_or_of_another_key_are_foreign(mine: Framing, theirs: Framing) -> None:
    with pytest.raises(Foreign):
        list(mine.bodies(bytearray(theirs.frame(b"x" * 100))))


@pytest.mark.parametrize("key", [b"", b"secret"])
@pytest.mark.parametrize("name", SHARED_SETTINGS)
def test_who_has_other_settings_is_told_which(name: str, key: bytes) -> None:
    settings = dict.fromkeys(SHARED_SETTINGS, "1")
    mine, theirs = Framing("a", key, settings), Framing("a", key, settings | {name: "2"})
    frame = theirs.frame(encode(Envelope(ProcessId(REPLICA, 2), ProcessId(ACCEPTOR, 1), Probe())))
    with pytest.raises(OtherSettings, match=f"R2 has other settings in its cluster file: {name};"):
        list(mine.bodies(bytearray(frame)))
    strange = Framing("a", b"guess", settings | {name: "2"}).frame(b"x" * 100)
    with pytest.raises(Foreign) as found:
        list(mine.bodies(bytearray(strange)))
    assert not isinstance(found.value, OtherSettings)  # whoever has no key is told nothing


def test_a_frame_of_another_version_or_of_too_many_bytes_is_foreign() -> None:
    framing = Framing("a")
    other = bytearray(framing.frame(b"body"))
    other[4] = WIRE_VERSION + 1
    with pytest.raises(Foreign, match="version"):
        list(framing.bodies(other))
    with pytest.raises(Foreign, match="bytes"):
        list(framing.bodies(bytearray((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))))


def test_a_frame_of_another_version_or_a_long_one_of_another_cluster_file_is_not_waited_for() -> None:
    framing, other = Framing("a"), Framing("a", settings={"machine": "kv"})
    whole = Framing("a").frame(b"x" * 2**19)
    for end in range(len(whole[:40])):
        assert not list(framing.bodies(bytearray(whole[:end])))
    with pytest.raises(Foreign, match="version"):
        list(framing.bodies(bytearray(whole[:4] + bytes((WIRE_VERSION + 1,)))))
    with pytest.raises(Foreign, match="another cluster file"):
        list(framing.bodies(bytearray(other.frame(b"x" * 2**19)[:21])))


@pytest.mark.parametrize("key", [b"secret", b"guess"])
def test_nothing_is_kept_of_a_frame_that_is_refused(key: bytes) -> None:
    framing = Framing("a", b"secret")
    frame = Framing("a", key, {"window": "20"} if key == b"secret" else {}).frame(b"x" * 2**16)
    found: list[Foreign] = []
    for _ in range(2):
        with pytest.raises(Foreign) as refused:
            list(framing.bodies(bytearray(frame)))
        found.append(refused.value)
    assert found[0] is not found[1], "an exception that is raised again keeps the frames of all times before"


def test_whatever_strangers_and_clients_send_a_wrong_key_is_still_told() -> None:
    settings = {"machine": "kv", "window": "20"}
    node, other = Framing("shop", b"key", settings), Framing("shop", b"key", settings | {"window": "21"})
    me = ProcessId(ACCEPTOR, 1)
    node.introduction = encode(Envelope(me, me, OrderAnswer("", "")))
    heard = [other.frame(encode(Envelope(ProcessId(CLIENT, number), me, Order("", "")))) for number in range(1, 13)]
    heard += [other.frame(encode(Envelope(scout_id(Ballot(number, 1)), me, P1a(Ballot(number, 1))))) for number in range(1, 13)]
    heard += [(2**30 + number).to_bytes(4, "big") for number in range(12)]
    heard += [node.frame(b"")[:4] + bytes((version,)) for version in range(100, 112)]
    for data in heard:
        Heard(node).inward.data_received(data)
    Heard(node).inward.data_received(Framing("shop", b"guess", settings).frame(b"x"))
    assert len(node.reasons) == 5
    assert node.reasons[0] == "a client has other settings in its cluster file: window; all need the same file"
    assert node.reasons[1].startswith("L1 has other settings")
    assert node.reasons[-1] == node.refused == "a wrong check sum, another key, or another cluster"


class Heard:
    """What comes out of a connection into which bytes go."""

    def __init__(self, framing: Framing, connections: Connections | None = None) -> None:
        self.found: list[Envelope] = []
        self.counts: Counter[str] = Counter()
        self.connections = connections or Connections(lambda process: process.role != CLIENT)
        self.inward = Inward(framing, self._take, self.counts, self.connections)

    def hears(self, framing: Framing, envelope: Envelope) -> int:
        """How many bad frames there were until then."""
        self.inward.data_received(framing.frame(encode(envelope)))
        return self.counts["bad frames"]

    def _take(self, envelopes: list[Envelope], connection: Inward) -> None:
        self.found += envelopes


@pytest.mark.parametrize("pieces", [1, 7])
def test_what_is_longer_than_a_frame_comes_in_parts(pieces: int) -> None:
    framing = Framing("shop", b"key")
    heard, transport = Heard(framing), TcpTransport(ProcessId(ACCEPTOR, 1), framing, Random(1))
    accepted = frozenset(PValue(BOTTOM, slot, Command(ProcessId(CLIENT, 1), slot, "v" * 2**20)) for slot in range(1, 11))
    sent = Envelope(ProcessId(ACCEPTOR, 1), scout_id(Ballot(1, 1)), P1bCollected(ProcessId(ACCEPTOR, 1), Ballot(1, 1), accepted, 3))
    data = transport._framed(ProcessId(LEADER, 1), encode(sent))
    after = framing.frame(encode(Envelope(ProcessId(ACCEPTOR, 1), ProcessId(LEADER, 1), Alive())))
    step = len(data) // pieces + 1
    for begin in range(0, len(data), step):
        heard.inward.data_received(data[begin : begin + step])
    heard.inward.data_received(after)
    assert heard.found == [sent, Envelope(ProcessId(ACCEPTOR, 1), ProcessId(LEADER, 1), Alive())]
    assert not heard.counts


def test_parts_that_make_too_much_or_nothing_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.runtime.inward.WHOLE_BYTES_MAX", 1000)
    framing = Framing("shop")
    heard, me, to = Heard(framing), ProcessId(ACCEPTOR, 1), ProcessId(LEADER, 1)

    def hears(*parts: Part) -> int:
        for each in parts:
            heard.inward.data_received(framing.frame(encode(Envelope(me, to, each))))
        return heard.counts["bad frames"]

    assert hears(Part(False, True, b"x")) == 1
    assert hears(Part(True, False, b"x" * 900), Part(False, False, b"x" * 900)) == 2
    assert not heard.connections._parts
    assert hears(Part(False, True, b"x")) == 3
    assert hears(Part(True, True, b"no body")) == 4
    whole = encode(Envelope(me, to, Alive()))
    assert hears(Part(True, False, whole[:3]), Part(False, True, whole[3:])) == 4
    assert heard.found == [Envelope(me, to, Alive())]


def test_parts_come_from_nodes_and_there_is_one_whole_of_them_a_node() -> None:
    framing, to = Framing("shop"), ProcessId(LEADER, 1)
    one = Heard(framing)
    other = Heard(framing, one.connections)
    node, whole = ProcessId(ACCEPTOR, 1), encode(Envelope(ProcessId(ACCEPTOR, 1), to, Alive()))
    begins, ends = Part(True, False, whole[:3]), Part(False, True, whole[3:])
    assert one.hears(framing, Envelope(ProcessId(CLIENT, 7), to, begins)) == 1
    assert one.hears(framing, Envelope(ProcessId(CLIENT, 7), to, ends)) == 2
    assert one.hears(framing, Envelope(node, to, begins)) == 2
    assert other.hears(framing, Envelope(node, to, begins)) == 0, "the peer has come back; what it had begun is not kept"
    assert one.hears(framing, Envelope(node, to, ends)) == 3
    assert len(one.connections._parts) == 1
    assert other.hears(framing, Envelope(node, to, ends)) == 0
    assert (one.found, other.found) == ([], [Envelope(node, to, Alive())])
    one.hears(framing, Envelope(node, to, begins))
    one.inward.connection_lost(None)
    assert not one.connections._parts, "nothing is kept of what will not go on"


def test_strangers_hold_no_more_than_a_little_together_and_whoever_is_of_the_cluster_as_much_as_a_frame() -> None:
    me, framing = ProcessId(ACCEPTOR, 1), Framing("shop", b"key")
    long = framing.frame(encode(Envelope(me, me, Part(True, False, b"x" * (FRAME_BYTES_MAX - 1000)))))

    async def scene() -> None:
        counts: Counter[str] = Counter()
        found: list[list[Envelope]] = []
        connections = Connections(lambda process: process.role != CLIENT)
        server = await asyncio.get_running_loop().create_server(
            lambda: Inward(framing, lambda envelopes, connection: found.append(envelopes), counts, connections), "127.0.0.1", 0
        )
        at = server.sockets[0].getsockname()[:2]
        junk = FRAME_BYTES_MAX.to_bytes(4, "big") + framing.frame(b"")[4:21] + b"x" * (FRAME_BYTES_MAX - 2**20)
        strangers = [await asyncio.open_connection(*at) for _ in range(12)]
        for _, writer in strangers:
            writer.write(junk)
        async with asyncio.timeout(30):
            while sum(each.stranger_bytes for each in connections.came_in) < 7 * 2**23 or len(connections.came_in) > 9:
                await asyncio.sleep(0.01)
                assert sum(each.stranger_bytes for each in connections.came_in) <= STRANGERS_BYTES_MAX
        assert counts["bad frames"] == 3
        assert "frames that do not end" in framing.refused
        _, writer = await asyncio.open_connection(*at)
        operation = Request(Command(ProcessId(CLIENT, 1), 1, "v" * 2**20))
        async with asyncio.timeout(30):
            writer.write(framing.frame(encode(Envelope(ProcessId(CLIENT, 1), ProcessId(REPLICA, 1), operation))))
            writer.write(long)
            while len(found) < 2:
                await asyncio.sleep(0.01)
        assert found[0][0].content == operation
        for _, each in [*strangers, (None, writer)]:
            each.close()
        server.close()

    asyncio.run(scene())


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option")
def test_a_connection_to_a_machine_that_is_cut_off_is_given_up_within_seconds() -> None:
    async def scene() -> int:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        transport, peer = TcpTransport(ProcessId(ACCEPTOR, 1), Framing("shop"), Random(1)), ProcessId(LEADER, 1)
        transport.know({peer: server.sockets[0].getsockname()[:2]})
        transport.send([Envelope(ProcessId(ACCEPTOR, 1), peer, Alive())])
        link = transport._links[peer]
        while link.transport is None:
            await asyncio.sleep(0.01)
        found: int = link.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        transport.close()
        server.close()
        return found

    assert asyncio.run(scene()) == 10_000
