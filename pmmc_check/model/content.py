"""Content digests: 64-bit numbers that stand for values, the same on every run, machine and order of discovery.

`Digest.of(value)` is an array with one number for each renaming of a symmetry group (the identity first): entry g is
the digest of the value after renaming g. Only atoms (process identities, commands) are renamed; everything else is
composed from its parts, so an image is never built:

    leaf         BLAKE2b of its type and text
    tuple, state a random-odd-weighted sum of the parts' digests, seeded by the type's name, then mixed
    frozenset    the sum of the parts' mixed digests, so the order of iteration does not matter

Values that are equal count as the same, whatever their types: `(1,)` and `(True,)`. Python's own `hash` is never
used. The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmmc_check.errors import ProtocolError

Digests = NDArray[np.uint64]
Renaming = Mapping[Hashable, Hashable]
"""Where each renamed atom goes; atoms that are not named stay."""

_SHIFT_A, _SHIFT_B, _SHIFT_C = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_A, _FACTOR_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mix(values: Digests) -> Digests:
    """The SplitMix64 finaliser, element by element."""
    values = (values ^ (values >> _SHIFT_A)) * _FACTOR_A
    values = (values ^ (values >> _SHIFT_B)) * _FACTOR_B
    mixed: Digests = values ^ (values >> _SHIFT_C)
    return mixed


def text_digest(text: str) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


_LEAVES = (str, int, type(None), bool, bytes, Enum)
_WEIGHTS = np.array([text_digest(f"weight {i}") | 1 for i in range(64)], np.uint64)


_MASK = (1 << 64) - 1
_NUMBERS: list[int] = _WEIGHTS.tolist()
_FIRST_WEIGHT = _NUMBERS[0]
_FACTORS = int(_FACTOR_A), int(_FACTOR_B)


def _mixed(value: int) -> int:
    """As `mix`, of one number below 2**64."""
    value = ((value ^ (value >> 30)) * _FACTORS[0]) & _MASK
    value = ((value ^ (value >> 27)) * _FACTORS[1]) & _MASK
    return value ^ (value >> 31)


_known_fields: dict[type, tuple[str, ...]] = {}


def _fields(value: Any) -> tuple[str, ...]:
    """The names of the fields of a dataclass's object."""
    names = _known_fields.get(type(value))
    if names is None:
        names = _known_fields[type(value)] = tuple([field.name for field in dataclasses.fields(value)])
    return names


def _text_of_leaf(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value)
    if value is None or isinstance(value, bool | int | str | bytes):
        return f"{type(value).__name__}:{value!r}"
    raise ProtocolError(
        f"{value!r} of type {type(value).__name__} cannot be part of a state or message; "
        f"use frozen dataclasses, tuples, frozensets, numbers and strings"
    )


class Images:
    """The images of values under one renaming, each built once; where nothing is renamed, the value itself."""

    def __init__(self, renaming: Renaming) -> None:
        self._renaming = renaming
        self._known: dict[tuple[type, Any], Any] = {}

    def of(self, value: Any) -> Any:
        """The image of `value`, which is built of the types that a state may have."""
        if isinstance(value, _LEAVES):
            return value
        key = (type(value), value)
        if key not in self._known:
            self._known[key] = self._compute(value)
        return self._known[key]

    def _compute(self, value: Any) -> Any:
        if isinstance(value, tuple):
            if value in self._renaming:
                return self._renaming[value]
            parts = [self.of(part) for part in value]
            return value if _same(parts, value) else tuple.__new__(type(value), parts)
        if isinstance(value, frozenset):
            members = list(value)
            parts = [self.of(part) for part in members]
            return value if _same(parts, members) else frozenset(parts)
        if not dataclasses.is_dataclass(value):
            return value
        names = _fields(value)
        parts = [self.of(getattr(value, name)) for name in names]
        if _same(parts, [getattr(value, name) for name in names]):
            return value
        image = object.__new__(type(value))
        for name, part in zip(names, parts, strict=True):
            object.__setattr__(image, name, part)
        return image


def _same(parts: Sequence[Any], others: Sequence[Any]) -> bool:
    return all(part is other for part, other in zip(parts, others, strict=True))


class Digest:
    """Digests of values under each of `renamings`."""

    def __init__(self, renamings: Sequence[Renaming] = ({},)) -> None:
        self.renamings = renamings
        self._known: dict[tuple[type, Any], Digests] = {}
        self._numbers: dict[tuple[type, Any], int] = {}
        self._atoms = {atom for renaming in renamings for atom in renaming}

    def of(self, value: Any) -> Digests:
        """One digest for each renaming.

        Raises:
            ProtocolError: the value is not built of the types that a state may have.
        """
        key = (type(value), value)
        digests = self._known.get(key)
        if digests is None:
            digests = self._known[key] = self._compute(value)
        return digests

    def order(self, value: Any) -> int:
        """A key that sorts values by content, the same on every run: the digest under the first renaming, which renames nothing.

        Python's own numbers make it several times as fast as an array with one element."""
        key = (type(value), value)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._number(value)
        return number

    def _number(self, value: Any) -> int:
        """As `_structure`, of one digest."""
        order = self.order
        if isinstance(value, frozenset):
            total = text_digest(f"set {len(value)}")
            for part in value:
                total += _mixed(order(part) ^ _FIRST_WEIGHT)
            return _mixed(total & _MASK)
        if isinstance(value, tuple):
            name, parts = f"{type(value).__name__} {len(value)}", value
        elif dataclasses.is_dataclass(value):
            name, parts = type(value).__name__, tuple([getattr(value, field) for field in _fields(value)])
        else:
            return text_digest(_text_of_leaf(value))
        total = text_digest(name)
        for i, part in enumerate(parts):
            total += order(part) * _NUMBERS[i % 63 + 1]
        return _mixed(total & _MASK)

    def _compute(self, value: Any) -> Digests:
        if isinstance(value, tuple | str) and value in self._atoms:
            images = [renaming.get(value, value) for renaming in self.renamings]
            plain = {image: self._structure(image)[0] for image in set(images)}
            return np.array([plain[image] for image in images], np.uint64)
        return self._structure(value)

    def _structure(self, value: Any) -> Digests:
        if isinstance(value, frozenset):
            parts = [self.of(part) for part in value]
            return mix(self._sum([mix(part ^ _WEIGHTS[0]) for part in parts]) + self._leaf(f"set {len(parts)}"))
        if isinstance(value, tuple):
            return self._record(f"{type(value).__name__} {len(value)}", value)
        if dataclasses.is_dataclass(value):
            return self._record(type(value).__name__, [getattr(value, field) for field in _fields(value)])
        return self._leaf(_text_of_leaf(value))

    def _record(self, name: str, parts: Sequence[Any]) -> Digests:
        weighted = [self.of(part) * _WEIGHTS[i % 63 + 1] for i, part in enumerate(parts)]
        return mix(self._sum(weighted) + self._leaf(name))

    def _sum(self, parts: list[Digests]) -> Digests:
        total: Digests = np.zeros(len(self.renamings), np.uint64)
        for part in parts:
            total = total + part
        return total

    def _leaf(self, text: str) -> Digests:
        return np.full(len(self.renamings), text_digest(text), np.uint64)
