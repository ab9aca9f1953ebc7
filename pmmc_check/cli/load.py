"""Loads a role that a user hands in as `module:object`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol, Role, variant
from pmmc_check.protocol.values import ROLES


def protocol_from(reference: str, base: Protocol = PMMC) -> Protocol:
    """`base` with the role class, or the mapping or sequence of role classes, that `reference` (`module:object`) names.

    Raises:
        UsageError: it cannot be loaded, or is no role.
    """
    where = f"--protocol {reference}"
    module_name, colon, object_name = reference.partition(":")
    if not (module_name and colon and object_name):
        raise UsageError(f"{where}: expected module:object, for example my_variant:MyAcceptor")
    given = _attribute(where, module_name, object_name)
    classes = list(given.values()) if isinstance(given, Mapping) else list(given) if isinstance(given, list | tuple) else [given]
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, Role)):
            raise UsageError(f"{where}: {each!r} is no role; expected a subclass of pmmc_check.protocol.Role, or a list of them")
        if getattr(each, "role", None) not in ROLES:
            raise UsageError(f"{where}: {each.__name__} does not say which role it plays; set `role` to one of {', '.join(ROLES)}")
    return variant(*classes, base=base)


def _attribute(where: str, module_name: str, object_name: str) -> Any:
    sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".", maxsplit=1)[0] and error.name != module_name:
            raise UsageError(f"{where}: importing {module_name} failed: {error}") from error
        raise UsageError(f"{where}: there is no module {module_name}; run in its folder, or set PYTHONPATH") from error
    except Exception as error:
        raise UsageError(f"{where}: importing {module_name} raised {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove("")
    found: Any = module
    for name in object_name.split("."):
        if not hasattr(found, name):
            raise UsageError(f"{where}: module {module_name} has no {object_name}")
        found = getattr(found, name)
    return found
