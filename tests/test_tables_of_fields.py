"""The tables of messages, states and values in docs/your-own-role.md are those of the classes. PMMC_UPDATE_SNAPSHOTS=1 rewrites them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from helpers import ROOT

from pmmc_check.protocol import acceptor, commander, leader, messages, replica, scout
from pmmc_check.protocol.role import Outcome, Send
from pmmc_check.protocol.values import Ballot, Command, ProcessId, PValue, SlotCommand

PAGE = ROOT / "docs" / "your-own-role.md"
MESSAGES = [each for each in vars(messages).values() if isinstance(each, type) and issubclass(each, messages.Message)]
NEVER_SENT = (messages.Message, messages.Addressed)
TABLES = {
    "message": [each for each in MESSAGES if each not in NEVER_SENT and not issubclass(each, messages.Instant)],
    "state": [acceptor.AcceptorState, scout.ScoutState, commander.CommanderState, leader.LeaderState, replica.ReplicaState],
    "value": [Outcome, Send, Ballot, PValue, SlotCommand, Command, ProcessId],
}


def fields_of(role_or_message: type) -> Iterator[str]:
    if is_dataclass(role_or_message):
        named: Iterable[tuple[str, Any]] = [(each.name, each.type) for each in fields(role_or_message)]
    else:
        named = role_or_message.__annotations__.items()
    for name, annotation in named:
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", str(annotation))
        yield f"`{name}: {text.replace('Proposals', 'frozenset[SlotCommand]')}`".replace("|", "\\|")


def rows(kind: str) -> str:
    heads = {"message": "| message | fields | from → to |", "state": "| state | fields | |", "value": "| value | fields | |"}
    lines = [heads[kind], "|---|---|---|"]
    for each in TABLES[kind]:
        about = (each.__doc__ or "").strip().splitlines()[0].replace("|", "\\|")
        lines.append(f"| `{each.__name__}` | {', '.join(fields_of(each))} | {about} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", TABLES)
def test_the_table_is_that_of_the_classes(kind: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = re.search(rf"^\| {kind} \|.*\n(?:\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    if os.environ.get("PMMC_UPDATE_SNAPSHOTS") == "1":
        text = text.replace(table[0], rows(kind))
        PAGE.write_text(text, encoding="utf-8")
    assert rows(kind) in text


def test_every_class_that_a_table_names_can_be_imported_from_the_protocol() -> None:
    from pmmc_check import protocol  # noqa: PLC0415

    wanted = {each.__name__ for kind in ("message", "state") for each in TABLES[kind]}
    assert wanted <= set(protocol.__all__)
