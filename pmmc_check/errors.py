"""The one root of all errors that a user can cause. The command line prints `str(error)` and exits with 2."""

from __future__ import annotations


class PmmcError(Exception):
    """Bad input: the text says where it is wrong, what was expected and what to do. `in_lines`: it shows the place on lines of its own."""

    in_lines = False


class UsageError(PmmcError):
    """An option, or a combination of options, that cannot be used."""


class ProtocolError(PmmcError):
    """A role handed in by the user broke the contract of `pmmc_check.protocol.role.Role`."""
