"""The border to code that a user hands in: whatever happens while it runs becomes one clear message, never a verdict.

A role or a state machine may raise anything, end the process, or never return. Calls of it are made within `users_code`; what it raises
leaves that as a `ProtocolError`. Whoever handles signals asks `running` what is being called, and raises `Interrupted` to get out of it.
Some of it is called from everywhere (`__eq__`, `__hash__`, `__str__`): that is known by the frames of a traceback."""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn

from pmmc_check.errors import PmmcError, ProtocolError, UsageError

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


class EndsProcess(BaseException):
    """Code of the user tried to end the process in a way that leaves no exception. No `except Exception` of its own catches this."""


@contextmanager
def exits_refused() -> Iterator[None]:
    """Within, code of the user cannot end this process behind our back (os._exit), or put another program in its place (os.exec...)."""
    process = os.getpid()
    names = [name for name in ("_exit", "execv", "execve") if hasattr(os, name)]
    before = {name: getattr(os, name) for name in names}

    def refusing(name: str) -> Any:
        def refuse(*arguments: Any, **named: Any) -> NoReturn:
            if os.getpid() != process:
                before[name](*arguments, **named)  # a child process may do as it likes
            raise EndsProcess(f"os.{name} would end the process without a verdict")

        return refuse

    for name in names:
        setattr(os, name, refusing(name))
    try:
        yield
    finally:
        for name, original in before.items():
            setattr(os, name, original)


def loaded_object(where: str, module_name: str, object_name: str) -> Any:
    """What `object_name` is in a module, which is imported, from the current folder or as Python finds it; `where` begins each message.

    Raises:
        UsageError: there is no such module or object.
        ProtocolError: importing it fails in its own code.
    """
    handed_in(module_name)
    module = _imported(where, module_name)
    with users_code(f"{where}: looking at it"):
        return _attribute(where, module, object_name)


def _imported(where: str, module_name: str) -> Any:
    with suppress(OSError):  # the current folder may have been deleted
        if sys.path[:1] != [here := os.getcwd()]:
            sys.path.insert(0, here)  # for good: a step may import what it needs when it is called
    with users_code(f"{where}: importing {module_name}"):
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name.split(".", maxsplit=1)[0] and error.name != module_name:
                raise UsageError(f"{where}: importing {module_name} failed: {error}") from error
            raise UsageError(f"{where}: there is no module {module_name}; run in its folder, or set PYTHONPATH") from error
        except SystemExit as error:
            remedy = "put what a script does under `if __name__ == '__main__':`"
            raise UsageError(f"{where}: importing {module_name} {fate(error)}; {remedy}") from error


def _attribute(where: str, module: Any, object_name: str) -> Any:
    found = module
    for name in object_name.split("."):
        if not hasattr(found, name):
            raise UsageError(f"{where}: module {module.__name__} has no {object_name}")
        found = getattr(found, name)
    return found


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
