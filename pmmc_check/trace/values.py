"""Converts text to values and back: ballots `0.L1`, commands `C1:7`, `C1:7:operation` or `noop`, pvalues, process names.

One `Values` belongs to one trace and knows the names that the header gave. Conversions are memoised by text. The memo is bounded, since
traces repeat themselves only locally, and memory must not grow with their length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from pmmc_check.protocol.values import (
    BOTTOM,
    COMMANDER,
    LEADER,
    NOOP,
    SCOUT,
    Ballot,
    Command,
    ProcessId,
    PValue,
    Reconfigure,
    commander_id,
    scout_id,
)
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.events import UNKNOWN, Delta, Names, is_chosen

MEMO_SIZE = 4_096
"""Entries after which a memo is emptied."""
_PVALUES_MEMO_SIZE = 16_384
"""The same for pvalues: a long p1b names thousands of them, and the next one names them again."""

_SHORT = 200
"""Characters of a command that is remembered as text: a longer one may be of megabytes."""

NUMBER_MAX = 2**63 - 1
"""The largest number of a trace: nanoseconds since 1970 fit, say."""

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_OPERATION = (
    rf'(?::(?P<operation>reconfigure\({_NAME}(?:,{_NAME})*\)|"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{{4}})*"|[A-Za-z0-9_.+-]+))?'
)
NAME = re.compile(_NAME)
WORD = re.compile(r"[A-Za-z0-9_.+-]+")
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_INTEGER = re.compile(r"[0-9]{1,19}")
_BALLOT = re.compile(rf"([0-9]{{1,19}})\.({_NAME})(?:/([0-9]{{1,19}}))?")
_COMMAND = re.compile(rf"(?P<client>{_NAME}):(?P<cid>[0-9]{{1,19}}){_OPERATION}")
_PVALUE = re.compile(rf"(?P<ballot>[0-9]{{1,19}}\.{_NAME})/(?P<slot>[0-9]{{1,19}})/(?P<command>noop|{_NAME}:.*)", re.DOTALL)


class Values:
    """The conversions of one trace.

    Raises (all methods that read):
        Unfit: the text is no such value, or names a process that the header does not have.
    """

    def __init__(self, names: Names, bottom: str = "-") -> None:
        """`bottom` is how ⊥ is written: a trace has `-`, what people look at may have ⊥ itself."""
        self.names = names
        self.bottom = bottom
        self._pvalues: dict[str, PValue] = {}
        self._commands: dict[str, Command] = {}
        self._ballots: dict[str, Ballot] = {}
        self._shown: dict[Ballot | Command, str] = {}
        self.has_noop = False
        """Whether the no-op has been read."""
        self.has_performs = False
        """Whether a line has been read that says what a replica performed."""

    # ---- reading ----

    def ballot(self, text: str) -> Ballot:
        """A ballot such as `0.L1`, or `-` for ⊥."""
        known = self._ballots.get(text)
        if known is None:
            known = BOTTOM if text == "-" else self._ballot(text)
            _remember(self._ballots, text, known)
        return known

    def _ballot(self, text: str) -> Ballot:
        match = _BALLOT.fullmatch(text)
        if match is None or match[3] is not None:
            raise Unfit(f"{_quoted(text)} is no ballot; expected round.leader, such as 0.{self._example(LEADER)}, or - for none")
        return Ballot(_number(match[1]), self._of_role(match[2], LEADER).number)

    def command(self, text: str) -> Command:
        """A command such as `C1:7` or `C1:7:operation`, or `noop`."""
        known = self._commands.get(text)
        if known is None:
            known = self._command(text)
            self.has_noop = self.has_noop or known == NOOP
            _remember(self._commands, text, known)
        return known

    def _command(self, text: str) -> Command:
        if text == str(NOOP):
            return NOOP
        match = _COMMAND.fullmatch(text)
        if match is None:
            raise Unfit(f"{_quoted(text)} is no command; expected client:number or client:number:operation, such as C1:7, or noop")
        client = self.names.client(match["client"])
        if client is None:
            raise Unfit(f"{match['client']} is no client; clients={','.join(self.names.header.clients or ()) or '(none but other names)'}")
        return Command(client, _number(match["cid"]), self._operation(match["operation"] or ""))

    def _operation(self, text: str) -> str | Reconfigure:
        if text.startswith("reconfigure("):
            return self._reconfiguration(text[12:-1].split(","))
        return self.word(text) if text else ""

    def _reconfiguration(self, leaders: list[str]) -> Reconfigure:
        """The change to the configuration of these leaders, in the header's order."""
        for name in leaders:
            self._of_role(name, LEADER)
        stated = self.names.header.configurations
        if not stated:
            raise Unfit(
                "a reconfiguration, but the header does not say which leaders and acceptors belong together; add them to the config line,"
                " the first one first, such as configurations={L1,L2;A1,A2,A3},{L3;A4}"
            )
        for each in stated:
            if set(each.leaders) == set(leaders):
                return Reconfigure(tuple(self.names.process_of[name] for name in each.leaders))
        shown = " and ".join(",".join(each.leaders) for each in stated)
        raise Unfit(f"reconfigure({','.join(leaders)}) names the leaders of no configuration of the header; it has those of {shown}")

    def pvalue(self, text: str) -> PValue:
        """A pvalue such as `0.L1/3/C1:7`."""
        known = self._pvalues.get(text)
        if known is None:
            known = self._pvalue(text)
            _remember(self._pvalues, text, known, _PVALUES_MEMO_SIZE)
        return known

    def _pvalue(self, text: str) -> PValue:
        match = _PVALUE.fullmatch(text)
        if match is None:
            raise Unfit(f"{_quoted(text)} is no pvalue; expected ballot/slot/command, such as 0.{self._example(LEADER)}/3/C1:7")
        return PValue(self.ballot(match["ballot"]), self.slot(match["slot"]), self.command(match["command"]))

    def slot(self, text: str) -> int:
        """A slot number; slots count from 1."""
        slot = self.integer(text)
        if slot < 1:
            raise Unfit(f"{text} is no slot; slots count from 1")
        return slot

    def integer(self, text: str) -> int:
        """A number, at most `NUMBER_MAX`."""
        if _INTEGER.fullmatch(text) is None:
            raise Unfit(f"{_quoted(text)} is no number from 0 to {NUMBER_MAX}")
        return _number(text)

    def word(self, text: str) -> str:
        """A bare word, or a JSON string."""
        if WORD.fullmatch(text):
            return text
        if STRING.fullmatch(text):
            return plain_word(text)
        raise Unfit(f"{_quoted(text)} is neither a word (letters, digits, _ . + -) nor a string in double quotes")

    def process(self, text: str) -> ProcessId:
        """Any process: a name, or the ballot (and slot) that names a scout or commander."""
        known = self.names.process_of.get(text)
        if known is not None:
            return known
        match = _BALLOT.fullmatch(text)
        if match is None:
            raise Unfit(f"{_quoted(text)} is no process of the header; it has {', '.join(self.names.process_of) or 'none'}")
        ballot = Ballot(_number(match[1]), self._of_role(match[2], LEADER).number)
        return scout_id(ballot) if match[3] is None else commander_id(ballot, self.slot(match[3]))

    def _of_role(self, name: str, role: str) -> ProcessId:
        process = self.names.process_of.get(name)
        if process is None or process.role != role:
            listed = ", ".join(n for n, p in self.names.process_of.items() if p.role == role) or "none"
            raise Unfit(f"{_quoted(name)} is no {role} of the header; it has {listed}")
        return process

    def _example(self, role: str) -> str:
        return next((name for name, process in self.names.process_of.items() if process.role == role), "L1")

    # ---- writing ----

    def show(self, value: Any) -> str:
        """The text of any value, as the DSL writes it."""
        kind = type(value)
        if kind is int:
            return str(value)
        if kind is Ballot or kind is Command:
            return self._show_again(value)
        if kind is PValue:
            return f"{self.show(value.ballot)}/{value.slot}/{self._show_again(value.command)}"
        if value is UNKNOWN:
            return "?"
        if isinstance(value, ProcessId):
            return self.show_process(value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return show_word(value)
        if isinstance(value, Collection) and not isinstance(value, tuple):
            shown = "{" + ",".join(self.show_set(value)) + "}"
            return "+" + shown if isinstance(value, Delta) else shown
        return str(value)

    def show_set(self, pvalues: Iterable[PValue]) -> list[str]:
        """The members of a set, sorted, so that the text is the same on every run."""
        return [self.show(each) for each in sorted(pvalues, key=_sorting_key)]

    def show_process(self, process: ProcessId) -> str:
        """Its name; a scout's is its ballot, a commander's its ballot and slot."""
        if process.role == SCOUT:
            return self.show(process.ballot)
        if process.role == COMMANDER:
            return f"{self.show(process.ballot)}/{process.slot}"
        return self.names.name_of.get(process) or str(process)

    def _show_again(self, value: Ballot | Command) -> str:
        known = self._shown.get(value)
        if known is None:
            known = self._show_ballot(value) if isinstance(value, Ballot) else self._show_command(value)
            if len(known) <= _SHORT:
                _remember(self._shown, value, known)
        return known

    def _show_ballot(self, ballot: Ballot) -> str:
        return self.bottom if ballot.round < 0 else f"{ballot.round}.{self.names.name_of[ProcessId(LEADER, ballot.leader)]}"

    def _show_command(self, command: Command) -> str:
        if command == NOOP:
            return str(NOOP)
        if not is_chosen(command):
            return "(any waiting request)"
        operation = command.operation
        if isinstance(operation, Reconfigure):
            shown = ":reconfigure(" + ",".join(map(self.show_process, operation.leaders)) + ")"
        else:
            shown = f":{show_word(operation)}" if operation else ""
        return f"{self.show_process(command.client)}:{command.cid}{shown}"


def _number(text: str) -> int:
    number = int(text)
    if number > NUMBER_MAX:
        raise Unfit(f"{text} is too large; numbers go up to {NUMBER_MAX}")
    return number


def show_word(text: str) -> str:
    """`text` bare if it is a word, else as a JSON string."""
    return text if WORD.fullmatch(text) else json.dumps(text)


def plain_word(text: str) -> str:
    """What a bare word or a JSON string says.

    Raises:
        Unfit: it has half a surrogate pair, which no file can hold.
    """
    if not text.startswith('"'):
        return text
    said = str(json.loads(text))
    try:
        said.encode()
    except UnicodeEncodeError:
        raise Unfit(f"{_quoted(text)} has half a surrogate pair (\\ud800 to \\udfff), which is no character") from None
    return said


def _sorting_key(pvalue: PValue) -> Any:
    ballot, slot, command = pvalue
    return slot, ballot, command.client, command.cid, str(command.operation)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _remember(memo: dict[Any, Any], key: Any, value: Any, size: int = MEMO_SIZE) -> None:
    if len(memo) >= size:
        memo.clear()
    memo[key] = value
