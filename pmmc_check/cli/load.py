"""What code of the user's may not do while it is loaded and called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


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
            raise EndsProcess(f"os.{name} would end the search without a verdict")

        return refuse

    for name in names:
        setattr(os, name, refusing(name))
    try:
        yield
    finally:
        for name, original in before.items():
            setattr(os, name, original)


class EndsProcess(BaseException):
    """Code of the user tried to end the process in a way that leaves no exception. No `except Exception` of its own catches this."""
