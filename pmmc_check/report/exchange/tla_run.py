"""A run that a search has found, as a module on top of PMMC.tla that can do nothing but take its steps: TLC replays it, and says where it
cannot. Each step says which message is delivered to whom, what is sent, and the states of all whom it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.model.faults import Crash, Drop, Restart
from pmmc_check.model.model import Model, State
from pmmc_check.model.network import Fifo
from pmmc_check.protocol.messages import Instant, Message
from pmmc_check.protocol.values import FAULTS, ProcessId
from pmmc_check.report.counterexample import delivered_text
from pmmc_check.report.exchange.text import one_line
from pmmc_check.report.exchange.tla_module import TLA_INVARIANTS, constant_lines
from pmmc_check.report.exchange.tla_values import STATE_VARIABLES, TlaValues, record
from pmmc_check.report.runs.of_search import sender_of
from pmmc_check.words import counted

REPLAYED = "NotReplayed"
"""The invariant of the module that is violated where the whole run has been replayed."""

REPLAY_COMMAND = "java -jar tla2tools.jar -workers 1 -deadlock Run"
"""How TLC replays it."""


@dataclass(frozen=True)
class TlaRun:
    """The module and its model file. `violates` is what TLC will say is violated at the end, where it can take all steps: the search's own
    invariant, where PMMC.tla has it, else that it is not the case that the run has been replayed."""

    module: str
    model: str
    violates: str
    steps: int


def tla_run(found: Violation, model: Model, name: str, deviations: Iterable[int] = ()) -> TlaRun:
    """The run as the module Run. `name` says what it shows; `deviations` are the numbers of steps that are not the paper's.

    Raises:
        NotExpressible: it has something that PMMC.tla does not have.
    """
    values, departs = TlaValues(model.config), sorted(deviations)
    states = [found.initial, *(each.after for each in found.trace)]
    steps = [_step(before, each, model, values) for before, each in zip(states, found.trace, strict=False)]
    violates = found.invariant if found.invariant in TLA_INVARIANTS and not departs else REPLAYED
    checked = [violates, *([REPLAYED] if violates != REPLAYED else [])]
    cfg = [
        rf"\* Start TLC in this folder: {REPLAY_COMMAND}",
        *constant_lines(model.config),
        "",
        "SPECIFICATION Replay",
        f"INVARIANTS {' '.join(checked)}",
        "",
    ]
    return TlaRun(_module(name, steps, violates, departs), "\n".join(cfg), violates, len(steps))


def _module(name: str, steps: list[str], violates: str, departs: list[int]) -> str:
    said = [name, f"{counted(len(steps), 'step')}. TLC replays the run, and says that {violates} is violated at the end: {REPLAY_COMMAND}"]
    if departs:
        said.append(
            f"But step {departs[0]} is none of the paper's protocol, which PMMC.tla is: TLC finds no error, and gets no further than "
            f"the step before, or one soon after it where the difference does not show at once."
        )
    comments = "\n".join(rf"\* {one_line(each)}" for each in said)
    listed = ",\n".join(steps)
    return f"{'-' * 20} MODULE Run {'-' * 20}\n{comments}\nEXTENDS PMMC\n\nSteps == <<\n{listed}\n>>\n{_REPLAY}"


def _step(before: State, taken: TraceStep, model: Model, values: TlaValues) -> str:
    """One element of `Steps`."""
    step, process = taken.step, taken.step.process
    message: Message | None = step.message
    kind = {Crash: "crash", Restart: "restart", Drop: "drop"}.get(type(step.message), "deliver")
    if isinstance(step.message, Drop):
        message = step.message.message
    carried = values.message(message, process) if message is not None and kind in ("deliver", "drop") else '"none"'
    sender = sender_of(model, before, taken)
    items = model.items(process, step.outcome.sends)
    sends = {values.message(each.message, each.to) for each in items if not isinstance(each.message, Instant)}
    fields = {
        "kind": f'"{kind}"',
        "message": carried,
        "to": values.process(process),
        "from": values.process(sender) if sender is not None and model.config.network == Fifo.name else '"anyone"',
        "sends": "{" + ", ".join(sorted(sends)) + "}",
    }
    after: dict[str, list[str]] = {variable: [] for variable in STATE_VARIABLES.values()}
    for each, text in _changed(before, taken.after, model, values):
        after[STATE_VARIABLES[each.role]].append(f"<<{values.who(each)}, {text}>>")
    fields |= {variable: "{" + ", ".join(pairs) + "}" for variable, pairs in after.items()}
    return f"  \\* {one_line(delivered_text(step))}\n  {record(**fields)}"


def _changed(before: State, after: State, model: Model, values: TlaValues) -> Iterator[tuple[ProcessId, str]]:
    """The new states of those whom a step changes."""
    for process, old, new in zip(model.processes, before, after, strict=True):
        if old.state != new.state and process.role in STATE_VARIABLES and process.role != FAULTS:
            yield process, values.state(process.role, new.state)


_REPLAY = r"""
VARIABLE at  \* so many steps have been taken

Ready(m, to, from) ==
    CASE Network = "duplicating" -> m \in messages /\ to \in Recipients(m)
      [] Network = "fifo" -> <<from, to>> \in DOMAIN inflight /\ Head(inflight[<<from, to>>]) = m
      [] OTHER -> <<m, to>> \in BagToSet(inflight)

Rest(m, to, from) ==
    CASE Network = "duplicating" -> inflight
      [] Network = "fifo" -> WithoutFirst(inflight, <<from, to>>)
      [] OTHER -> Without(<<m, to>>)

Taken(step) ==
    CASE step.kind = "deliver" -> /\ Ready(step.message, step.to, step.from)
                                  /\ DeliverOne(step.message, step.to, Rest(step.message, step.to, step.from))
      [] step.kind = "drop"    -> /\ Ready(step.message, step.to, step.from)
                                  /\ Drop /\ inflight' = Without(<<step.message, step.to>>)
      [] step.kind = "crash"   -> Crash /\ down' = down \cup {step.to}
      [] step.kind = "restart" -> step.to \in down /\ Restart /\ down' = down \ {step.to}

\* Each changed process is in the state that the run has, and all others are as they were.
Becomes(old, new, changed) ==
    new = [x \in DOMAIN old |-> IF \E e \in changed : e[1] = x THEN (CHOOSE e \in changed : e[1] = x)[2] ELSE old[x]]

TakeNext ==
    /\ at < Len(Steps)
    /\ at' = at + 1
    /\ LET step == Steps[at + 1]
       IN  /\ Taken(step)
           /\ sent' = step.sends
           /\ Becomes(replicas, replicas', step.replicas)
           /\ Becomes(acceptors, acceptors', step.acceptors)
           /\ Becomes(leaders, leaders', step.leaders)
           /\ Becomes(scouts, scouts', step.scouts)
           /\ Becomes(commanders, commanders', step.commanders)

Replay == Init /\ at = 0 /\ [][TakeNext]_<<vars, at>>

\* Violated when the whole run has been replayed: then TLC prints it, state by state.
NotReplayed == at < Len(Steps)

=============================================================================
"""
