"""The formats in which a run can leave, by the end of a file's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.report.exchange.itf import run_as_itf
from pmmc_check.report.exchange.mermaid import run_as_mermaid
from pmmc_check.report.exchange.plantuml import run_as_plantuml
from pmmc_check.report.exchange.shiviz import run_as_shiviz
from pmmc_check.report.runs.run import Run


@dataclass(frozen=True)
class RunFormat:
    """A format: its name in Python, and in sentences, the ends of names that ask for it, and what writes it, which may raise
    `NotExpressible`."""

    key: str
    name: str
    ends: tuple[str, ...]
    write: Callable[[Run], str]


FORMATS = (
    RunFormat("itf", "ITF", (".itf.json", ".itf"), run_as_itf),
    RunFormat("shiviz", "a ShiViz log", (".shiviz", ".log"), run_as_shiviz),
    RunFormat("mermaid", "a Mermaid diagram", (".mmd", ".mermaid"), run_as_mermaid),
    RunFormat("plantuml", "a PlantUML diagram", (".puml", ".plantuml"), run_as_plantuml),
)


def run_format_of(name: str, option: str = "--export") -> RunFormat:
    """The format that a file's name asks for.

    Raises:
        UsageError: it asks for none.
    """
    plain = name.lower().removesuffix(".gz")
    for each in FORMATS:
        if plain.endswith(each.ends):
            return each
    known = "; ".join(f"{each.ends[0]} for {each.name}" for each in FORMATS)
    raise UsageError(f"{option} {name}: the name's end says what is written: {known}{_guess(plain)}")


def _guess(name: str) -> str:
    end = name.rpartition("/")[2].partition(".")[2]
    if end == "tla":
        return "; a TLA+ module is written by explore --export-tla"
    return did_you_mean(f".{end}", [each for known in FORMATS for each in known.ends]) if end else ""
