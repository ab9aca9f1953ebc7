"""The tables about messages agree with each other and with the protocol's messages, and matching follows from what is recorded."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pmmc_check.protocol import PMMC
from pmmc_check.protocol import messages as protocol_messages
from pmmc_check.protocol.messages import Decision, Message, P1b, Response
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, Ballot, Command, ProcessId, PValue
from pmmc_check.trace.events import KINDS, UNKNOWN, Delta
from pmmc_check.trace.fields import (
    ATTRIBUTE,
    BALLOT_IS_OWNED,
    BROADCASTS,
    CALLS,
    FIELDS,
    NAMES_ITS_SENDER,
    NUMBER_FIELDS,
    RECIPIENT,
    SENDERS,
    SET_FIELDS,
)
from pmmc_check.trace.matching import matches, undetermined
from pmmc_check.trace.system import OpaqueResult

MESSAGES = {each.kind: each for each in vars(protocol_messages).values() if hasattr(each, "kind")}
COMMAND, OTHER = (Command(ProcessId(CLIENT, 1), cid, "") for cid in (1, 2))
FIRST, SECOND = (PValue(Ballot(0, 1), slot, COMMAND) for slot in (1, 2))
ANSWER = P1b(ProcessId(ACCEPTOR, 1), Ballot(0, 1), frozenset({FIRST, SECOND}))


@pytest.mark.parametrize("table", [FIELDS, SENDERS, RECIPIENT], ids=["fields", "senders", "recipient"])
def test_a_table_by_kind_has_every_kind(table: dict[str, object]) -> None:
    assert list(table) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fields_of_a_kind_are_those_of_the_message_and_its_ends_are_roles(kind: str) -> None:
    assert [ATTRIBUTE[key] for key in FIELDS[kind]] == [each.name for each in fields(MESSAGES[kind])]
    assert {*SENDERS[kind], RECIPIENT[kind]} <= set(PMMC)


def test_what_is_said_of_some_kinds_or_fields_names_real_ones() -> None:
    assert {*BROADCASTS, *CALLS, *BALLOT_IS_OWNED, *NAMES_ITS_SENDER} <= set(KINDS)
    assert {*SET_FIELDS, *NUMBER_FIELDS} <= set(ATTRIBUTE)


@pytest.mark.parametrize(
    ("recorded", "message", "expected"),
    [
        (Decision(1, COMMAND), Decision(1, COMMAND), True),
        (Decision(1, COMMAND), Decision(1, OTHER), False),
        (Decision(UNKNOWN, COMMAND), Decision(1, COMMAND), True),
        (Decision(UNKNOWN, OTHER), Decision(1, COMMAND), False),
        (Decision(1, COMMAND), ANSWER, False),
        (Response(1, "r1"), Response(1, OpaqueResult(3)), True),
        (Response(2, "r1"), Response(1, OpaqueResult(3)), False),
        (P1b(ANSWER.acceptor, ANSWER.ballot, frozenset({FIRST, SECOND})), ANSWER, True),
        (P1b(ANSWER.acceptor, ANSWER.ballot, frozenset({SECOND})), ANSWER, False),
        (P1b(ANSWER.acceptor, ANSWER.ballot, Delta({SECOND})), ANSWER, True),
        (P1b(ANSWER.acceptor, ANSWER.ballot, Delta({FIRST, SECOND})), ANSWER, False),
    ],
)
def test_a_recorded_message_matches_whatever_agrees_in_what_was_recorded(recorded: Message, message: Message, expected: bool) -> None:
    assert matches(recorded, message, added=Delta({SECOND})) is expected


def test_a_message_is_undetermined_while_a_field_is_not_recorded() -> None:
    assert undetermined(Decision(UNKNOWN, COMMAND)) and not undetermined(Decision(1, COMMAND))
