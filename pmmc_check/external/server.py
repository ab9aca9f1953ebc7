"""Questions to a step server and its answers: with numbers, on several processes at once, each within its time."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from pmmc_check.errors import FailedStep, ProtocolError, UsageError
from pmmc_check.external.lifetime import DEADLINE_SECONDS
from pmmc_check.external.program import ServerFailed, ServerProcess, how_it_ended

STEP_PROTOCOL = 1
_SHOWN_MAX = 2000
_RESTARTS_MAX = 100
_PANICS = re.compile(
    r"panicked at|^panic: |AssertionError|[Aa]ssertion.*failed|^Exception in thread|^fatal error: |terminate called|"
    r"^Traceback \(most recent",
    re.MULTILINE,
)
"""What the run times of Rust, Go, Java, C, C++ and Python write when a program ends itself because something is not as it must be."""
_SIGABRT = -6
_INTERPRETERS = re.compile(r"(python|pypy|ruby|perl|php|lua)[0-9.]*|node|deno|bun|java|bash|sh|env|Rscript|julia")
_WIDTH = 100


class ServerError(ProtocolError):
    """A step server broke the step protocol; the text shows the question and the answer."""

    in_lines = True


class StepPanicked(FailedStep):
    """The program of a role failed in a step: with an answer `{"error": ...}`, with a panic, or it crashed."""

    in_lines = True


@dataclass(eq=False)
class Ticket:
    """A question that was sent, and its answer, once it has come."""

    number: int
    question: dict[str, Any]
    line: bytes
    process: _Running | None = None
    answer: bytes | None = None


@dataclass(eq=False)
class _Running:
    process: ServerProcess
    waiting: deque[Ticket] = field(default_factory=deque)


class StepServer:
    """A program that answers questions about roles, in up to `processes` processes. To be closed.

    Raises (by all that ask):
        UsageError: the program cannot be started.
        ServerError: it broke the protocol.
    """

    def __init__(self, command: str, seconds: float = DEADLINE_SECONDS, processes: int = 1) -> None:
        self.reference = f"exec:{command}"
        self.where = f"--protocol {self.reference}"
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"{self.where}: {error}; quote it as in a shell") from None
        if not self._arguments:
            raise UsageError("--protocol exec: expected the command that starts a step server, for example exec:./my_acceptor")
        if not seconds > 0:
            raise UsageError(f"--step-deadline {seconds:g}: must be a positive number of seconds")
        self.name = _name_of(self._arguments)
        self._shown: set[str] = set()
        self._seconds = seconds
        self._processes_max = max(1, processes)
        self._running: list[_Running] = []
        self._turn = 0
        self._asked = 0
        self._failures = 0
        self.questions = 0
        self._closed = False

    def begin(self, question: dict[str, Any]) -> Ticket:
        """Sends a question; `finish` waits for its answer. Questions go round the processes."""
        self._asked += 1
        whole = {"pmmc-role": STEP_PROTOCOL, "id": self._asked, **question}
        ticket = Ticket(self._asked, whole, orjson.dumps(whole) + b"\n")
        self._send(ticket)
        return ticket

    def finish(self, ticket: Ticket) -> dict[str, Any]:
        """The answer to a question, an object."""
        while ticket.answer is None:
            if ticket.process is None:  # the process that it went to has failed at another question
                self._send(ticket)
            self._receive(ticket)
        return self._object(ticket)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question."""
        return self.finish(self.begin(question))

    def wrong(self, ticket: Ticket, problem: str, expected: str) -> ServerError:
        """The error that an answer is not what it must be."""
        return ServerError(self._told(ticket, problem, expected))

    def evidence(self, ticket: Ticket) -> str:
        """The question and the answer, as lines that follow a message."""
        lines = [("question", ticket.line.strip()), *([("answer", ticket.answer)] if ticket.answer else [])]
        return "".join(_line(label, _shown(text)) for label, text in lines)

    def failed(self, ticket: Ticket, why: str, *, is_assertion: bool) -> StepPanicked:
        """What to raise where a step itself has failed."""
        text = f"{self.where}: {_clause(ticket.question)}: {why}{self.evidence(ticket)}"
        if not is_assertion:
            text += _line("expected", f"{EXPECTED[ticket.question['ask']]}, and a program that runs until its input ends")
        return StepPanicked(text, why, is_assertion=is_assertion)

    def close(self) -> None:
        """Ends all processes."""
        self._closed = True
        running, self._running = self._running, []
        try:
            for each in running:
                each.process.close()
        finally:
            for each in running:
                each.process.kill()

    def _send(self, ticket: Ticket) -> None:
        if self._closed:
            raise ServerError(f"{self.where}: the step server has been ended")
        if len(self._running) < min(self._processes_max, self._asked):
            self._running.append(_Running(self._started()))
        self._turn = (self._turn + 1) % len(self._running)
        running = self._running[self._turn]
        ticket.process = running
        running.waiting.append(ticket)
        self.questions += 1
        running.process.send(ticket.line)

    def _started(self) -> ServerProcess:
        try:
            return ServerProcess(self._arguments, self._show)
        except OSError as error:
            hint = "; give its path, such as exec:./my_acceptor" if "/" not in self._arguments[0] else "; build it first?"
            raise UsageError(f"{self.where}: {self._arguments[0]} cannot be started: {error.strerror}{hint}") from None

    def _show(self, errors: str) -> None:
        """What a process wrote to standard error until it answered or ended: once, since one step is asked for again and again."""
        if errors in self._shown:
            return
        self._shown.add(errors)
        with suppress(OSError, ValueError):
            for line in errors.splitlines():
                print(f"{self.name}: {line}", file=sys.stderr, flush=True)

    def _receive(self, wanted: Ticket) -> None:
        """ReadsText the answer to the oldest question of the process that has `wanted`."""
        running = wanted.process
        assert running is not None
        oldest = running.waiting[0]
        try:
            line = running.process.receive(self._seconds)
        except ServerFailed as failed:
            self._give_up(running)
            raise self._fate(oldest, failed) from None
        except BaseException:  # interrupted: its answer would be taken for that to another question
            self._give_up(running)
            raise
        oldest.answer = line
        try:
            self._check_number(oldest)
        except ServerError:
            self._give_up(running)
            raise
        running.waiting.popleft()

    def _give_up(self, running: _Running) -> None:
        """Ends a process that has failed. What else it was asked, another will be."""
        running.process.kill()
        self._running = [each for each in self._running if each is not running]
        for ticket in running.waiting:
            ticket.process = None
        self._failures += 1
        if self._failures > _RESTARTS_MAX:
            raise ServerError(f"{self.where}: its processes have failed {self._failures} times; this is given up")

    def _fate(self, ticket: Ticket, failed: ServerFailed) -> ProtocolError:
        """What it means that no answer came: a panic in a step is a finding, everything else an error."""
        in_step = ticket.question["ask"] in ("step", "restart")
        if failed.code is None or not in_step:
            return ServerError(self._told(ticket, failed.why, EXPECTED[ticket.question["ask"]], failed.errors))
        said = _panic_in(failed.errors)
        why = f"the program {how_it_ended(failed.code)}" + (f": {said}" if said else "")
        return self.failed(ticket, why, is_assertion=failed.code == _SIGABRT or said is not None)

    def _check_number(self, ticket: Ticket) -> None:
        number = self._object(ticket).get("id")
        if number != ticket.number:
            if isinstance(number, int) and 0 < number < ticket.number:
                why = f"answered once more to question {number}, or out of order"
            else:
                why = (
                    f"answered with the wrong id, {orjson.dumps(number).decode()}"
                    if number is not None
                    else "answered without the id of the question"
                )
            raise self.wrong(ticket, why, f'"id":{ticket.number}, and one answer to each question')

    def _object(self, ticket: Ticket) -> dict[str, Any]:
        assert ticket.answer is not None
        try:
            found = orjson.loads(ticket.answer)
        except orjson.JSONDecodeError:
            try:
                ticket.answer.decode()
            except UnicodeDecodeError:
                raise self.wrong(ticket, "answered with what is not UTF-8", "JSON in UTF-8") from None
            raise self.wrong(
                ticket, "wrote what is not JSON", "nothing but answers on standard output; logs go to standard error"
            ) from None
        if not isinstance(found, dict):
            raise self.wrong(ticket, "answered with JSON that is no object", EXPECTED[ticket.question["ask"]])
        return found

    def _told(self, ticket: Ticket, problem: str, expected: str, errors: str = "") -> str:
        more = _line("stderr", _shown(errors.splitlines()[-1].encode())) if errors else ""
        return f"{self.where}: {_clause(ticket.question)}: it {problem}{self.evidence(ticket)}{_line('expected', expected)}{more}"


