"""Where the keys of a TOML text stand: the standard library's parser reads it, and tells no places of what is wrong in meaning only."""

from __future__ import annotations

import re

TomlPath = tuple[str | int, ...]
"""A key within the keys around it; members of an array are numbered from 0."""

_BARE, _BLANK = re.compile(r"[A-Za-z0-9_-]+"), re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}\n#]*")


def lines_of_keys(text: str) -> dict[TomlPath, int]:
    """The line, from 1, on which each key and each member of an array begins. `text` is valid TOML."""
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.places: dict[TomlPath, int] = {(): 1}
        self.sizes: dict[TomlPath, int] = {}
        """How many members each array of tables has so far."""

    def run(self) -> dict[TomlPath, int]:
        table: TomlPath = ()
        while self._blank():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._assignment(table)
        return self.places

    def _blank(self) -> bool:
        """Skips what means nothing; whether anything is left."""
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def _header(self) -> TomlPath:
        """`[table]` or `[[array of tables]]`; an array in front of the last key stands for its last member."""
        line, double = self._line(), self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        table: TomlPath = ()
        keys = self._key()
        for key in keys:
            table = (*table, key)
            if table in self.sizes and not (double and key is keys[-1]):
                table = (*table, self.sizes[table] - 1)
        self.at = self.text.index("]", self.at) + (2 if double else 1)
        if double:
            self.places.setdefault(table, line)
            number = self.sizes.get(table, 0)
            self.sizes[table] = number + 1
            table = (*table, number)
        self._place(table, line)
        return table

    def _assignment(self, table: TomlPath) -> None:
        line = self._line()
        path = (*table, *self._key())
        self._place(path, line)
        self.at = self.text.index("=", self.at) + 1
        self._value(path)

    def _value(self, path: TomlPath) -> None:
        self._blank()
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._members(path)
        elif first == "{":
            self.at += 1
            while self._blank() and self.text[self.at] != "}":
                if self.text[self.at] == ",":
                    self.at += 1
                else:
                    self._assignment(path)
            self.at += 1
        else:
            match = _SCALAR.match(self.text, self.at)
            self.at = match.end() if match else self.at

    def _members(self, path: TomlPath) -> None:
        self.at, number = self.at + 1, 0
        while self._blank() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self._place((*path, number), self._line())
                self._value((*path, number))
                number += 1
        self.at += 1

    def _key(self) -> list[str]:
        """A key with dots."""
        keys: list[str] = []
        while True:
            self._blank()
            bare = _BARE.match(self.text, self.at)
            if bare:
                keys.append(bare[0])
                self.at = bare.end()
            else:
                keys.append(self._string()[1:-1])
            self._blank()
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _string(self) -> str:
        match = _STRING.match(self.text, self.at)
        assert match is not None, "the text is valid TOML"
        self.at = match.end()
        return match[0]

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _place(self, path: TomlPath, line: int) -> None:
        """Keys around it that were not written themselves are where their first content is."""
        for length in range(1, len(path) + 1):
            self.places.setdefault(path[:length], line)
