"""The file that says what a cluster of several machines is made of: the same for all its nodes and clients.

    name = "shop"                     # nodes of other clusters are not listened to
    machine = "kv"                    # integer, kv or module:object
    window = 20                       # the paper's WINDOW
    keep = 1000                       # slots that are kept behind those which a majority of the replicas has performed
    key_file = "shop.key"             # shared by all; or [tls] certificate, private_key and authority

    [nodes]                           # A1 to An, L1 to Ln, R1 to Rn
    A1 = "10.0.0.1:7001"

    [[configurations]]                # where leaders and acceptors are to be replaced: each set, the first one first
    leaders = ["L1"]
    acceptors = ["A1", "A2", "A3"]

Relative paths are relative to the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol.role import Configuration
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.machines import MACHINES
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.security import Certificates, Security, read_key
from pmmc_check.runtime.tcp import Address

_KEYS = ("name", "machine", "window", "keep", "key_file", "tls", "nodes", "configurations")
_TLS_KEYS = ("certificate", "private_key", "authority")
_ROLE_OF = {"A": ACCEPTOR, "L": LEADER, "R": REPLICA}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_WINDOW, _KEEP = 20, 1000


@dataclass(frozen=True)
class ClusterFile:
    """A cluster: who takes part, where each node listens, and who is believed."""

    name: str
    machine: str
    roster: Roster
    addresses: Mapping[ProcessId, Address]
    security: Security
    path: Path

    @property
    def settings(self) -> dict[str, str]:
        """What must be the same at all nodes and clients."""
        return self.roster.settings(self.machine)

    def node(self, name: str) -> ProcessId:
        """The node called `name`.

        Raises:
            UsageError: there is none.
        """
        named = {str(each): each for each in self.addresses}
        if name not in named:
            raise UsageError(f"--id {name}: no node of this cluster{did_you_mean(name, named)}; it has {', '.join(named)}")
        return named[name]


def read_cluster_file(path: Path) -> ClusterFile:
    """Reads and checks it.

    Raises:
        UsageError: it cannot be read, or does not make a cluster; the message says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no TOML: {error}") from None
    return _Reader(path, text, found).cluster()


