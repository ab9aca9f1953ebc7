"""Judges one trace: reads it, replays it, searches where replay cannot tell, and collects facts.

Facts (what the logs say by themselves) are collected where no run was found, to say what is wrong; and under a variant also where one was,
since a legal run of a faulty protocol may break every invariant. Of a legal run of the paper's protocol they would say nothing new: what a
complete log shows are the states and messages of that very run, each made by the paper's step functions, and no run of theirs breaks
an invariant. That is what the paper proves and `explore` checks; reading a long trace twice would not make it surer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.values import LEADER, NOOP, REPLICA, ProcessId
from pmmc_check.protocol.variants.optimised import FillHoles
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import COMPLETE, DROP, KINDS, MIDDLE, NONE, RECEIVE, SEND, UNKNOWN, Event, Header, Names
from pmmc_check.trace.readers.reader import Trace, open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.trace.system import system_of
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.citation import place_of, violation_of
from pmmc_check.validation.decisions_only import DecisionsOnly, Unusual, rejection, shows_decisions_only
from pmmc_check.validation.habits import LIST, as_legal_runs, may_propose_later, proposes_late
from pmmc_check.validation.lazy_replica import LazyReplica
from pmmc_check.validation.memory_limit import MemoryLimit, MemoryLimitReached
from pmmc_check.validation.performing import Performing
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.rare_collections import rare_collections
from pmmc_check.validation.recorded_facts import Facts
from pmmc_check.validation.replay.covered import CoveredReplay
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.evidence import Evidence
from pmmc_check.validation.replay.explain import failure_of
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.search.search import SearchBudget, TraceSearch
from pmmc_check.validation.unfounded import Finding, Grounds
from pmmc_check.validation.verdict import BranchCounts, CitedViolation, Failure, TraceVerdict
from pmmc_check.validation.workers import accepted_together
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, INCONCLUSIVE, REJECTED

_NOOP = "noop occurs, which the paper's leaders never propose; if yours fill holes with it, judge with --variant fill-holes"
_QUORUMS_APART = "its quorums need not have an acceptor in common, so legal runs may break invariants"
_NEAR, _LOGS_ALONE = 6, 8
_FROM_THE_START = "a complete log begins with its process, and this one does not"
_OF_THE_BEGINNING = ("R2", "R3", "R5")
_LATER = "with requests=list it is left open when a replica proposes a request, or one that has lost its slot, and not all is tried"
_FACTS_HOLD = "; what is recorded breaks no invariant"


@dataclass(frozen=True)
class JudgeOptions:
    """How to judge. `search_events_max`: longer traces are not searched; they would have to be held in memory. `memory_bytes_max`: what
    judging one trace may take beyond what the process has already; None is no limit.

    `protocol` may be a variant's; `variants` are their names, and `waived` the invariants that they change on purpose. `coverage`:
    the branches of the protocol that accepted runs take are counted, too. `processes`: so many beside this one may replay a trace in parts;
    the verdict is the same.
    """

    budget: SearchBudget = field(default_factory=SearchBudget)
    search_events_max: int = 20_000
    memory_bytes_max: int | None = None
    protocol: Protocol | None = None
    variants: tuple[str, ...] = ()
    waived: frozenset[str] = frozenset()
    coverage: bool = False
    processes: int = 1


def judge(source: Source, options: JudgeOptions | None = None, report: Callable[[str], None] | None = None) -> TraceVerdict:
    """The verdict on one trace; what cannot be read is a verdict too (`BAD_INPUT`), so that other traces still get theirs.

    `report` is told now and then how far it is, in a few words.
    """
    started = time.perf_counter()
    try:
        with rare_collections():
            verdict = _Judge(source, options or JudgeOptions(), report).verdict()
    except TraceError as error:
        verdict = TraceVerdict(str(source.path), BAD_INPUT, reason=str(error))
    except RecursionError:
        verdict = TraceVerdict(str(source.path), INCONCLUSIVE, reason="the trace is too deeply entangled for this machine's stack")
    except MemoryLimitReached as reached:
        verdict = TraceVerdict(str(source.path), INCONCLUSIVE, reason=str(reached))
    except MemoryError:
        verdict = TraceVerdict(str(source.path), INCONCLUSIVE, reason="memory ran out; judge it alone (--jobs 1), or on a larger machine")
    return replace(verdict, seconds=time.perf_counter() - started)


class _Reading:
    """How far the files of a trace have been read."""

    def __init__(self, source: Source, report: Callable[[str], None], memory: MemoryLimit) -> None:
        self._report, self._what, self._bytes, self.memory = report, "", 0, memory
        self._files = source.parts or (source.path,)

    def begin(self, what: str) -> None:
        """From the beginning."""
        self._what, self._bytes = what, 0
        self._total = sum(each.stat().st_size for each in self._files if each.exists())
        self._report(what)

    def read(self, count: int) -> None:
        """So many bytes more. Raises `MemoryLimitReached`."""
        self.memory.check()
        self._bytes += count
        self._report(f"{self._what}, {self._bytes / 2**20:,.1f} of {self._total / 2**20:,.1f} MiB read")


class _Judge:
    def __init__(self, source: Source, options: JudgeOptions, report: Callable[[str], None] | None) -> None:
        self.source, self.options = source, options
        self.reading = _Reading(source, report or (lambda text: None), MemoryLimit(options.memory_bytes_max))
        self.file = str(source.path)
        self.protocol = options.protocol or PMMC
        self.late = False
        """Whether replicas are replayed that propose when their logs say so."""
        self.lazy = False
        """Whether the search has such replicas as well."""
        self._values: list[Values] = []
        """Those of each opening of the trace."""
        self.heard: set[str] = set()
        """The logs that have events; known once the trace was read to its end."""
        self.counted: BranchCounts | None = None

    def _open(self, what: str, names: Names | None = None) -> Trace:
        """Opens the trace for `what` is to be done."""
        self.reading.begin(what)
        trace = open_trace(self.source.path, self.source.parts, names=names, on_read=self.reading.read)
        self._values.append(trace.values)
        return trace

    def _events(self, trace: Trace, searched: bool = False) -> Iterator[Iterator[Event]]:
        """The events as PMMC's own processes would have had them, or ones that propose when their logs say so (`late`)."""
        return as_legal_runs(trace.events(), trace.header, self.late and not searched)

    def verdict(self) -> TraceVerdict:
        """The verdict, with notes on logs that promise events and have none."""
        trace = self._open("replaying")
        self.late = proposes_late(trace.header, self.protocol)
        self.lazy = self.late and trace.header.requests != LIST
        simple = shows_decisions_only(trace.header) and self.protocol is PMMC and trace.header.quorums_meet and not self.options.coverage
        verdict = self._by_decisions(trace) if simple else None
        if verdict is None and (found := self._in_processes()) is not None:
            verdict, trace = found
        verdict = verdict or self._by_replay(self._open("replaying") if simple else trace)
        changed = (f"judged by the protocol with {', '.join(self.options.variants)}",) if self.options.variants else ()
        noop = (_NOOP,) if self._has_stray_noop(trace) and verdict.verdict != ACCEPTED else ()
        if self._is_unclear(verdict) and may_propose_later(self._open("looking at lost slots", trace.names).events(), trace.header):
            verdict = self._with_late_proposals(verdict, trace.names)
        verdict = self._performed(verdict, trace.names)
        apart = () if trace.header.quorums_meet else (_QUORUMS_APART,)
        late = self._late(trace)
        middle = (f"{','.join(late)} began before the log: what was before is taken as given, and the log at its word",) if late else ()
        if verdict.verdict == ACCEPTED:
            verdict = replace(verdict, coverage=self.counted)
        return replace(verdict, notes=(*middle, *changed, *apart, *noop, *silent_logs(trace.header, trace.names, self.heard)))

    def _performed(self, verdict: TraceVerdict, names: Names) -> TraceVerdict:
        """The verdict with what the logs say of performing: it has no part in a replay, so it is looked at in a reading of its own."""
        if verdict.verdict == REJECTED or not any(each.has_performs for each in self._values):
            return verdict
        trace = self._open("looking at what was performed", names)
        fault = next(Performing(trace.header, names).faults(trace.streams), None)
        if fault is None:
            return verdict
        return replace(
            verdict, verdict=REJECTED, failure=fault.failure(DslWriter(trace.values)), reason=None, method="facts", legal_run=False
        )

    def _is_unclear(self, verdict: TraceVerdict) -> bool:
        """Whether a replica that proposes late may have had this run: what such replicas cannot have is final."""
        final = self.late and (self.lazy or verdict.method != "search")
        return verdict.verdict == REJECTED and not (verdict.legal_run or verdict.violations or final)

    def _with_late_proposals(self, verdict: TraceVerdict, names: Names) -> TraceVerdict:
        """The verdict where a command that has lost its slot may be proposed again at any time."""
        if not self.late:
            self.late = True
            verdict = self._by_replay(self._open("replaying with late proposals", names))
        return replace(verdict, verdict=INCONCLUSIVE, failure=None, reason=_LATER) if self._is_unclear(verdict) else verdict

    def _by_decisions(self, trace: Trace) -> TraceVerdict | None:
        """The verdict on logs that show decisions only; None where they are unusual."""
        decisions = DecisionsOnly(trace.header, trace.names)
        try:
            stuck = decisions.run(trace.events())
        except Unusual:
            return None
        if not decisions.events:
            raise self._nothing_to_judge()
        self.heard.update(decisions.heard)
        if stuck is None:
            return TraceVerdict(self.file, ACCEPTED, decisions.events, method="decisions", legal_run=True)
        writer = DslWriter(Values(trace.names))
        failure = Failure(place_of(stuck, writer), *rejection(stuck, trace.header.window))
        return TraceVerdict(self.file, REJECTED, decisions.events, self._facts(names=trace.names)[1], failure, method="decisions")

    def _nothing_to_judge(self) -> TraceError:
        return TraceError(self.file, 0, 0, "has a header but no events, so there is nothing to judge; check what was recorded")

    def _in_processes(self) -> tuple[TraceVerdict, Trace] | None:
        """The acceptance of a trace in parts by several processes, if it comes to that."""
        if self.options.processes < 2 or not self.source.parts or self.protocol is not PMMC or self.options.coverage:
            return None
        trace = self._open(f"replaying in {self.options.processes} processes")
        accepted = accepted_together(trace, self.source, self.options.processes, self.late, self.reading)
        if accepted is None:
            self.reading.memory = MemoryLimit(self.options.memory_bytes_max)  # what was tried is gone
            return None
        self.heard.update(accepted.heard)
        trace.values.has_performs = accepted.has_performs
        return self._found(accepted.events, trace), trace

    def _by_replay(self, trace: Trace) -> TraceVerdict:
        """Replay first; then search, if replay could not tell."""
        replay = (CoveredReplay if self.options.coverage else Replay)(trace.header, trace.names, self.protocol, late=self.late)
        ambiguity = None
        try:
            replay.run(self._events(trace))
            self.heard.update(replay.heard)
            self.counted = replay.counts if isinstance(replay, CoveredReplay) else None
        except Rejected as rejected:
            ambiguity = self._guess(replay)
            if ambiguity is None:
                return self._rejected(replay, rejected)
            if (certain := self._by_relaxed_replay(replay)) is not None:
                return certain
        except Ambiguous as ambiguous:
            ambiguity = str(ambiguous)
        if ambiguity is None and not replay.events:
            raise self._nothing_to_judge()
        if ambiguity is None and replay.exact:
            return self._found(replay.events, trace)
        if self._has_stray_noop(trace):
            return self._with_stray_noop(replay.names)
        if ambiguity is not None and (alone := self._alone(replay.names, map(replay.diagnosis.show, replay.promises.replayed))) is not None:
            return self._rejected(*alone)
        if self._late(trace):
            return self._from_the_middle(trace, ambiguity)
        return self._by_search(ambiguity)

    def _late(self, trace: Trace) -> list[str]:
        """The logs that begin in the middle."""
        return [name for name, contract in trace.header.logs.items() if contract.form == MIDDLE]

    def _from_the_middle(self, trace: Trace, ambiguity: str | None) -> TraceVerdict:
        """The verdict where something began before it was recorded: no run from the start can be searched for, but facts are facts."""
        count, violations = self._facts(names=trace.names)
        if violations:
            return TraceVerdict(self.file, REJECTED, count, violations, method="facts")
        if ambiguity is not None:
            return TraceVerdict(self.file, INCONCLUSIVE, count, reason=ambiguity + _FACTS_HOLD, method="facts")
        return TraceVerdict(self.file, ACCEPTED, count, method="facts")

    def _by_relaxed_replay(self, guessing: Replay) -> TraceVerdict | None:
        """The rejection of logs that even leaders who may do more than the paper's cannot have, if it comes to that."""
        guesses = guessing.promises.leaves_out_calls or guessing.header.ballots == "any"
        if not guesses or self.protocol[LEADER] is not PMMC[LEADER]:
            return None
        trace = self._open("replaying with any leaders", guessing.names)
        replay = Replay(trace.header, trace.names, self.protocol, relaxed=True, late=self.late)
        try:
            replay.run(self._events(trace))
        except Rejected as rejected:
            return None if self._guess(replay) else self._rejected(replay, rejected)
        except Ambiguous:
            pass
        return None

    def _has_stray_noop(self, trace: Trace) -> bool:
        """Whether the trace, as far as it was read, has a no-op that no leader of this protocol proposes."""
        return trace.values.has_noop and not issubclass(self.protocol[LEADER], FillHoles)

    def _with_stray_noop(self, names: Names) -> TraceVerdict:
        """The rejection of a trace that replays, but for what nobody has recorded of a no-op."""
        strays: list[Event] = []
        count, violations = self._facts(lambda event: strays.append(event) if not strays and _names_noop(event) else None, names)
        failure = Failure(
            place_of(strays[0], DslWriter(Values(names))),
            "what is proposed, accepted or decided was requested by a client, or is a no-op of a leader that fills holes",
            "a command of some client",
            "noop",
        )
        return TraceVerdict(self.file, REJECTED, count, violations, failure)

    def _found(self, events: int, trace: Trace) -> TraceVerdict:
        """The verdict on a trace that a legal run shows; only a changed protocol, or one whose quorums need not meet, has legal runs
        that break an invariant."""
        safe = self.protocol is PMMC and trace.header.quorums_meet
        violations = () if safe else self._facts(names=trace.names)[1]
        return TraceVerdict(self.file, REJECTED if violations else ACCEPTED, events, violations, legal_run=True)

    def _guess(self, replay: Replay) -> str | None:
        """What the replay had to guess: another guess might have led to its end, so that its rejection is not final."""
        if replay.guessed:
            return replay.guessed
        if replay.header.duplicates:
            return None
        named: set[tuple[ProcessId, str]] = set()
        unnamed: set[tuple[ProcessId, str]] = set()
        for stream in self._open("looking at receives").events():
            for event in stream:
                if event.action in (RECEIVE, DROP) and event.message is not None:
                    (unnamed if event.peers is None else named).add((event.process, event.message.kind))
        return "some receives of one kind name their sender and others do not" if named & unnamed else None

    def _alone(self, names: Names, logs: Iterable[str]) -> tuple[Replay, Rejected] | None:
        """Of logs that stand still, one that contradicts the protocol by itself, whatever the others do: the fault is there."""
        for log in sorted(logs)[:_LOGS_ALONE]:
            trace = self._open(f"looking at {log} alone", names)
            host = names.log_of(trace.values.process(log))
            header = replace(trace.header, logs={host: trace.header.contract(host)})
            leader_is_known = self.protocol[LEADER] is PMMC[LEADER]
            replay = Replay(header, names, self.protocol, relaxed=leader_is_known, late=self.late)
            try:
                replay.run((event for event in stream if names.log_of(event.process) == host) for stream in self._events(trace))
            except Rejected as rejected:
                if not replay.guessed and not rejected.mismatch.stands_still:
                    return replay, rejected
            except Ambiguous:
                continue
        return None

    def _rejected(self, replay: Replay, rejected: Rejected) -> TraceVerdict:
        if rejected.mismatch.stands_still:
            others = set(replay.blocked) - {rejected.mismatch.event.log}
            replay, rejected = self._alone(replay.names, others) or (replay, rejected)
        evidence = Evidence(rejected.mismatch, replay.names, replay.recent)
        count, violations = self._facts(evidence.add, replay.names)
        failure = failure_of(replay, rejected.mismatch, evidence.events())
        if rejected.mismatch.begins_late:
            who = replay.names.log_of(rejected.mismatch.event.process)
            failure = replace(
                failure, rule=_FROM_THE_START, expected=f"the log of {who} from its start, or `log {who} {MIDDLE}` in the header"
            )
            violations = tuple(each for each in violations if each.invariant not in _OF_THE_BEGINNING)
        return TraceVerdict(self.file, REJECTED, count, violations, failure)

    def _facts(self, witness: Callable[[Event], None] | None = None, names: Names | None = None) -> tuple[int, tuple[CitedViolation, ...]]:
        """Reads the trace again to its end; returns the number of events and the violations in the facts. `witness` sees all events."""
        facts, count, writer = self._collected(None, witness, names)
        if facts.disputed:
            facts, count, writer = self._collected(facts.disputed, None, names)
        return count, tuple(violation_of(each, writer) for each in facts.violations() if each.invariant not in self.options.waived)

    def _collected(
        self, slots: Collection[int] | None, witness: Callable[[Event], None] | None, names: Names | None
    ) -> tuple[Facts, int, DslWriter]:
        trace = self._open("judging facts", names)
        facts, count = Facts(trace.header, trace.names, system_of(trace.header, trace.names), slots), 0
        for stream in trace.events():
            for event in stream:
                facts.add(event)
                self.heard.add(event.log)
                count += 1
                if witness is not None:
                    witness(event)
        return facts, count, DslWriter(trace.values)

    def _unfounded(self, grounds: Grounds, names: Names) -> Failure | None:
        """Reads the trace again, for what has no ground in it; of several the one that the others may come from."""
        found: list[tuple[Any, Finding]] = []
        for stream in self._open("looking for what has no ground", names).events():
            for event in stream:
                lacking = grounds.lacking(event)
                if lacking is not None:
                    rank = KINDS.index(event.message.kind), event.action != SEND  # type: ignore[union-attr]  # events without a message lack nothing
                    found = min(found, [(rank, lacking)], key=lambda each: each[0][0]) if found else [(rank, lacking)]
        if not found:
            return None
        (_, finding), writer = found[0], DslWriter(Values(names))
        near = [event for stream in self._open("looking for its reasons", names).events() for event in stream if finding.concerns(event)]
        past = tuple(place_of(each, writer, finding.slot or None) for each in near[:_NEAR])
        return Failure(place_of(finding.event, writer), finding.rule, finding.expected, finding.observed, past=past)

    def _by_search(self, ambiguity: str | None) -> TraceVerdict:
        trace = self._open("preparing the search")
        limit = self.options.search_events_max
        events = list(islice((event for stream in self._events(trace, searched=not self.lazy) for event in stream), limit + 1))
        if not events:
            raise self._nothing_to_judge()
        grounds = Grounds(trace.names, system_of(trace.header, trace.names), Promises(trace.header, trace.names), self.protocol)
        count, violations = self._facts(grounds.add, trace.names)
        failure = self._unfounded(grounds, trace.names)
        if violations or failure is not None:
            return TraceVerdict(self.file, REJECTED, count, violations, failure, method="facts")
        if len(events) > limit:
            most = f"the search takes at most {limit} events (--search-events), and the trace has {count}"
            reason = f"{most}; record complete logs, or cut the trace"
            return TraceVerdict(self.file, INCONCLUSIVE, count, reason=reason + _FACTS_HOLD, method="search")
        self.reading.begin("searching for a legal run")
        protocol = {**self.protocol, REPLICA: LazyReplica} if self.lazy else self.protocol
        search = TraceSearch(trace.header, trace.names, events, self.options.budget, protocol, memory=self.reading.memory)
        answer = search.run()
        if answer.verdict == ACCEPTED:
            return TraceVerdict(self.file, ACCEPTED, count, method="search", states=answer.states, legal_run=True)
        if answer.verdict == REJECTED:
            if (alone := self._alone(trace.names, answer.stuck)) is not None:
                return replace(self._rejected(*alone), method="search", states=answer.states)
            return TraceVerdict(self.file, REJECTED, count, failure=answer.failure, method="search", states=answer.states)
        why = f"{ambiguity}; " if ambiguity else ""
        return TraceVerdict(self.file, INCONCLUSIVE, count, reason=why + answer.reason + _FACTS_HOLD, method="search", states=answer.states)


