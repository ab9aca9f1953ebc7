"""What the server answers, as plain dictionaries and lists. A state is named by its path, so an answer depends on the request alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pmmc_check.explorer.commands import Dialogue, answered, command_named
from pmmc_check.explorer.patterns import pattern_from
from pmmc_check.explorer.saving import saved_text
from pmmc_check.explorer.screen import effect_text, process_rows, shown_choice
from pmmc_check.explorer.session import CannotStep, Choice, Session, Subject, Visit, begun, node_at, path_from, path_text
from pmmc_check.explorer.why_not import why_not
from pmmc_check.model.network import network_named
from pmmc_check.protocol.values import FAULTS
from pmmc_check.report.explore_text import size_of
from pmmc_check.report.layout import Layout, rendered
from pmmc_check.report.page.run_data import run_as_data
from pmmc_check.report.runs.of_search import run_of_violation, run_of_witness
from pmmc_check.report.runs.run import Run
from pmmc_check.spec.document import Spec

NOT_IN_A_BROWSER = ("save", "quit", "back", "goto", "tree", "history", "help", "list")
"""Commands that the page has buttons for, or that have no meaning there."""
_WIDTH = 100


def session_at(subject: Subject, path: str) -> Session:
    """A session at a path.

    Raises:
        CannotStep: there is no such path.
    """
    return begun(subject).moved(node_at(subject, path_from(path)))


@dataclass(frozen=True)
class Beginning:
    """Where the page begins: the path to the end of a recorded run, and what there is to say of that run; else the start."""

    path: str = ""
    told: tuple[str, ...] = ()


def about(subject: Subject, beginning: Beginning) -> dict[str, Any]:
    """What does not change: the configuration, what is checked, where it begins."""
    config = subject.model.config
    return {
        "size": size_of(config),
        "network": f"{config.network}: {network_named(config.network).explanation}",
        "variants": list(subject.variants),
        "recorded": {"path": beginning.path, "told": list(beginning.told)} if beginning.told else None,
        "invariants": [[each.name, each.statement] for each in subject.invariants],
        "witnesses": [[each.name, each.statement.removeprefix("~")] for each in subject.witnesses],
    }


def state_answer(subject: Subject, path: str) -> dict[str, Any]:
    """All that the page shows of one state: the run to it, what can happen, whole states, what is broken and reached.

    Raises:
        CannotStep: there is no such path.
    """
    here = session_at(subject, path).here
    rows = process_rows(here, [each for each in subject.model.processes if each.role != FAULTS])
    return {
        "path": path_text(here.path),
        "depth": here.depth,
        "choices": [_choice(here, each) for each in here.choices],
        "states": [[str(process), name, value, was] for process, name, value, was in rows],
        "broken": [[name, how] for name, how in here.broken.items()],
        "brokenAt": {name: _first(here, name) for name in subject.checks if _first(here, name) is not None},
        "reachedAt": {name: _reached(here, name) for name in subject.reaching if _reached(here, name) is not None},
        "run": run_as_data(_run(here)),
        "ended": not here.choices,
    }


def _run(here: Visit) -> Run:
    """The run to here; where it breaks something, with the steps that led there marked."""
    if not here.broken:
        return run_of_witness("", here.run(), here.subject.model)
    return run_of_violation(here.run(*next(iter(here.broken.items()))), here.subject.model)


def _choice(here: Visit, choice: Choice) -> dict[str, Any]:
    shown = shown_choice(here, choice)
    return {
        "number": choice.number,
        "process": str(choice.step.process),
        "label": shown.delivered,
        "effect": effect_text(here, choice),
        "fault": choice.is_fault,
        "wrong": shown.wrong,
    }


def _first(here: Visit, name: str) -> int | None:
    return next((each.depth for each in here.trail if name in each.broken), None)


def _reached(here: Visit, name: str) -> int | None:
    return next((each.depth for each in here.trail if name in each.reached), None)


def why_not_answer(subject: Subject, path: str, message: str) -> dict[str, Any]:
    """Why a message cannot be delivered.

    Raises:
        CannotStep: there is no such path or message.
    """
    text = message.strip().removeprefix("why").strip().removeprefix("not").strip()
    return {"answers": why_not(session_at(subject, path).here, pattern_from(text, subject.model))}


def command_answer(subject: Subject, path: str, line: str, spec: Spec | None) -> dict[str, Any]:
    """Carries out a command of `step`: the path that it leads to, and what it says.

    Raises:
        PmmcError: it cannot be carried out.
    """
    session = session_at(subject, path)
    first = line.split(maxsplit=1)[0] if line.split() else ""
    if not first:
        raise CannotStep("type a command, such as until decided, random 10, or why not p2a to A1")
    if first.isalpha() and command_named_or_message(first) in NOT_IN_A_BROWSER:
        raise CannotStep(f"{first}: the page has it elsewhere; here: take, random, until, crash, restart, drop, why not, state, invariants")
    reply = answered(line, session, Dialogue(Layout(_WIDTH), spec))
    moved = reply.session.here is not session.here
    said = "" if moved else rendered(reply.shown, Layout(_WIDTH))
    return {"path": path_text(reply.session.here.path), "said": said}


def command_named_or_message(word: str) -> str:
    """The command that a word is; the word itself where it is none, for a message."""
    try:
        return command_named(word)
    except CannotStep:
        return word


def trace_answer(subject: Subject, path: str) -> str:
    """The run to a state as a trace.

    Raises:
        CannotStep: a trace cannot record it.
    """
    return saved_text(session_at(subject, path))
