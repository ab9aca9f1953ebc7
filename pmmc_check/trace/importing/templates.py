"""Texts with gaps, such as `{ballot.round}.{ballot.node}`, that the fields of a log's line fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from pmmc_check.errors import did_you_mean
from pmmc_check.trace.errors import Unfit

Fields = Mapping[str, Any]
"""What a line says, by key: a JSON object, or the named groups of regular expressions."""
Getter = Callable[[Fields], Any]
Filled = Callable[[Fields], str | None]
"""The text that a template makes of a line's fields; None where one that may be absent is. Raises `Unfit`."""

NOT_THERE: Final[Any] = object()
"""What a key has that a line has not; JSON's null is the same."""

_GAP = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def getter(path: str) -> Getter:
    """Finds the value at a path with dots, which may also be one key with dots in it; `NOT_THERE` where there is none."""
    parts = path.split(".")
    if len(parts) == 1:

        def of_one(fields: Fields) -> Any:
            value = fields.get(path)
            return NOT_THERE if value is None else value

        return of_one
    if len(parts) == 2:
        first, second = parts

        def of_two(fields: Fields) -> Any:
            outer = fields.get(first)
            value = outer.get(second) if type(outer) is dict else None
            return look_up(fields) if value is None else value

    def look_up(fields: Fields) -> Any:
        value: Any = fields.get(path, NOT_THERE)
        if value is NOT_THERE and len(parts) > 1:
            value = fields
            for part in parts:
                if isinstance(value, dict):
                    value = value.get(part, NOT_THERE)
                elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                    value = value[int(part)]
                else:
                    return NOT_THERE
        return NOT_THERE if value is None else value

    return of_two if len(parts) == 2 else look_up


def list_getter(text: str, where: str) -> Getter:
    """Finds a list: as `getter`, but where it is not there the path must end with `?`; null is an empty list, as Go writes it. `where` is
    the key of the mapping that says the path.

    The function raises `Unfit`.
    """
    path, optional = text.removesuffix("?").rstrip(), text.endswith("?")
    get = getter(path)

    def found(fields: Fields) -> Any:
        value = get(fields)
        if value is NOT_THERE and not optional and not _is_null(fields, path):
            raise Unfit(f'{absent(fields, path).problem}; where the list may be absent, and is then empty, write {where} = "{path}?"')
        return value

    return found


def _is_null(fields: Fields, path: str) -> bool:
    """Whether the key is there, without a value."""
    around, _, last = path.rpartition(".")
    outer = getter(around)(fields) if around else fields
    return path in fields or (isinstance(outer, dict) and last in outer)


def shown_plainly(value: Any) -> str:
    """A value as text: JSON's words for truth values, and JSON for lists and objects."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int else orjson.dumps(value).decode()


def template(text: str) -> Filled:
    """The function that fills the gaps of `text`.

    `{{` and `}}` stand for braces. What `{path?}` names may be absent; a field of nothing else is then left out.

    Raises:
        Unfit: a brace without its partner, or a gap without a path.
    """
    parts: list[str | tuple[Getter, str, bool]] = []
    end = 0
    for gap in _GAP.finditer(text):
        parts.append(text[end : gap.start()])
        end = gap.end()
        if gap[0] in ("{{", "}}"):
            parts.append(gap[0][0])
        elif gap[1] is None or not gap[1].rstrip("?").strip():
            raise Unfit(f"{text!r}: expected {{path}}, a key of the log's lines in braces; a brace itself is written twice")
        else:
            path = gap[1].rstrip("?").strip()
            parts.append((getter(path), path, gap[1].endswith("?")))
    parts.append(text[end:])
    used = [part for part in parts if part]
    if len(used) == 1 and isinstance(used[0], tuple):
        return _alone(*used[0])
    if all(isinstance(part, str) for part in used):
        whole = "".join(map(str, used))
        return lambda fields: whole
    return lambda fields: "".join([part if isinstance(part, str) else _text(fields, *part) or "" for part in used])


def _alone(get: Getter, path: str, optional: bool) -> Filled:
    def fill(fields: Fields) -> str | None:
        value = get(fields)
        return value if type(value) is str else _text(fields, get, path, optional)

    return fill


def _text(fields: Fields, get: Getter, path: str, optional: bool) -> str | None:
    value = get(fields)
    if value is NOT_THERE:
        if optional:
            return None
        raise absent(fields, path)
    return shown_plainly(value)


def absent(fields: Fields, path: str) -> Unfit:
    """That a line lacks what it must have."""
    if _is_null(fields, path):
        return Unfit(f"{path!r} is null in this line")
    known = [key for key in fields if not key.startswith("@")]
    return Unfit(f"the line has no {path!r}{did_you_mean(path, known)}; it has {', '.join(known) or 'no fields'}")
