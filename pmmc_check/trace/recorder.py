"""`TraceWriter`: what an implementation in Python calls to record itself, as JSON Lines.

One writer writes the log of one process, or of several that share it (a leader with its scouts and commanders). The
rule that makes a log evidence: **log a send before it is transmitted, a receive after it is delivered and before
anything that follows from it.** Each line is written in one piece and flushed, so a crash leaves a log that just
ends, which validation expects.

    with TraceWriter("logs/A1.jsonl", "A1") as log:
        log.receive("p1a", b="0.L1")
        log.send("p1b", b="0.L1", accepted=[], to="0.L1")

Fields are named and written as in docs/trace-format.md; None is a value that was not recorded. The header goes into
one file of the directory, with `TraceWriter.header`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from pmmc_check.errors import UsageError
from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.events import PERFORM, VERSION
from pmmc_check.trace.fields import FIELDS
from pmmc_check.trace.header import HeaderBuilder
from pmmc_check.trace.readers.json_reader import take_settings


class TraceWriter:
    """Appends events of the process called `name` to a part file. Safe to share between threads.

    Raises:
        UsageError: a message kind or field does not exist: a log that cannot be read is found out while it is written.
    """

    def __init__(self, path: str | Path, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        new = not Path(path).exists()
        self._file = Path(path).open("ab", buffering=0)  # noqa: SIM115  (closed by `close`)
        if new:
            self._write({"pmmc-trace": VERSION, "part": True})

    @staticmethod
    def header(path: str | Path, logs: Mapping[str, str | Sequence[str]], **settings: Any) -> None:
        """Writes the file with the configuration: `replicas=["R1"]`, `window=5`, `network=["lossy"]`, ..., and what each log records."""
        fields = {"pmmc-trace": VERSION, **settings, "logs": dict(logs)}
        builder = HeaderBuilder()
        try:
            take_settings(builder, fields)
            builder.finish()
        except Unfit as unfit:
            raise UsageError(unfit.problem) from None
        Path(path).write_bytes(orjson.dumps(fields) + b"\n")

    def send(self, message: str, *, to: str | Sequence[str] | None = None, **fields: Any) -> None:
        """Before the message is handed to the network. Without `to` it goes to everybody that the protocol names."""
        self._event("send", message, fields | ({} if to is None else {"to": to}))

    def receive(self, message: str, **fields: Any) -> None:
        """After the message was taken from the network, before it is acted on. `post={...}` may record the state after it."""
        self._event("recv", message, fields)

    def perform(self, slot: int, command: str | None) -> None:
        """When a replica performs the command of a slot, before it answers for it."""
        self._write({"at": self.name, "do": PERFORM, "s": slot, "c": command})

    def restart(self) -> None:
        """When the process starts again with the state it had."""
        self._write({"at": self.name, "do": "restart"})

    def end(self) -> None:
        """When the process stops in good order: its last step is complete."""
        self._write({"at": self.name, "do": "end"})

    def close(self) -> None:
        """Closes the file; without `end` before it, that looks like a crash, which is legal."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _event(self, verb: str, message: str, fields: dict[str, Any]) -> None:
        if message not in FIELDS:
            raise UsageError(f"{message!r} is no message kind; expected one of {', '.join(FIELDS)}")
        allowed = (*FIELDS[message], "to", "from", "from_", "id", "t", "post", "note")
        for key in fields:
            if key not in allowed:
                raise UsageError(f"{message} has no field {key!r}; expected some of {', '.join(allowed)}")
        if "from_" in fields:
            fields["from"] = fields.pop("from_")
        missing = {key: None for key in FIELDS[message] if key not in fields and key != "a"}
        self._write({"at": self.name, "do": verb, "msg": message, **fields, **missing})

    def _write(self, fields: dict[str, Any]) -> None:
        line = orjson.dumps(fields) + b"\n"
        with self._lock:
            self._file.write(line)
