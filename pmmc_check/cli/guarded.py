"""A command whose process a library may end: Ray does that, with exit code 1, where its own processes have died, and 1 means violated.

So the command runs in a child process, and only a code that it says itself is its exit code."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from pmmc_check.cli.failures import EXIT_INCONCLUSIVE, say
from pmmc_check.lifelines import adopt_orphans, end_with_parent

_OPTIONS = ("--workers", "--cluster")
_PASSED_ON = (signal.SIGINT, signal.SIGTERM)


def needs_guard(arguments: list[str]) -> bool:
    """Whether a command line asks for what may end its process."""
    return hasattr(os, "fork") and any(each.partition("=")[0] in _OPTIONS for each in arguments)


def guarded(run: Callable[[], int], finish: Callable[[int], NoReturn]) -> int:
    """The exit code of `run`, called in a child process, which ends with `finish`; where something else ends it, that of inconclusive.

    Signals are passed on to the child, which is ended when this process is, and with it whatever it has started."""
    said, says = os.pipe()
    own = os.getpid()
    adopt_orphans()  # and ends them
    child = os.fork()
    if child == 0:
        os.close(said)
        os.setpgid(0, 0)  # what a terminal sends to its group comes once, from below
        end_with_parent()
        code = run() if os.getppid() == own else EXIT_INCONCLUSIVE
        os.write(says, bytes([code]))
        finish(code)
    os.close(says)
    for number in _PASSED_ON:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, _: _send(child, received))
    with open(said, "rb") as answer:
        code_said = answer.read(1)
    _, status = os.waitpid(child, 0)
    if code_said:
        return code_said[0]
    _end_what_is_left(child)
    ended = os.waitstatus_to_exitcode(status)
    how = f"with exit code {ended}" if ended >= 0 else f"by {signal.Signals(-ended).name}"
    say(
        "explore",
        f"Ray has ended the search, {how}, so there is no verdict: processes of its own have died or did not start; "
        "try again when the machine is less busy, or without workers",
    )
    return EXIT_INCONCLUSIVE


def _send(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _end_what_is_left(child: int) -> None:
    """Ends the processes that a Ray of this machine has left behind, and removes its folder."""
    import shutil  # this and the next only after a failure

    import psutil

    from pmmc_check.checker.crew.actors import own_folders

    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            each.kill()
    for folder in own_folders(child):
        shutil.rmtree(folder, ignore_errors=True)
