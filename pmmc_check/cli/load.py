"""Loads what a user hands in as `module:object`: roles, and functions that state invariants."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

from pmmc_check.api.roles import role_classes
from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol, Role, variant
from pmmc_check.users_code import fate, handed_in, users_code

if TYPE_CHECKING:
    from pmmc_check.model.content import Renaming
    from pmmc_check.model.model import Model
    from pmmc_check.properties.written import WrittenInvariant


def protocol_from(reference: str, base: Protocol = PMMC) -> Protocol:
    """`base` with what `roles_from` finds."""
    return variant(*roles_from(reference), base=base)


def roles_from(reference: str) -> list[type[Role]]:
    """The role class, or those in the mapping or sequence of role classes, that `reference` (`module:object`) names.

    Raises:
        UsageError: it cannot be loaded, or is no role.
    """
    where = f"--protocol {reference}"
    found = _loaded(where, reference)
    with users_code(f"{where}: looking at it"):
        return role_classes(where, found)


def function_from(reference: str, model: Model, renamings: Sequence[Renaming]) -> WrittenInvariant:
    """The invariant that the function `reference` (`module:function`) states.

    Raises:
        UsageError: it cannot be loaded, or states no invariant.
    """
    from pmmc_check.spec.functions import function_invariant

    where = f"--invariant {reference}"
    found = _loaded(where, reference)
    with users_code(f"{where}: looking at it"):
        return function_invariant(reference, found, model, renamings)


def _loaded(where: str, reference: str) -> Any:
    module_name, colon, object_name = reference.partition(":")
    if not (module_name and colon and object_name):
        raise UsageError(f"{where}: expected module:object, for example my_variant:MyAcceptor")
    handed_in(module_name)
    module = _imported(where, module_name)
    with users_code(f"{where}: looking at it"):
        return _attribute(where, module, object_name)


def _imported(where: str, module_name: str) -> Any:
    with suppress(OSError):  # the current folder may have been deleted
        sys.path.insert(0, os.getcwd())  # for good: a step may import what it needs when it is called
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
