"""Mappings that the tests of importing make, and what they make of a log."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
from helpers import ROOT

from pmmc_check.trace.importing.importer import Importer
from pmmc_check.trace.importing.mapping import read_mapping

SCHEMA = json.loads((ROOT / "pmmc_check/trace/importing/mapping.schema.json").read_text())
HEADER = """\
[header]
replicas = ["R1"]
leaders = ["L1", "L2"]
acceptors = ["A1", "A2", "A3"]
window = 5
logs = { A1 = "complete", A2 = "complete", L1 = ["p1a", "p2a"], R1 = "complete", C1 = "complete" }
"""
P1A = '[[rule]]\nwhen = { m = "p" }\ndo = "recv"\nmsg = "p1a"\nat = "{n}"\nb = "{b}"\n'
P2B = '[[rule]]\nwhen = { m = "q" }\ndo = "send"\nmsg = "p2b"\nat = "{n}"\nb = "{b}"\nto = { b = "{b}", s = "{s}" }\n'
SET = (
    P1A.replace("recv", "send").replace("p1a", "p1b")
    + 'to = { b = "0.L1" }\naccepted = { each = "acc", b = "{b}", s = "{s}", c = "{c}" MORE }\n'
)


def mapped(folder: Path, rules: str, *lines: str, rest: str = "", strict: bool = True) -> tuple[list[str], Importer]:
    """The events' lines that a mapping makes of a log."""
    (mapping := folder / "m.toml").write_text(HEADER + rest + rules)
    jsonschema.validate(tomllib.loads(mapping.read_text()), SCHEMA)
    (log := folder / "node.log").write_text("".join(f"{line}\n" for line in lines))
    importer = Importer(read_mapping(mapping), strict=strict, origins=False)
    return [each.text for each in importer.events(log)], importer


def text_of(folder: Path, rules: str, *lines: str, rest: str = "") -> list[str]:
    return mapped(folder, rules, *lines, rest=rest)[0]