class _Reader:
    def __init__(self, path: Path, text: str, found: Mapping[str, Any]) -> None:
        self.path, self.text, self.found = path, text, found

    def cluster(self) -> ClusterFile:
        for key in self.found:
            if key not in _KEYS:
                raise self._wrong(f"{key}: no such key{did_you_mean(key, _KEYS)}; expected some of {', '.join(_KEYS)}")
        name = self._text("name")
        if not _NAME.fullmatch(name):
            raise self._wrong(f"name = {name!r}: expected letters, digits, '.', '_' and '-'")
        addresses = self._addresses()
        window, keep = self._number("window", _WINDOW), self._number("keep", _KEEP)
        numbers = {role: sum(each.role == role for each in addresses) for role in _ROLE_OF.values()}
        configurations = self._configurations(addresses)
        try:
            roster = Roster(0, numbers[REPLICA], numbers[LEADER], numbers[ACCEPTOR], window, configurations=configurations, keep=keep)
        except UsageError as error:
            raise self._wrong(f"[[configurations]]: {str(error).removeprefix('configurations: ')}") from None
        return ClusterFile(name, self._machine(), roster, addresses, self._security(), self.path)

    def _machine(self) -> str:
        name = self._text("machine", "kv")
        if name not in MACHINES and ":" not in name:
            raise self._wrong(
                f"machine = {name!r}: no such state machine{did_you_mean(name, MACHINES)}; expected {', '.join(MACHINES)} or module:object"
            )
        return name

    def _wrong(self, text: str) -> UsageError:
        """`text` begins with the key, or the table and the key, that it is about; so its line can be told."""
        named = re.match(r"(\[+\w+\]+)? ?(\w+)?", text)
        table, key = named.groups() if named else (None, None)
        line = 0
        for number, each in enumerate(self.text.splitlines(), 1):
            if table and each.strip().startswith(table):
                line, table = number, None
            if key and not table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", each):
                line = number
                break
        return UsageError(f"{self.path}:{line}: {text}" if line else f"{self.path}: {text}")

    def _text(self, key: str, default: str | None = None) -> str:
        value = self.found.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(f'{key}: expected a text, such as {key} = "{default or "shop"}"')
        return value

    def _number(self, key: str, default: int) -> int:
        value = self.found.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10**6:
            raise self._wrong(f"{key} = {value!r}: expected a number from 1 to 1000000")
        return value

    def _addresses(self) -> dict[ProcessId, Address]:
        nodes = self.found.get("nodes")
        if not isinstance(nodes, dict) or not nodes:
            raise self._wrong('[nodes]: is missing; it says where each node listens, such as A1 = "127.0.0.1:7001"')
        found = {self._process(name): self._address(name, text) for name, text in nodes.items()}
        for letter, role in _ROLE_OF.items():
            numbers = sorted(each.number for each in found if each.role == role)
            if numbers != list(range(1, len(numbers) + 1)) or not numbers:
                raise self._wrong(f"[nodes]: expected {letter}1, {letter}2 and so on, without a gap, for the {role}s")
        if len(set(found.values())) < len(found):
            raise self._wrong("[nodes]: two nodes have one address; each needs its own")
        return {each: found[each] for each in sorted(found)}

    def _process(self, name: str) -> ProcessId:
        if not re.fullmatch(r"[ALR][1-9][0-9]?", name):
            raise self._wrong(f"[nodes] {name}: expected A1 and so on for acceptors, L1 for leaders, R1 for replicas")
        return ProcessId(_ROLE_OF[name[0]], int(name[1:]))

    def _address(self, name: str, text: Any) -> Address:
        host, _, port = str(text).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not _is_host(host) or not port.isascii() or not port.isdecimal() or not 0 < int(port[:6]) < 2**16:
            raise self._wrong(f"[nodes] {name} = {text!r}: expected HOST:PORT, such as 127.0.0.1:7001")
        return host, int(port)

    def _configurations(self, addresses: Mapping[ProcessId, Address]) -> tuple[Configuration, ...]:
        listed = self.found.get("configurations", [])
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise self._wrong("[[configurations]]: expected tables with leaders and acceptors")
        return tuple(
            Configuration(self._set(each, "leaders", "L", addresses), self._set(each, "acceptors", "A", addresses)) for each in listed
        )

    def _set(self, table: Mapping[str, Any], key: str, letter: str, addresses: Mapping[ProcessId, Address]) -> tuple[ProcessId, ...]:
        names = table.get(key)
        known = {str(each): each for each in addresses if str(each)[0] == letter}
        if not isinstance(names, list) or not names or set(table) != {"leaders", "acceptors"}:
            raise self._wrong(f"[[configurations]] {key}: each has leaders and acceptors, lists of nodes such as {sorted(known)}")
        for name in names:
            if name not in known:
                raise self._wrong(f"[[configurations]] {key}: {name!r} is none of {', '.join(known)}")
        return tuple(known[name] for name in names)

    def _security(self) -> Security:
        key, tls = self.found.get("key_file"), self.found.get("tls")
        certificates = None
        if tls is not None:
            if not isinstance(tls, dict) or set(tls) != set(_TLS_KEYS) or not all(isinstance(each, str) for each in tls.values()):
                raise self._wrong(f"[tls]: expected {', '.join(_TLS_KEYS)}, each a PEM file")
            certificates = Certificates(*(self.path.parent / tls[each] for each in _TLS_KEYS))
        return Security(read_key(self.path.parent / self._text("key_file")) if key is not None else b"", certificates)


def _is_host(text: str) -> bool:
    """Whether it can be looked up; whether anything is called so is another question."""
    try:
        return bool(text.encode("idna")) and text.isprintable() and " " not in text
    except UnicodeError:
        return False
