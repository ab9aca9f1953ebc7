"""Roles that a user hands in, as classes or as `module:object`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pmmc_check.api.machine import cores
from pmmc_check.errors import UsageError
from pmmc_check.external.lifetime import deadline_seconds, ends_in_time, servers_ended
from pmmc_check.protocol import PMMC, Protocol, Role, variant
from pmmc_check.protocol.values import ROLES
from pmmc_check.users_code import handed_in, loaded_object, users_code

EXEC = "exec:"
"""What a program that plays roles is called by, instead of `module:object`."""


def role_classes(where: str, given: Any) -> list[type[Role]]:
    """A role class, or a mapping or sequence of them, as a list; `where` says in messages who handed it in.

    Raises:
        UsageError: one is no role, does not say which role it plays, or plays the role of another.
    """
    classes = list(given.values()) if isinstance(given, Mapping) else list(given) if isinstance(given, list | tuple) else [given]
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, Role)):
            raise UsageError(f"{where}: {each!r} is no role; expected a subclass of pmmc_check.protocol.Role, or a list of them")
        if getattr(each, "role", None) not in ROLES:
            raise UsageError(f"{where}: {each.__name__} does not say which role it plays; set `role` to one of {', '.join(ROLES)}")
    return _each_role_once(where, classes)


def all_roles_from(references: Sequence[str]) -> list[type[Role]]:
    """What all of `references` name, as `roles_from` finds each.

    Raises:
        UsageError: one of them cannot be loaded or is no role, or two play one role.
    """
    return _each_role_once(f"--protocol {references[-1]}" if references else "", [each for one in references for each in roles_from(one)])


def _each_role_once(where: str, classes: Iterable[type[Role]]) -> list[type[Role]]:
    """The classes, each once; two of them may not play one role."""
    found: dict[str, type[Role]] = {}
    for each in classes:
        other = found.setdefault(each.role, each)
        if other is not each:
            both = f"{_place_of(other)} and {_place_of(each)}"
            raise UsageError(f"{where}: two classes play one role, {each.role}: {both}; leave one of them out")
    return list(found.values())


def _place_of(role_class: type[Role]) -> str:
    """The class, and where it is written, where that can be found out."""
    with suppress(OSError, TypeError):
        return f"{role_class.__name__} ({inspect.getsourcefile(role_class)}:{inspect.getsourcelines(role_class)[1]})"
    return f"{role_class.__module__}.{role_class.__qualname__}"


def protocol_from(reference: str, base: Protocol = PMMC) -> Protocol:
    """`base` with what `roles_from` finds."""
    return variant(*roles_from(reference), base=base)


def roles_from(reference: str) -> list[type[Role]]:
    """The role class, or those in the mapping or sequence of role classes, that `reference` (`module:object`) names; or those that the
    program plays which `reference` (`exec:command`) starts. It ends with the innermost `servers_ended`.

    Raises:
        UsageError: it cannot be loaded or started, or is no role.
        ProtocolError: it breaks the step protocol.
    """
    if reference.startswith(EXEC):
        return _roles_of_program(reference.removeprefix(EXEC))
    where = f"--protocol {reference}"
    found = object_named(where, reference)
    with users_code(f"{where}: looking at it"):
        return role_classes(where, found)


def _roles_of_program(command: str) -> list[type[Role]]:
    from pmmc_check.external.roles import roles_of
    from pmmc_check.external.server import StepServer

    handed_in(EXEC)
    server = StepServer(command, deadline_seconds(), cores())
    ends_in_time(server)
    with users_code(f"{server.where}: saying which roles it plays"):
        return roles_of(server)


@contextmanager
def step_server(command: str, deadline: float | None = None) -> Iterator[list[type[Role]]]:
    """The roles that a program in any language plays (docs/any-language.md), as `roles` of `explore`, `validate` and the others:

    >>> with step_server("./my_acceptor") as roles:  # doctest: +SKIP
    ...     explore(roles=roles).assert_holds()

    The program runs until the end of the block. `deadline` is the time that it may take for one answer, in seconds (default: 10).

    Raises:
        UsageError: it cannot be started.
        ProtocolError: it breaks the step protocol.
    """
    with servers_ended(deadline):
        yield _roles_of_program(command)


def object_named(where: str, reference: str) -> Any:
    """What `reference` (`module:object`) names; the module is imported, from the current folder or as Python finds it.

    Raises:
        UsageError: there is no such module or object.
        ProtocolError: importing it fails in its own code.
    """
    module_name, colon, object_name = reference.partition(":")
    if not (module_name and colon and object_name):
        raise UsageError(
            f"{where}: expected module:object, for example my_variant:MyAcceptor, or exec:command for a program (docs/any-language.md)"
        )
    return loaded_object(where, module_name, object_name)
