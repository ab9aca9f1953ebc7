"""From the names and numbers of somebody's logs to those of a trace: processes, ballots, slots, commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.values import MEMO_SIZE, show_word

_COMMAND = re.compile(r"(.+?):([0-9]+)(?::(.*))?", re.DOTALL)
_CHANGE = re.compile(r"reconfigure\((.*)\)")
NONE_YET = "-"
"""The ballot of an acceptor before its first p1a."""


class TextRenaming:
    """What some texts become: whole texts, and regular expressions between slashes with what each is replaced by."""

    def __init__(self, whole: Mapping[str, str], patterns: Sequence[tuple[re.Pattern[str], str]]) -> None:
        self.whole, self.patterns = dict(whole), tuple(patterns)

    def __call__(self, text: str) -> str:
        """The new text; one that nothing names stays."""
        if text in self.whole:
            return self.whole[text]
        for pattern, new in self.patterns:
            if (match := pattern.fullmatch(text)) is not None:
                return match.expand(new)
        return text


@dataclass(frozen=True)
class Numbering:
    """How the logs count: the number of the first slot, and, where a ballot is one number, `ballot_stride`: it is round × stride + the
    place of its leader in `leaders`, from 0."""

    leaders: tuple[str, ...]
    first_slot: int = 1
    ballot_stride: int | None = None


class Rewriting:
    """The conversions of one mapping. All methods raise `Unfit`."""

    def __init__(self, processes: TextRenaming, ballots: TextRenaming, commands: TextRenaming, numbering: Numbering) -> None:
        self._ballots, self._commands, self.numbering = ballots, commands, numbering
        self.process = _remembered(processes)
        self.ballot = _remembered(self._ballot)
        self.command = _remembered(self._command)

    def slot(self, text: str) -> str:
        """A slot, counted from 1."""
        if self.numbering.first_slot == 1 or text == "?":
            return text
        if not text.isdecimal():
            raise Unfit(f"{text!r} is no slot; expected a number from {self.numbering.first_slot}")
        return str(int(text) + 1 - self.numbering.first_slot)

    def command_of(self, client: str, number: str, operation: str | None) -> str:
        """A command from its parts."""
        shown = f":{show_word(operation)}" if operation else ""
        return f"{self.process(client)}:{number}{shown}"

    def reconfiguration(self, client: str, number: str, leaders: str) -> str:
        """A command that changes to other leaders, which `leaders` lists with commas."""
        names = [self.process(each.strip().strip("\"'")) for each in leaders.strip("[]").split(",")]
        return f"{self.process(client)}:{number}:reconfigure({','.join(names)})"

    def _ballot(self, text: str) -> str:
        stride = self.numbering.ballot_stride
        text = self._ballots(text)
        if text in (NONE_YET, "?"):
            return text
        if stride is not None and text.isdecimal():
            number, place = divmod(int(text), stride)
            if place >= len(self.numbering.leaders):
                raise Unfit(f"ballot {text} would belong to leader number {place}; there are {len(self.numbering.leaders)}, from 0")
            return f"{number}.{self.numbering.leaders[place]}"
        number_text, dot, leader = text.partition(".")
        return f"{number_text}.{self.process(leader)}" if dot else text

    def _command(self, text: str) -> str:
        text = self._commands(text)
        match = _COMMAND.fullmatch(text)
        if match is None:
            return text
        client, number, operation = match.groups()
        change = _CHANGE.fullmatch(operation or "")
        return self.reconfiguration(client, number, change[1]) if change else self.command_of(client, number, operation)


def _remembered(convert: Callable[[str], str]) -> Callable[[str], str]:
    memo: dict[str, str] = {}

    def look_up(text: str) -> str:
        known = memo.get(text)
        if known is None:
            known = convert(text)
            if len(memo) >= MEMO_SIZE:
                memo.clear()
            memo[text] = known
        return known

    return look_up
