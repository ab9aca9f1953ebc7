"""The texts of names, ballots, commands and pvalues in the step protocol: those of the trace format, with the names A1, L1, R1, C1."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.values import (
    ACCEPTOR,
    BOTTOM,
    CLIENT,
    COMMANDER,
    LEADER,
    NOOP,
    REPLICA,
    SCOUT,
    Ballot,
    Command,
    ProcessId,
    PValue,
    Reconfigure,
    SlotCommand,
    commander_id,
    scout_id,
)
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.values import STRING, WORD, plain_word, show_word

_COUNT = r"(?:0|[1-9][0-9]{0,17})"
_NUMBER = r"[1-9][0-9]{0,17}"
_NAME = re.compile(rf"([ALRC])({_NUMBER})")
_BALLOT = re.compile(rf"({_COUNT})\.L({_NUMBER})")
_THREAD = re.compile(rf"({_COUNT}\.L{_NUMBER})(?:/({_NUMBER}))?")
_COMMAND = re.compile(rf"C({_NUMBER}):({_COUNT})(?::(.+))?", re.DOTALL)
_PVALUE = re.compile(rf"({_COUNT}\.L{_NUMBER})/({_NUMBER})/(noop|C.*)", re.DOTALL)
_SLOT_COMMAND = re.compile(rf"({_NUMBER})/(noop|C.*)", re.DOTALL)
_RECONFIGURE = re.compile(rf"reconfigure\((L{_NUMBER}(?:,L{_NUMBER})*)\)")
_ROLE_OF = {"A": ACCEPTOR, "L": LEADER, "R": REPLICA, "C": CLIENT}


def step_text(value: ProcessId | Ballot | Command | PValue | SlotCommand) -> str:
    """The text of a value."""
    if isinstance(value, ProcessId):
        if value.role == SCOUT:
            return str(value.ballot)
        return f"{value.ballot}/{value.slot}" if value.role == COMMANDER else str(value)
    if isinstance(value, Ballot):
        return "-" if value == BOTTOM else str(value)
    if isinstance(value, PValue):
        return f"{step_text(value.ballot)}/{value.slot}/{step_text(value.command)}"
    if isinstance(value, SlotCommand):
        return f"{value.slot}/{step_text(value.command)}"
    return _text_of_command(value)


def _text_of_command(command: Command) -> str:
    if command == NOOP:
        return "noop"
    name = f"C{command.client.number}:{command.cid}"
    if isinstance(command.operation, Reconfigure):
        return f"{name}:reconfigure({','.join(map(str, command.operation.leaders))})"
    return f"{name}:{show_word(command.operation)}" if command.operation else name


def value_in(text: str) -> Any:
    """The name, ballot, command, pvalue or command in a slot that `text` is, where it is written as `step_text` writes it; else `text`."""
    for reads in (ballot_text_in, name_in, pvalue_in, slot_command_in, command_in):
        try:
            value = reads(text)
        except Unfit:
            continue
        return value if step_text(value) == text and value not in (BOTTOM, NOOP) else text
    return text


def name_in(text: str) -> ProcessId:
    """A process that has a name: `A1`, `L1`, `R1`, `C1`.

    Raises (as all that read a text):
        Unfit: it is none.
    """
    match = _matched(_NAME, text, "no name; expected one such as A1")
    return ProcessId(_ROLE_OF[match[1]], int(match[2]))


def process_in(text: str) -> ProcessId:
    """Any process: a scout is called by its ballot, `0.L1`, a commander by ballot and slot, `0.L1/1`."""
    if match := _THREAD.fullmatch(text):
        ballot = ballot_text_in(match[1])
        return commander_id(ballot, int(match[2])) if match[2] else scout_id(ballot)
    try:
        return name_in(text)
    except Unfit:
        raise Unfit(f"{text!r} is no process; expected one such as A1, scout 0.L1 or commander 0.L1/1") from None


def ballot_text_in(text: str) -> Ballot:
    """A ballot: `0.L1`, or `-` for the one below all others."""
    if text == "-":
        return BOTTOM
    match = _matched(_BALLOT, text, "no ballot; expected round.leader such as 0.L1, or - for the one below all others")
    return Ballot(int(match[1]), int(match[2]))


def command_in(text: str) -> Command:
    """A command: `C1:1`, `C1:1:op1`, or `noop`."""
    if text == "noop":
        return NOOP
    match = _matched(_COMMAND, text, "no command; expected client:number:operation such as C1:1:op1, or noop")
    return Command(ProcessId(CLIENT, int(match[1])), int(match[2]), _operation(match[3] or ""))


def _operation(text: str) -> str | Reconfigure:
    if match := _RECONFIGURE.fullmatch(text):
        return Reconfigure(tuple(name_in(each) for each in match[1].split(",")))
    if text and not (WORD.fullmatch(text) or STRING.fullmatch(text)):
        raise Unfit(f"{text!r} is no operation; expected a word (letters, digits, _ . + -) or a string in double quotes")
    return plain_word(text)


def pvalue_in(text: str) -> PValue:
    """A pvalue: `0.L1/1/C1:1:op1`."""
    match = _matched(_PVALUE, text, "no pvalue; expected ballot/slot/command such as 0.L1/1/C1:1:op1")
    return PValue(ballot_text_in(match[1]), int(match[2]), command_in(match[3]))


def slot_command_in(text: str) -> SlotCommand:
    """A command in a slot: `1/C1:1:op1`."""
    match = _matched(_SLOT_COMMAND, text, "no command in a slot; expected slot/command such as 1/C1:1:op1")
    return SlotCommand(int(match[1]), command_in(match[2]))


def _matched(pattern: re.Pattern[str], text: str, else_say: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise Unfit(f"{text!r} is {else_say}")
    return match


ReadsText = Callable[[str], Any]
"""Reads one kind of text."""
