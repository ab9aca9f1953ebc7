"""The JSON of `explore --slots any`: one object. Where a part was not reached its key is null."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pmmc_check import __version__
from pmmc_check.checker.any_slots.replica_part import ReplicaResult, ReplicaViolation
from pmmc_check.checker.any_slots.search import AnySlotsResult, Confirmation
from pmmc_check.checker.result import Result
from pmmc_check.protocol.messages import show
from pmmc_check.report.any_slots_words import covered, not_covered, still_bounded
from pmmc_check.report.claims import claims_json
from pmmc_check.report.coverage import coverage
from pmmc_check.report.explore_json import counts_as_json, violation_as_json


def any_slots_as_json(result: AnySlotsResult) -> dict[str, Any]:
    """`result` as plain dictionaries and lists."""
    shown = result.confirmation.shown if result.confirmation else None
    return {
        "verdict": result.verdict,
        "slots": "any",
        "acceptors": result.scope.config.acceptors,
        "quorums": list(result.scope.config.quorums),
        "ballots": result.scope.ballots,
        "leaders": None if result.scope.ballotwise else result.scope.config.leaders,
        "rounds": None if result.scope.ballotwise else result.scope.config.rounds,
        "covered": covered(result),
        "bounded": still_bounded(result),
        "not_covered": not_covered(),
        "invariants": list(result.invariants),
        "premises": {
            "checked": [asdict(each) for each in result.premises.results],
            "systems": result.premises.systems,
            "local_steps": result.premises.local_steps,
            "complete": result.premises.complete,
        },
        "one_slot": _one_slot(result.one_slot),
        "replica": _replica(result.replica) if result.replica else None,
        "confirmation": _confirmation(result.confirmation) if result.confirmation else None,
        "violation": violation_as_json(shown[0].violation, shown[1]) if shown and shown[0].violation else None,
        "seconds": {part: round(seconds, 3) for part, seconds in result.seconds.items()},
        "limit": result.limit,
        "notes": list(result.notes),
        "version": __version__,
    }


def _one_slot(part: Result) -> dict[str, Any]:
    return {
        "verdict": part.verdict,
        "engine": part.engine,
        "reductions": list(part.reductions),
        "distinct_states": part.distinct_states,
        "generated_states": part.generated_states,
        "depth": part.depth or None,
        "peak_memory_bytes": part.peak_memory_bytes,
        "collision_probability": part.collision_probability,
        "claims": claims_json(part.claims),
        "action_coverage": counts_as_json(coverage(part)),
        "property": part.violation.invariant if part.violation else None,
        "limit": part.limit,
    }


def _confirmation(confirmation: Confirmation) -> dict[str, Any]:
    config = confirmation.shown[0].config.as_dict() if confirmation.shown else None
    return {"tried": [each.as_dict() for each in confirmation.tried], "config": config}


def _replica(part: ReplicaResult) -> dict[str, Any]:
    return {
        "verdict": part.verdict,
        "bounds": asdict(part.bounds),
        "distinct_states": part.states,
        "generated_states": part.steps,
        "depth": part.depth or None,
        "invariants": list(part.invariants),
        "violation": _run(part.violation) if part.violation else None,
    }


def _run(violation: ReplicaViolation) -> dict[str, Any]:
    return {
        "property": violation.invariant,
        "message": violation.how,
        "window": violation.window,
        "steps": [
            {
                "index": index,
                "process": str(violation.replica),
                "message": str(step.message),
                "state": show(step.outcome.state),
                "sends": [{"to": str(send.to), "message": str(send.message)} for send in step.outcome.sends],
            }
            for index, step in enumerate(violation.run, 1)
        ],
    }