EXPECTED = {
    "hello": '{"id":1,"role":"acceptor"}, with what it claims',
    "start": '{"id":...,"outcomes":[{"state":...,"sends":[...]}]}',
    "step": '{"id":...,"outcomes":[{"state":...,"sends":[...]}]}',
    "restart": '{"id":...,"outcomes":[{"state":...,"sends":[...]}]}',
}


def _panic_in(errors: str) -> str | None:
    """What a program says of its panic; None where it says nothing of one."""
    panic = _PANICS.search(errors)
    if panic is None:
        return None
    lines = errors[errors.rfind("\n", 0, panic.start()) + 1 :].splitlines()
    if panic[0].startswith("Traceback"):
        return lines[-1]
    more = lines[1] if panic[0] == "panicked at" and len(lines) > 1 else ""  # Rust says why in the line that follows
    return " ".join(filter(None, (lines[0].strip(), more.strip())))


def _clause(question: dict[str, Any]) -> str:
    """What was asked, in a few words."""
    if question["ask"] == "hello":
        return "asked which roles it plays"
    message = f" on {question['message']['msg']}" if "message" in question else ""
    return f"asked for the {question['ask']} of {question['me']}{message}"


def _name_of(arguments: Sequence[str]) -> str:
    """The program's name; where an interpreter runs a script, the script's."""
    names = [each.rpartition("/")[2] for each in arguments]
    if _INTERPRETERS.fullmatch(names[0]):
        scripts = (name for name, each in zip(names[1:], arguments[1:], strict=True) if each.endswith(name) and os.path.isfile(each))
        return next(scripts, names[0])
    return names[0]


def _line(label: str, text: str) -> str:
    """A labelled line of a message, which goes on below itself where it is long."""
    lines = [""]
    for part in re.split(r"(?<=[, ])", text):
        if lines[-1] and len(lines[-1]) + len(part) > _WIDTH:
            lines.append("")
        lines[-1] += part
    return f"\n  {label:<9} " + f"\n{'':12}".join(each.rstrip() for each in lines)


def _shown(text: bytes) -> str:
    """A line, as far as it can be shown."""
    shown = "".join(each if each.isprintable() else "\ufffd" for each in text.decode("utf-8", "replace"))
    return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}... ({len(text):,} bytes)"
