"""What `help` says in a session, and what can be typed next."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.explorer.session import Session, Subject, Visit
from pmmc_check.explorer.until import AT_END, NAMED_PREDICATES, VIOLATED_ANY, known_goals
from pmmc_check.model.faults import Drop
from pmmc_check.protocol.values import FAULTS
from pmmc_check.report.layout import labelled
from pmmc_check.trace.events import KINDS
from pmmc_check.words import counted

COMMANDS: dict[str, tuple[str, str]] = {
    "take": ("N | MESSAGE", "take a step: `3`, `take 3`, or `p1a to A1` where one step fits"),
    "back": ("[N]", "go back N steps (1); the branch is kept"),
    "goto": ("PATH | start", "go to a state by its path, such as 3.1.4; `tree` lists those visited"),
    "random": ("[N] [SEED]", "take N deliveries at random (1)"),
    "until": ("P", "go a shortest way to where P is true; `until decided`, or an expression"),
    "crash": ("PROCESS", "the process goes down"),
    "restart": ("PROCESS", "the process comes back with what its role keeps"),
    "drop": ("MESSAGE", "the network loses a message"),
    "why": ("not MESSAGE", "why a message cannot be delivered, or would change nothing"),
    "list": ("[PROCESS ...]", "the steps that can be taken; an empty line does the same"),
    "state": ("[PROCESS ...]", "the full state, what the last step changed beside it"),
    "history": ("", "the steps from the start to here"),
    "tree": ("", "the branches that were taken"),
    "invariants": ("", "each invariant and witness, and whether it is broken or reached"),
    "save": ("FILE", "write the run as a trace, for pmmc-check validate"),
    "help": ("[COMMAND]", "this, or more about one command"),
    "quit": ("", "end; so does Ctrl-D"),
}
"""By name: what each takes, and what it does."""

_MORE = {
    "until": (
        "Predicates with names:\n"
        + "\n".join(f"  {name:10} {meaning}" for name, (_, meaning) in NAMED_PREDICATES.items())
        + f"\n  {VIOLATED_ANY:10} some invariant is broken\n  {AT_END:10} nothing can happen any more (not the shortest way)\n"
        "The names of witnesses (reached) and invariants (broken) are predicates, too; and so is any expression of docs/specs.md:\n"
        "  until leader[L1].active\n"
        "  until \\E a, b \\in Acceptors : acceptor[a].ballot < acceptor[b].ballot\n"
        "Ctrl-C stops a search that takes too long."
    ),
    "take": (
        "A message is written as the paper writes it, and may be left incomplete:\n"
        "  p1a(0.L1) to A1      p1a to A1      p2b(A1, 0.L1)      decision(1, c1) to R2\n"
        "Where several steps fit, their numbers are listed. A tick in the list marks steps that were taken before."
    ),
    "why": (
        "The answer is one of: not sent yet (and what is missing), delivered or lost already, the receiver is down, does not exist yet or "
        "has exited, others are before it (fifo), or it would change nothing; with the protocol's rule.\n"
        "  why not p2a(0.L1) to A2\n"
        "  why not adopted(0.L1)"
    ),
    "drop": "Only on the lossy network (--network lossy). On the duplicating one a message is lost by never delivering it.",
    "crash": "As often as --crashes allows, of the roles in --faulty. When a leader crashes, its scouts and commanders are gone.",
    "restart": "As often as --restarts allows. Acceptors keep ballot and accepted, replicas their decisions, leaders their round.",
    "random": "The same seed takes the same steps. Faults are never taken at random.",
    "save": "What the configuration cannot record in a trace (messages of a role's own, say) is refused with a reason.",
    "goto": "A path is the numbers of the choices from the start. It means the same state in every session with the same options.",
}


def whole_help(subject: Subject) -> Iterator[RenderableType]:
    """All commands, and how to begin."""
    yield Text(
        "Each line of the list is a step that can happen next: a message on its way, delivered to its receiver, and what that would "
        "change. Type a step's number to take it."
    )
    yield ""
    yield labelled([(f"{name} {takes}".strip(), does) for name, (takes, does) in COMMANDS.items()], 0)
    yield ""
    yield Text("Commands may be shortened (`b`, `inv`). To begin with: `until decided`, `history`, `back 3`, `why not p2a to A1`.")
    config = subject.model.config
    counts = (counted(config.acceptors, "acceptor"), counted(config.leaders, "leader"), counted(config.replicas, "replica"))
    yield Text(f"Here: {', '.join(counts)}, {config.network} network.")


def help_of(name: str) -> str:
    """About one command."""
    takes, does = COMMANDS[name]
    return f"{f'{name} {takes}'.strip()}: {does}" + (f"\n{_MORE[name]}" if name in _MORE else "")


def completions(line: str, session: Session) -> list[str]:
    """What the last word of `line` may become."""
    words = line.split(" ")
    if len(words) == 1:
        return [each for each in (*COMMANDS, *_kinds(session.here)) if each.startswith(words[0])]
    return sorted({each for each in _arguments(words, session) if each.lower().startswith(words[-1].lower())})


def _arguments(words: list[str], session: Session) -> Iterator[str]:
    model, name = session.subject.model, words[0]
    processes = [str(each) for each in model.processes if each.role != FAULTS]
    if name in ("crash", "restart", "state", "list"):
        yield from (each for each in processes if name in ("state", "list") or "(" not in each)
    elif name == "help":
        yield from COMMANDS
    elif name == "until":
        yield from known_goals(session.subject)
    elif name == "goto":
        yield from ["start", *(".".join(map(str, each.path)) for each in session.visited if each.path)]
    elif name == "why" and len(words) == 2:
        yield "not"
    elif name in ("why", "take", "drop") or name in KINDS:
        yield from ["to", *processes] if len(words) > 2 + (name == "why") or name in KINDS else ()
        yield from KINDS if name == "why" else _kinds(session.here, losses=name == "drop")


def _kinds(node: Visit, losses: bool = False) -> list[str]:
    """The kinds of messages that can be delivered, or lost."""
    steps = [each.step.message for each in node.choices]
    found = [each.message for each in steps if isinstance(each, Drop)] if losses else steps
    return sorted({each.kind for each in found if each.kind in KINDS})