def _names_noop(event: Event) -> bool:
    """Whether an event names the no-op as a command, or in a set of pvalues."""
    message: Any = event.message
    sets = [getattr(message, name, UNKNOWN) for name in ("accepted", "pvalues")]
    sets += [value for key, value in event.post or () if key == "accepted"]
    pvalues = chain.from_iterable(each for each in sets if each is not UNKNOWN)
    return getattr(message, "command", None) == NOOP or any(pvalue.command == NOOP for pvalue in pvalues)


def silent_logs(header: Header, names: Names, heard: set[str]) -> Iterator[str]:
    """Notes on logs that promise events and have none. That is legal, since a process may crash at once, but often a file is missing."""
    values = Values(names)
    hosts = {names.log_of(values.process(log)) for log in heard}
    silent: dict[str, list[str]] = {}
    for name, contract in header.logs.items():
        if contract.form != NONE and name not in hosts:
            kinds = str(contract).removeprefix(contract.form).strip()
            silent.setdefault("a complete log" if contract.form == COMPLETE else f"every {kinds}", []).append(name)
    for promise, listed in silent.items():
        verb, has = ("promises", "has") if len(listed) == 1 else ("promise", "have")
        yield f"{','.join(listed)} {verb} {promise} but {has} no events: legal after a crash at the start; otherwise something is missing"
