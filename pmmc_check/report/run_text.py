"""What `run` prints for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import fill, wrap

from pmmc_check.report.layout import Layout, labelled, rendered
from pmmc_check.report.trace_text import explanation, summary
from pmmc_check.runtime.results import RunResult
from pmmc_check.trace.events import KINDS
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from pmmc_check.words import counted

_STATE_CHARACTERS_MAX = 60


def verdict_of(result: RunResult, trace: TraceVerdict | None) -> str:
    """The verdict on a run: rejected if anything that it did is wrong, inconclusive if it did not finish."""
    wrong = not result.replicas_agree or result.linearizability.holds is False or (trace is not None and trace.verdict == REJECTED)
    if wrong:
        return REJECTED
    finished = not result.failures and result.linearizability.holds is True
    return ACCEPTED if finished and (trace is None or trace.verdict == ACCEPTED) else INCONCLUSIVE


def run_text(result: RunResult, trace: TraceVerdict | None, layout: Layout, kept: bool = True, seeded: Sequence[str] = ()) -> str:
    """Throughput, latency, messages, states, and what is wrong. `kept`: the trace is there to be read; `seeded` are faults that were
    switched on."""
    counts, rate = result.counts, result.answered / result.seconds if result.seconds else 0.0
    speed = f" in {result.seconds:.2f} s, {rate:,.0f} a second" if result.answered else ""
    slots = f"{result.decided:,} decided, {counted(counts['preemptions'], 'preemption')}, {counted(counts['takeovers'], 'takeover')}"
    rows = [
        ("answered", f"{result.answered:,} of {counted(result.asked, 'request')}{_by_client(result)}{speed}"),
        *([("latency", _latency(result))] if result.answered else []),
        ("slots", slots),
        ("messages", _messages(counts)),
        *([("faults", ", ".join(f"{name} {count:,}" for name, count in sorted(result.faults.items())))] if result.faults else []),
        *([("leaders", f"{', '.join(result.leaders)} since the reconfiguration")] if result.leaders else []),
        ("replicas", _states(result)),
        ("history", _history(result)),
        ("trace", _trace(trace, kept)),
    ]
    notes = [nothing_showed(seeded)] if seeded and verdict_of(result, trace) == ACCEPTED else []
    below = [*(fill(each, layout.width) for each in notes), *run_lines(result, trace, layout.width)]
    return rendered([labelled(rows, 9)], layout) + "".join(f"{line}\n" for line in below)


def nothing_showed(seeded: Sequence[str]) -> str:
    """Of a run that passes although faults were switched on."""
    return f"note: {', '.join(seeded)} was switched on, and nothing of it has shown; try other seeds, and more faults (docs/run.md)"


def _latency(result: RunResult) -> str:
    shares = (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99))
    return ", ".join(f"{name} {result.latency(share) * 1000:,.1f} ms" for name, share in shares)


def _trace(trace: TraceVerdict | None, kept: bool) -> str:
    if trace is None:
        return "not recorded"
    return summary(trace) if kept else summary(replace(trace, file="")).removeprefix(": ")


def _by_client(result: RunResult) -> str:
    """How many of the answers each client has, where there are several."""
    answered = Counter({each.client: 0 for each in result.history})
    answered.update(each.client for each in result.history if each.result is not None)
    if len(answered) < 2:
        return ""
    least, most = min(answered.values()), max(answered.values())
    return f", {least if least == most else f'{least} to {most}'} for each of {len(answered)} clients,"


def _messages(counts: Counter[str]) -> str:
    sent = [f"{kind} {counts[f'sent {kind}']:,}" for kind in KINDS if counts[f"sent {kind}"]]
    more = [
        f"{name} {counts[name]:,}"
        for name in ("sent again", "lost on purpose", "unsent", "bad frames", "too large to send")
        if counts[name]
    ]
    return ", ".join(sent + more)


def _states(result: RunResult) -> str:
    states = set(result.states.values())
    if len(states) == 1 and len(result.states) > 1:
        return f"{', '.join(result.states)} all hold {_short(states.pop())}"
    return "; ".join(f"{name} holds {_short(state)}" for name, state in result.states.items()) or "none is left"


def _short(state: str) -> str:
    return state if len(state) <= _STATE_CHARACTERS_MAX else f"{state[: _STATE_CHARACTERS_MAX - 3]}..."


def _history(result: RunResult) -> str:
    holds = result.linearizability.holds
    verdict = "linearizable" if holds else "not linearizable" if holds is False else "too entangled to tell whether linearizable"
    return f"{counted(result.linearizability.operations, 'operation')}, {verdict}"


def seed_line(seed: int, result: RunResult, trace: TraceVerdict | None) -> str:
    """One simulated run, in one line."""
    faults = sum(result.faults.values())
    return (
        f"seed {seed}: {verdict_of(result, trace)}, {result.answered} of {result.asked} answered after {result.seconds:.1f} virtual seconds"
        f", {counted(faults, 'fault')}, {counted(trace.events if trace is not None else 0, 'event')}"
    )


def run_lines(result: RunResult, trace: TraceVerdict | None, width: int = 80) -> Iterator[str]:
    """All that is wrong with a run, in lines of so many columns where words allow."""
    for each in result.failures:
        yield from wrap(each, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    if trace is not None and trace.verdict != ACCEPTED:
        yield from explanation(trace)
