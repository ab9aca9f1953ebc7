"""The JSON of `explore`: one object, with the keys of the command line's contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pmmc_check import __version__
from pmmc_check.checker.result import Action, Result, Violation
from pmmc_check.model.model import Model, Step
from pmmc_check.protocol.messages import Instant, show
from pmmc_check.report.changes import changes
from pmmc_check.report.claims import claims_json
from pmmc_check.report.coverage import coverage, untaken
from pmmc_check.report.vacuity import vacuous
from pmmc_check.report.why import why


def result_as_json(result: Result, model: Model) -> dict[str, Any]:
    """`result` as plain dictionaries and lists."""
    answer = {
        "verdict": result.verdict,
        "config": result.config.as_dict(),
        "engine": result.engine,
        "reductions": list(result.reductions),
        "claims": claims_json(result.claims),
        "distinct_states": result.distinct_states,
        "generated_states": result.generated_states,
        "depth": result.depth or None,
        "seconds": round(result.seconds, 3),
        "states_per_second": round(result.generated_states / max(result.seconds, 1e-9)),
        "peak_memory_bytes": result.peak_memory_bytes,
        "collision_probability": result.collision_probability,
        "properties": [{"name": name, "verdict": result.invariant_verdict(name)} for name in result.invariants],
        "action_coverage": counts_as_json(coverage(result)),
        "coverage": {**_actions(untaken(result)._asdict()), "put_off": counts_as_json(result.exercised.put_off)},
        "vacuous": vacuous(result),
        "violation": violation_as_json(result.violation, model) if result.violation else None,
        "limit": result.limit,
        "version": __version__,
        "seed": result.walks.seed if result.walks else None,
    }
    if result.constraints:
        answer["constraints"] = [asdict(each) for each in result.constraints]
        answer["outside_states"] = result.outside_states
    if result.continued:
        answer["violations"] = [violation_as_json(each, model) for each in result.violations]
    if result.walks is not None:
        answer["walks"] = asdict(result.walks)
    if result.diagram is not None:
        answer["diagram"] = asdict(result.diagram)
    if result.disk is not None:
        answer["disk"] = asdict(result.disk)
    if result.crew is not None:
        answer["workers"] = asdict(result.crew)
    if result.checkpoints is not None:
        answer["checkpoints"] = asdict(result.checkpoints)
    if result.smaller_completed is not None:
        answer["smaller_completed"] = result.smaller_completed
    return answer


def counts_as_json(counts: Mapping[Action, int]) -> dict[str, int]:
    """How often each kind of step was taken, by `role message`."""
    return {f"{action.role} {action.message}": count for action, count in counts.items()}


def _actions(groups: Mapping[str, Iterable[Action]]) -> dict[str, list[str]]:
    return {name: [f"{action.role} {action.message}" for action in actions] for name, actions in groups.items()}


def violation_as_json(violation: Violation, model: Model) -> dict[str, Any]:
    """The counterexample, step by step; `index` counts from 1."""
    steps = []
    before = violation.initial
    for index, each in enumerate(violation.trace, 1):
        steps.append(
            {
                "index": index,
                "process": str(each.step.process),
                "action": each.step.message.kind,
                "message": str(each.step.message),
                "sends": _sends(each.step, model),
                "changes": [
                    {"process": str(c.process), "field": c.field, "before": show(c.before), "after": show(c.after)}
                    for c in changes(model, before, each.after)
                ],
            }
        )
        before = each.after
    loop = {"from": len(steps) - violation.loop + 1, "to": len(steps)} if violation.loop else None
    reasons = list(why(violation, model).sentences)
    return {"property": violation.invariant, "message": violation.how, "why": reasons, "loop": loop, "steps": steps}


def _sends(step: Step, model: Model) -> list[dict[str, str]]:
    """What a step puts on the network, with what the scouts and commanders send that it creates."""
    items = model.items(step.process, step.outcome.sends)
    return [{"to": str(item.to), "message": str(item.message)} for item in items if not isinstance(item.message, Instant)]
