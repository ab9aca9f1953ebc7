"""Ctrl-C, SIGTERM and the time limit: what is known so far is reported, exit code 3."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from pmmc_check.lifelines import Echo
from pmmc_check.users_code import Interrupted, anything_handed_in, running

if TYPE_CHECKING:
    from pmmc_check.checker.result import Control

_GRACE_SECONDS = 1.0
"""By so much a call of the user's code may outlast the time limit or a signal: whatever ends by itself then ends as always."""

exit_at_once = os._exit
"""As it is before code of the user can put anything in its place."""


class _Signals:
    """What is running, and how often it was asked to stop."""

    def __init__(self) -> None:
        self.control: Control | None = None
        self.deferred = False
        self.received = 0
        self.echo = Echo()

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The first signal ends a search with what is known; whatever else is running ends at once."""
        if self.echo.is_one():
            return
        self.received += 1
        called = _users_call(frame)
        if called and self.received > 2:  # it catches what is raised to stop it
            os.write(2, f"pmmc-check: interrupted; {called} catches interrupts, so there is no report\n".encode(errors="replace"))
            exit_at_once(3)
        if self.received == 1 and self.control is not None:
            self.control.stop = True
            _wake_up(_GRACE_SECONDS)  # for code of the user that does not return
        elif called:
            raise Interrupted(f"interrupted while {called} was running")
        elif self.received > 1 or not self.deferred:
            raise KeyboardInterrupt

    def time_is_up(self, number: int, frame: FrameType | None) -> None:
        """A search itself looks at the clock, and whether it is to stop; but not while code of the user is running."""
        called = _users_call(frame)
        if called and self.control is not None:
            from pmmc_check.checker.result import seconds_have_passed

            why = "interrupted" if self.control.stop else seconds_have_passed(self.control.limits.seconds_max or 0)
            raise Interrupted(f"{why} while {called} was running")


def _users_call(frame: FrameType | None) -> str | None:
    return running(frame) if anything_handed_in() else None


def _wake_up(seconds: float) -> None:
    """Has `time_is_up` called then, and every second from then on."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds, _GRACE_SECONDS)


_signals = _Signals()


@contextmanager
def signals_handled(to_the_end: bool = False) -> Iterator[None]:
    """Within, SIGTERM does what Ctrl-C does. A signal that whoever started the command has told it to ignore stays ignored.

    After it everything is as before, or, `to_the_end` of the process, further signals are ignored: what there is to say is being said."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _signals.received, _signals.echo = 0, Echo()
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, _signals.stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_IGN if to_the_end else handler)


def signals_forgotten() -> None:
    """What was interrupted has been dealt with; a dialogue goes on."""
    _signals.received = 0


def interrupted() -> bool:
    """Whether a signal has come, for who looks now and then, within `interrupts_deferred`."""
    return _signals.received > 0


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Within, a first signal waits for the search that is being prepared, which then ends at once, with a report."""
    _signals.deferred = True
    try:
        yield
    finally:
        _signals.deferred = False


@contextmanager
def interruptible(control: Control) -> Iterator[None]:
    """Within, the first signal ends the search that `control` controls, and the time limit holds for the user's code, too."""
    _signals.control = control
    control.stop = control.stop or _signals.received > 0
    alarms = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, _signals.time_is_up) if alarms else None
    if alarms and control.limits.seconds_max is not None:
        _wake_up(control.limits.seconds_max + _GRACE_SECONDS)
    try:
        yield
    finally:
        _signals.control = None
        if alarms:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
