"""The faults that a run is asked for, as the header of its trace tells them."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

_REAL = ("loss", "duplication", "delay", "kill", "pause", "partition")
_SIMULATED = ("faults",)
_ANYWHERE = ("variant", "answer_first")
_NONE: tuple[object, ...] = (None, "", "none", 0.0, False, [])


def faults_asked_for(arguments: argparse.Namespace) -> str:
    """The options that have something go wrong on purpose, with those that say how often or how long; empty where nothing does."""
    broken = [name for name in (*(_SIMULATED if arguments.simulated else _REAL), *_ANYWHERE) if getattr(arguments, name) not in _NONE]
    if {"kill", "pause", "partition"} & set(broken):
        broken.append("every")
    if "faults" in broken:
        broken += ["virtual_seconds", *(["no_sync"] if arguments.no_sync else [])]
    return shlex.join(word for name in broken for word in _words(name, getattr(arguments, name)))


def _words(name: str, value: object) -> Iterator[str]:
    option = f"--{name.replace('_', '-')}"
    for each in value if isinstance(value, list) else [value]:
        yield from (option,) if each is True else (option, f"{each:g}" if isinstance(each, float) else str(each))
