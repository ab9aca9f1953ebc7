"""A value that was refused under the name of an option, though a spec has set it: the message shows the place in the spec."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pmmc_check.errors import UsageError
from pmmc_check.spec.document import SpecSetting
from pmmc_check.spec.place import SpecError


def at_its_place(error: UsageError, settings: Mapping[str, SpecSetting]) -> UsageError | SpecError:
    """The error that names the place in the spec, where `error` begins with an option that one of `settings` has set; else `error`."""
    text = str(error)
    option = re.match(r"--([a-z0-9-]+)\b", text)
    setting = settings.get(option[1].replace("-", "_")) if option else None
    if option is None or setting is None:
        return error
    return SpecError(setting.place, re.sub(rf"{option[0]}(?![a-z0-9-])", setting.name.upper(), text))
