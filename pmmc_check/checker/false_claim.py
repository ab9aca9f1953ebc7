"""What a person reads when a claim is found false: the step that shows it, in the protocol's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pmmc_check.errors import ProtocolError
from pmmc_check.model.calls import shown_outcomes
from pmmc_check.model.content import Renaming
from pmmc_check.model.model import Model
from pmmc_check.protocol.messages import Message, show
from pmmc_check.protocol.role import Outcome
from pmmc_check.protocol.values import Command, ProcessId, leader_id


class FalseClaim(ProtocolError):
    """A role claims something of its steps that one of its steps refutes."""

    in_lines = True


LocalStepShown = tuple[ProcessId, Any, Message]
"""A process, its state, and the message that is delivered."""


def asymmetric(
    model: Model,
    renaming: Renaming,
    step: LocalStepShown,
    image: LocalStepShown,
    answers: tuple[Sequence[Outcome], Sequence[Outcome], Sequence[Outcome]],
) -> FalseClaim:
    """`symmetric` is false: `answers` are those to the step, what must be answered to its image, and what is."""
    pair = " and ".join(_exchanged(renaming))
    given, expected, found = answers
    return _false_claim(
        model,
        step[0],
        "symmetric",
        f"does not treat {pair} alike",
        [
            *_step_lines(step, given),
            f"with {pair} exchanged:",
            *_step_lines(image, found),
            _line("expected", shown_outcomes(expected)),
        ],
        f"treat {pair} alike, or leave the claim out",
    )


def not_ignored(  # noqa: PLR0917
    model: Model, process: ProcessId, made_in: Any, state: Any, message: Message, outcomes: Sequence[Outcome]
) -> FalseClaim:
    """`ignores` was claimed in the state `made_in`, and is false in `state`, which is the same or follows."""
    when = "takes notice of it" if made_in == state else "takes notice of it in a state that follows"
    lines = [*_claimed_lines(made_in, state), *_step_lines((process, state, message), outcomes)]
    return _false_claim(model, process, f"ignores {message}", when, lines, "make the claim only where it is true for good, or leave it out")


def not_only_halted(  # noqa: PLR0917
    model: Model, process: ProcessId, made_in: Any, state: Any, message: Message, outcomes: Sequence[Outcome], wrong: str
) -> FalseClaim:
    """`only_halts` was claimed in the state `made_in` (None: of every state), and is false in `state`: `wrong` says why."""
    lines = [*_claimed_lines(made_in, state), *_step_lines((process, state, message), outcomes)]
    advice = "make the claim only where it is true for good, or leave it out"
    return _false_claim(model, process, f"only_halts of {message}", f"does more: {wrong}", lines, advice)


def created_twice(model: Model, process: ProcessId, state: Any, message: Message, creator: ProcessId) -> FalseClaim:
    """`starts_once` is false: `process`, which is in `state`, has been created before."""
    lines = [
        _line("process", str(process)),
        _line("state", show(state)),
        _line("message", f"{message} from {creator}, which creates it"),
    ]
    but = f"creates {process} a second time"
    return _false_claim(model, leader_id(process.ballot), "starts_once", but, lines, "leave the claim out")


def _false_claim(  # noqa: PLR0917
    model: Model, process: ProcessId, claim: str, but: str, lines: Sequence[str], advice: str
) -> FalseClaim:
    name = type(model.roles[process]).__name__
    return FalseClaim("\n".join([f"{name} claims {claim}, but {process} {but}; {advice}", *lines]))


def _claimed_lines(made_in: Any, state: Any) -> list[str]:
    if made_in is None:
        return [_line("claimed in", "every state that it may have once the sender exists")]
    return [] if made_in == state else [_line("claimed in", show(made_in))]


def _step_lines(step: LocalStepShown, outcomes: Sequence[Outcome]) -> list[str]:
    process, state, message = step
    return [
        _line("process", str(process)),
        _line("state", show(state)),
        _line("message", str(message)),
        _line("answer", shown_outcomes(outcomes)),
    ]


def _exchanged(renaming: Renaming) -> list[str]:
    """What a renaming exchanges; a client goes with its command."""
    atoms = [atom for atom, image in renaming.items() if atom != image]
    commands = [atom for atom in atoms if isinstance(atom, Command)]
    return sorted(map(str, commands or atoms))


def _line(label: str, text: str) -> str:
    return f"  {label:<10}  {text}"
