"""The border to code that a user hands in: whatever happens while it runs becomes one clear message, never a verdict.

A role may raise anything, end the process, or never return. Calls of it are made within `users_code`; what it raises leaves that as a
`ProtocolError`. Whoever handles signals asks `running` what is being called, and raises `Interrupted` to get out of it. Some of it is
called from everywhere (`__eq__`, `__hash__`, `__str__`): that is known by the frames of a traceback."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType

from pmmc_check.errors import PmmcError, ProtocolError

_running: list[str] = []
_exit_at_once = os._exit
_handed_in: set[str] = set()
_OUR_FOLDER = os.path.join(os.path.dirname(__file__), "")
_LIBRARIES = tuple(os.path.join(sysconfig.get_paths()[each], "") for each in ("stdlib", "purelib", "platlib"))


class Interrupted(KeyboardInterrupt):
    """Code of the user was still running when it was time to stop. The text says what was running, and why it was stopped."""


PASSING = (Interrupted, MemoryError, PmmcError)
"""What leaves a call of the user's code unchanged."""


class users_code:  # a context manager that reads like a function; as a class it costs a third, and it is entered at every step
    """Within, code of the user is called: `name` says which, `called_with` with what (a clause that follows the message).

    Raises:
        ProtocolError: it raised something, or tried to end the process. Being interrupted and lack of memory pass unchanged.
    """

    __slots__ = ("_called_with", "_name", "_process")

    def __init__(self, name: str, called_with: Callable[[], str] = lambda: "") -> None:
        self._name = name
        self._called_with = called_with

    def __enter__(self) -> None:
        _running.append(self._name)
        self._process = os.getpid()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is not None and not isinstance(error, PASSING):
                raise ProtocolError(f"{self._name} {fate(error)}{_safely(self._called_with)}") from error
        finally:
            _running.pop()
            if os.getpid() != self._process:
                _exit_at_once(0)  # a child process that the call has left behind would go on as if it were this one


def handed_in(module: str) -> None:
    """From now on, code of this module (and of its package) is known as the user's, wherever it is installed."""
    _handed_in.add(module.partition(".")[0])


def nothing_handed_in() -> None:
    """Forgets what was handed in before: in one process the command may run several times."""
    _handed_in.clear()


def anything_handed_in() -> bool:
    """Whether code of the user has been loaded."""
    return bool(_handed_in)


def running(frame: FrameType | None) -> str | None:
    """What of the user's code is running now, such as "Mine.step of A1" or "__eq__ in mine.py, line 7"; `frame` is where the program is."""
    if _running:
        return _running[-1]
    frames = []
    while frame is not None:
        frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    return _users_place(frames)


def raised_by(error: BaseException) -> str | None:
    """Where in the user's code `error` was raised; None when it was not raised there."""
    frames, trace = [], error.__traceback__
    while isinstance(trace, TracebackType):
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _users_place(reversed(frames))


def fate(error: BaseException) -> str:
    """What became of a call that ended with `error`, as a clause: "raised ValueError: no", "tried to end the process: sys.exit(0)"."""
    if isinstance(error, SystemExit):
        code = error.code
        return f"tried to end the process: sys.exit({_safely(lambda: '' if code is None else repr(code))})"
    text = _safely(lambda: str(error))
    return f"raised {type(error).__name__}: {text}" if text else f"raised {type(error).__name__}"


def _users_place(frames: Iterable[tuple[FrameType, int]]) -> str | None:
    """The user's innermost place of `frames` (the innermost first), if none of ours is further in."""
    if not _handed_in:
        return None
    for frame, line in frames:
        file, package = frame.f_code.co_filename, str(frame.f_globals.get("__name__")).partition(".")[0]
        if file.startswith(_OUR_FOLDER):
            return None
        if package in _handed_in or not file.startswith(("<", *_LIBRARIES)):
            return f"{frame.f_code.co_name} in {os.path.basename(file)}, line {line}"
    return None


def _safely(text: Callable[[], str]) -> str:
    """`text()`, which may call what the user wrote."""
    try:
        return text()
    except Exception as unprintable:
        return f"(cannot be shown: {type(unprintable).__name__})"
