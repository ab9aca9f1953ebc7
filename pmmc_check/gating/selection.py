"""Which checks to run: those that a change can affect, and this machine's share of them."""

from __future__ import annotations

import fnmatch
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pmmc_check.errors import UsageError
from pmmc_check.gating.checks import TRACE, Check
from pmmc_check.gating.inputs import PACKAGE, commands_of, modules_of, references

_DECIDE_THE_TOOL = ("pyproject.toml", "setup.cfg", "setup.py", "*requirements*.txt", "*.lock", "Pipfile", "environment.y*ml", "Dockerfile")
"""Files by whose change another version of pmmc-check, or of a library, may be in use."""


def affected(checks: Sequence[Check], revision: str, configuration: str) -> list[Check]:
    """The checks that a change since a git revision can affect, what is not committed included: of their files, their modules, the
    configuration, the tool itself, or a file that may name the tool's version. Where a Python file is gone, all that use modules are.

    Raises:
        UsageError: there is no git, no repository or no such revision.
    """
    root = Path(_git("rev-parse", "--show-toplevel").strip())
    commit = _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}", about=revision).strip()
    listed = _git("diff", "--name-only", "--no-renames", "-z", commit, "--", folder=root)
    listed += _git("ls-files", "--others", "--exclude-standard", "-z", folder=root)
    changed = {os.path.realpath(root / name) for name in listed.split("\0") if name}
    if any(_affects_all(each, configuration) for each in changed):
        return list(checks)
    gone = {each for each in changed if not os.path.exists(each)}
    return [check for check in checks if _is_affected(check, changed, gone)]


def share(checks: Sequence[Check], part: int, parts: int) -> list[Check]:
    """One of so many equal parts, counted from 1; every check is in exactly one of them."""
    return list(checks[part - 1 :: parts])


def share_named(text: str) -> tuple[int, int]:
    """I and N of `I/N`.

    Raises:
        UsageError: `text` is not I/N with I from 1 to N.
    """
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard {text}: expected I/N, such as 1/4, with I from 1 to N")
    return int(part), int(parts)


def _is_affected(check: Check, changed: set[str], gone: set[str]) -> bool:
    if commands_of(check):
        return True  # what its programs are made of, nobody says
    modules = modules_of(check)
    read = {os.path.realpath(check.folder / path) for path in (*check.files, *modules)}
    if read & changed:
        return True
    if check.kind == TRACE:
        return len(check.files) > 1 and bool(  # a part of it may be gone
            {os.path.dirname(each) for each in read} & {os.path.dirname(each) for each in gone}
        )
    return bool(references(check)) and any(each.endswith(".py") for each in gone)


def _affects_all(changed: str, configuration: str) -> bool:
    return (
        changed == (os.path.realpath(configuration) if configuration else "")
        or Path(changed).is_relative_to(PACKAGE)
        or any(fnmatch.fnmatch(os.path.basename(changed), pattern) for pattern in _DECIDE_THE_TOOL)
    )


def _git(*arguments: str, folder: Path | None = None, about: str = "") -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UsageError(f"--changed-since: git cannot be run: {error.strerror}; install it, or leave the option out") from None
    if done.returncode:
        if about:
            raise UsageError(f"--changed-since {about}: git knows no such commit here; in CI fetch the whole history (fetch-depth: 0)")
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise UsageError(f"--changed-since: git {arguments[0]} failed: {said}")
    return os.fsdecode(done.stdout)
