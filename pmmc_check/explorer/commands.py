"""The command language of `step`: a line in, a session and what to show out. No I/O; a file to write is part of the reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.result import Control, Limits
from pmmc_check.errors import did_you_mean
from pmmc_check.explorer.faults import crash_of, drop_of, restart_of
from pmmc_check.explorer.help_text import COMMANDS, help_of, whole_help
from pmmc_check.explorer.patterns import pattern_from, process_named
from pmmc_check.explorer.saving import saved_text, validate_command
from pmmc_check.explorer.screen import (
    choice_parts,
    history_parts,
    inbox_parts,
    property_parts,
    state_parts,
    status_parts,
    step_parts,
    tree_parts,
)
from pmmc_check.explorer.session import CannotStep, Session, at_random, back, goto, path_from, take
from pmmc_check.explorer.until import UNTIL_SECONDS_MAX, until
from pmmc_check.explorer.why_not import why_not
from pmmc_check.protocol.values import ProcessId
from pmmc_check.report.layout import Layout
from pmmc_check.spec.document import Spec
from pmmc_check.trace.events import KINDS

STEPS_SHOWN = 12
"""Of a command that takes more steps than this, the last are shown."""


@dataclass(frozen=True)
class Dialogue:
    """What a session runs in: how wide its screen is, the spec whose definitions expressions may use, and how a long search is stopped."""

    layout: Layout = field(default_factory=Layout)
    spec: Spec | None = None
    control: Callable[[], Control] = lambda: Control(Limits(seconds_max=UNTIL_SECONDS_MAX))


@dataclass(frozen=True)
class Reply:
    """`shown` is what to print; `writes` a file name and its text, to be written; `ends` says that it was `quit`."""

    session: Session
    shown: tuple[RenderableType, ...] = ()
    writes: tuple[str, str] | None = None
    ends: bool = False


def answered(line: str, session: Session, dialogue: Dialogue) -> Reply:
    """Carries out one line.

    Raises:
        PmmcError: it cannot be carried out; the text says why, and what can.
    """
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if not name:
        return Reply(session, tuple(choice_parts(session, dialogue.layout)))
    if name.isdecimal():
        return _moved(session, take(session, int(name[:6])), dialogue)
    if name.partition("(")[0].lower() in KINDS:
        return _take(line.strip(), session, dialogue)
    return _CARRIED_OUT[command_named(name)](rest, session, dialogue)


def command_named(text: str) -> str:
    """The command that `text` is, or begins in only one way.

    Raises:
        CannotStep: there is none, or there are several.
    """
    text = text.lower()
    begun = [name for name in COMMANDS if name.startswith(text)]
    if text in COMMANDS or len(begun) == 1:
        return text if text in COMMANDS else begun[0]
    if begun:
        raise CannotStep(f"{text} may be {' or '.join(begun)}")
    raise CannotStep(f"there is no command {text[:40]}{did_you_mean(text, COMMANDS)}; `help` lists them")


def _moved(before: Session, after: Session, dialogue: Dialogue) -> Reply:
    """What is shown after steps: the steps, where we are, what can happen."""
    return Reply(after, tuple(_moved_parts(before, after, dialogue)))


def _moved_parts(before: Session, after: Session, dialogue: Dialogue) -> Iterator[RenderableType]:
    ahead = before.here in after.here.trail
    new = after.here.trail[before.here.depth + 1 :] if ahead else ()
    if len(new) > STEPS_SHOWN:
        yield Text(f"... {len(new) - STEPS_SHOWN} steps before; `history` shows all", style="dim")
    for node in new[-STEPS_SHOWN:]:
        yield from step_parts(node, dialogue.layout)
    yield from where_parts(after, dialogue)


def where_parts(session: Session, dialogue: Dialogue) -> Iterator[RenderableType]:
    """Where we are, and what can happen."""
    yield ""
    yield from status_parts(session.here)
    yield from choice_parts(session, dialogue.layout)


def _take(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    if not rest:
        raise CannotStep("take what? A number of the list, or a message, such as: take p1a to A1")
    if rest.isdecimal():
        return _moved(session, take(session, int(rest[:6])), dialogue)
    pattern = pattern_from(rest, session.subject.model)
    fitting = [each for each in session.here.choices if not each.is_fault and pattern.matches(each.step.message, each.step.process)]
    if not fitting:
        raise CannotStep(" ".join(why_not(session.here, pattern)))
    if len(fitting) > 1:
        listed = "; ".join(f"{each.number} {each.step.message} → {each.step.process}" for each in fitting[:6])
        raise CannotStep(f"{len(fitting)} steps fit; say more, or give the number: {listed}")
    return _moved(session, take(session, fitting[0].number), dialogue)


def _back(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    return _moved(session, back(session, _count(rest, 1, "back")), dialogue)


def _goto(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    if not rest:
        raise CannotStep("goto where? A path, such as 3.1.4, or start; `tree` lists those that were visited")
    return _moved(session, goto(session, path_from("" if rest == "start" else rest)), dialogue)


def _random(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    words = rest.split()
    if len(words) > 2:
        raise CannotStep("random takes how many steps, and perhaps a seed: random 10 7")
    seed = _count(words[1], 1, "the seed") if len(words) == 2 else 1
    return _moved(session, at_random(session, _count(words[0] if words else "", 1, "random"), seed), dialogue)


def _until(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    return _moved(session, until(session, rest, dialogue.spec, dialogue.control()), dialogue)


def _crash(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    process = _process(rest, session, "crash")
    return _moved(session, take(session, crash_of(session.here, process).number), dialogue)


def _restart(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    process = _process(rest, session, "restart")
    return _moved(session, take(session, restart_of(session.here, process).number), dialogue)


def _drop(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    if not rest:
        raise CannotStep("drop which message? For example: drop p1a to A1")
    choice = drop_of(session.here, pattern_from(rest, session.subject.model))
    return _moved(session, take(session, choice.number), dialogue)


def _why(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    word, _, message = rest.partition(" ")
    text = message if word.lower() == "not" else rest
    if not text.strip():
        raise CannotStep("why not which message? For example: why not p2a(0.L1) to A2")
    answers = why_not(session.here, pattern_from(text, session.subject.model))
    return Reply(session, tuple(Text(each) for each in answers))


def _list(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    only = _processes(rest, session)
    return Reply(session, (*status_parts(session.here), *choice_parts(session, dialogue.layout, only)))


def _state(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    only = _processes(rest, session)
    return Reply(session, (*status_parts(session.here), *state_parts(session.here, only), *inbox_parts(session.here, only)))


def _history(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    return Reply(session, tuple(history_parts(session.here, dialogue.layout)))


def _tree(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    return Reply(session, tuple(tree_parts(session)))


def _invariants(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    return Reply(session, tuple(property_parts(session.here)))


def _save(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    if not rest:
        raise CannotStep("save to which file? For example: save run.pmmc")
    told = Text(f"{rest}: {session.here.depth} steps; to judge it: {validate_command(session, rest)}")
    return Reply(session, (told,), writes=(rest, saved_text(session)))


def _help(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    if rest:
        return Reply(session, (Text(help_of(command_named(rest.split(maxsplit=1)[0]))),))
    return Reply(session, tuple(whole_help(session.subject)))


def _quit(rest: str, session: Session, dialogue: Dialogue) -> Reply:
    return Reply(session, ends=True)


_CARRIED_OUT: dict[str, Callable[[str, Session, Dialogue], Reply]] = {
    "take": _take,
    "back": _back,
    "goto": _goto,
    "random": _random,
    "until": _until,
    "crash": _crash,
    "restart": _restart,
    "drop": _drop,
    "why": _why,
    "list": _list,
    "state": _state,
    "history": _history,
    "tree": _tree,
    "invariants": _invariants,
    "save": _save,
    "help": _help,
    "quit": _quit,
}


def _count(text: str, default: int, what: str) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and int(text) > 0):
        raise CannotStep(f"{what} takes a whole number from 1, found {text[:40]}")
    return int(text)


def _process(text: str, session: Session, verb: str) -> ProcessId:
    if not text:
        raise CannotStep(f"{verb} which process? For example: {verb} A1")
    return process_named(text, session.subject.model)


def _processes(text: str, session: Session) -> Sequence[ProcessId]:
    model = session.subject.model
    words = [text] if "(" in text else text.replace(",", " ").split()
    return tuple(process_named(each, model) for each in words)
