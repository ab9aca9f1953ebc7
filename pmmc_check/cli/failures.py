"""What ends the command without a verdict: for each a clear message and an exit code, which is never that of a verdict."""

from __future__ import annotations

import os
import re
import sys
import traceback
from contextlib import suppress
from typing import NamedTuple

from pmmc_check.errors import PmmcError, UsageError
from pmmc_check.users_code import fate, raised_by

EXIT_HOLDS, EXIT_VIOLATED, EXIT_USAGE, EXIT_INCONCLUSIVE, EXIT_INTERNAL = 0, 1, 2, 3, 70
"""Accepted and rejected traces have the codes of "holds" and "violated". 70 is EX_SOFTWARE of sysexits.h."""

DEBUG = "PMMC_CHECK_DEBUG"
"""The environment variable that asks for tracebacks."""


class Exit(NamedTuple):
    """What to say, and how to exit."""

    text: str
    code: int


def exit_for(error: BaseException) -> Exit:
    """What `error`, which nobody has dealt with, means for the user."""
    if isinstance(error, PmmcError):
        return Exit(str(error) if error.in_lines else " ".join(str(error).split()), EXIT_USAGE)
    if isinstance(error, KeyboardInterrupt):
        return Exit(f"{error}" if error.args else "interrupted before there was a result", EXIT_INCONCLUSIVE)
    if isinstance(error, MemoryError):
        return Exit("out of memory; take a smaller configuration, or set --max-memory lower", EXIT_INCONCLUSIVE)
    if place := raised_by(error):
        return Exit(f"the code that was handed in {fate(error)} ({place})", EXIT_USAGE)
    if isinstance(error, ImportError):
        return Exit(f"the installation is damaged: {error}; install pmmc-check again, in an environment of its own", EXIT_USAGE)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Exit(f"cannot read or write: {where}{error.strerror or error}", EXIT_USAGE)
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return Exit("this machine allows no more threads; give --threads 1, or raise its limit (ulimit -u)", EXIT_USAGE)
    return Exit(_bug(error), EXIT_INTERNAL)


def in_script(number: int, error: PmmcError) -> UsageError:
    """An error of a line, counted from 1, of a script on standard input. The line is an expression's first place: it is not told twice."""
    told = UsageError(f"standard input:{number}: {re.sub(r'^until:1:[0-9]+: ', '', str(error))}")
    told.in_lines = error.in_lines
    return told


def say(verb: str, text: str) -> None:
    """A message on stderr. Where nobody can read it, the exit code still tells."""
    with suppress(OSError, ValueError):
        print(f"{' '.join(filter(None, ('pmmc-check', verb)))}: {text}", file=sys.stderr, flush=True)


def show_traceback(error: BaseException) -> None:
    """For whoever asks for it."""
    if os.environ.get(DEBUG):
        with suppress(OSError, ValueError):
            traceback.print_exception(error, file=sys.stderr)


def _bug(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""
    return (
        f"internal error: {fate(error)}{place}. This is a bug of pmmc-check, and no verdict. Please report it with the command, "
        f"its input, the output of pmmc-check --version, and what is printed when {DEBUG}=1 is set"
    )
