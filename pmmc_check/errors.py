"""The one root of all errors that a user can cause. The command line prints `str(error)` and exits with 2."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LIKE = 0.66
"""How much of two names must be the same, as difflib measures it: less suggests names of another meaning."""


class PmmcError(Exception):
    """Bad input: the text says where it is wrong, what was expected and what to do. `in_lines`: it shows the place on lines of its own."""

    in_lines = False


class UsageError(PmmcError):
    """An option, or a combination of options, that cannot be used."""


class MachineError(UsageError):
    """A state machine handed in by the user broke the contract of `pmmc_check.runtime.machines.StateMachine`."""


class ProtocolError(PmmcError):
    """A role handed in by the user broke the contract of `pmmc_check.protocol.role.Role`."""


class FailedStep(ProtocolError):
    """A step of a role failed by itself; `why` says how. `is_assertion`: it found that something is not as it must be, by an assertion
    or a panic, which is a finding; else its program crashed."""

    def __init__(self, text: str, why: str, *, is_assertion: bool) -> None:
        super().__init__(text)
        self.why, self.is_assertion = " ".join(why.split()), is_assertion


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)` with the one of `known` that `name` is most like; empty where none is. The dashes and dots that all of a
    kind begin with do not count: `--slots` is not like `--jobs`."""
    spelt = {each.lower().lstrip("-."): each for each in known}
    close = get_close_matches(name.lower().lstrip("-."), spelt, n=1, cutoff=_LIKE)
    return f" (did you mean {spelt[close[0]]}?)" if close else ""
