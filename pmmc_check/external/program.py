"""A step server's process: started in a group of its own, written to and read from without ever waiting longer than asked, and ended with
all that it has started, whatever becomes of this process."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

ANSWER_BYTES_MAX = 16 * 2**20
"""An answer is one step of one process; nothing sensible is longer."""
_ERRORS_KEPT = 8192
_BLOCK = 1 << 16
_CLOSING_SECONDS = 0.5
"""So long a server may take to end by itself when its input has ended."""
_GUARD = 'read -r done || kill -KILL "-$1"'


class ServerFailed(Exception):
    """No answer came; the text says why, as a predicate. `code` is the exit code (negative: a signal) of a process that has ended, and
    `errors` the last of what it wrote to standard error."""

    def __init__(self, why: str, code: int | None = None, errors: str = "") -> None:
        super().__init__(why)
        self.why, self.code, self.errors = why, code, errors


class ServerProcess:
    """One process that answers lines with lines. `show` is given what it wrote to standard error: all until an answer, or its end.

    Raises (on creation):
        OSError: the program cannot be started.
    """

    def __init__(self, arguments: Sequence[str], show: Callable[[str], None]) -> None:
        self._show = show
        self._unsent = bytearray()
        self._unread = bytearray()
        self._errors = bytearray()
        self._unshown = bytearray()
        with _signals_deferred():  # else one could come between the start and the moment from which the process is known
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                arguments,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._guard = _guard_of(self._process.pid)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout, self._stderr = (
            each.fileno() for each in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        for each in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(each, False)
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        self._poll.register(self._stderr, select.POLLIN)

    def send(self, line: bytes) -> None:
        """Has a line sent; what the process does not take at once is sent while it is read from."""
        self._take_errors()
        self._errors.clear()  # what it wrote before says nothing about this
        self._unsent += line
        self._write()

    def receive(self, seconds: float) -> bytes:
        """The next line, without its end.

        Raises:
            ServerFailed: none comes within so many seconds, or it is too long, or the process has ended.
        """
        until = time.monotonic() + seconds
        while True:
            end = self._unread.find(b"\n")
            if end >= 0:
                line = bytes(self._unread[:end])
                del self._unread[: end + 1]
                self._show_errors()
                return line
            if len(self._unread) > ANSWER_BYTES_MAX:
                raise ServerFailed(f"answered with a line of more than {ANSWER_BYTES_MAX // 2**20} MiB", errors=self._last_errors())
            left = until - time.monotonic()
            if left <= 0:
                begun = f" (it began: {bytes(self._unread[:60])!r})" if self._unread else ""
                raise ServerFailed(f"gave no answer within {seconds:g} s{begun}", errors=self._last_errors())
            self._turn(left)

    def close(self) -> None:
        """Ends the process, and all that it has started and that has not left its group."""
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        if self._process.returncode is None:
            self._ends_soon()
        self._end()

    def kill(self) -> None:
        """The same at once."""
        with suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        self._end()

    def _end(self) -> int:
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # until it is waited for, nobody else can have this number
            self._process.wait()
            self._take_errors()
            self._show_errors(to_the_end=True)
            with suppress(OSError):
                self._guard.communicate(b"done\n")
            for each in (self._process.stdout, self._process.stderr):
                if each:
                    each.close()
        return int(self._process.returncode)

    def _turn(self, seconds: float) -> None:
        """Waits until something can be read or written, and does it."""
        if self._unsent:
            self._poll.register(self._stdin, select.POLLOUT)
        ready = dict(self._poll.poll(seconds * 1000))
        if self._unsent:
            self._poll.unregister(self._stdin)
        if self._stdin in ready:
            self._write()
        if self._stderr in ready:
            self._take_errors()
            if len(self._unshown) > _BLOCK:
                self._show_errors()
        if self._stdout in ready and not self._take_output():
            raise self._has_ended()

    def _write(self) -> None:
        with suppress(BlockingIOError, BrokenPipeError):  # that it has ended shows when it is read from
            del self._unsent[: os.write(self._stdin, self._unsent[:_BLOCK])]

    def _take_output(self) -> bool:
        try:
            block = os.read(self._stdout, _BLOCK)
        except BlockingIOError:
            return True
        self._unread += block
        return bool(block)

    def _take_errors(self) -> None:
        with suppress(BlockingIOError, ValueError):
            while block := os.read(self._stderr, _BLOCK):
                self._errors = (self._errors + block)[-_ERRORS_KEPT:]
                self._unshown += block
                if len(block) < _BLOCK:
                    return
            with suppress(KeyError):
                self._poll.unregister(self._stderr)

    def _show_errors(self, *, to_the_end: bool = False) -> None:
        """Has the whole lines shown that the server wrote to standard error."""
        end = len(self._unshown) if to_the_end else self._unshown.rfind(b"\n") + 1
        lines, self._unshown = self._unshown[:end], self._unshown[end:]
        if lines:
            self._show(lines.decode("utf-8", "replace"))

    def _has_ended(self) -> ServerFailed:
        """Its output has ended: so has it, or it will not answer any more."""
        ended = self._ends_soon()
        code = self._end()
        if not ended:
            return ServerFailed("closed its standard output and went on", errors=self._last_errors())
        return ServerFailed(how_it_ended(code), code, self._last_errors())

    def _ends_soon(self) -> bool:
        """Whether it has ended, or does within a moment; it can still be waited for."""
        until = time.monotonic() + _CLOSING_SECONDS
        while time.monotonic() < until:
            if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return True
            time.sleep(0.002)
        return False

    def _last_errors(self) -> str:
        return self._errors.decode("utf-8", "replace").strip()


def how_it_ended(code: int) -> str:
    """An exit code or a signal, as a predicate."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _guard_of(group: int) -> subprocess.Popen[bytes]:
    """A shell that waits for this process to end, in whatever way, and then ends the group of the server with it."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "pmmc-check-guard", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM wait. They are not blocked, since a process that is started would inherit that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    handled = [each for each, handler in before.items() if callable(handler)]
    for each in handled:
        signal.signal(each, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        for each in handled:
            signal.signal(each, before[each])
        for number in received:
            signal.raise_signal(number)
