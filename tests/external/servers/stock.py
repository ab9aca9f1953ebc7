"""A step server that plays the paper's roles, those that its command line names: `python stock.py acceptor leader`. With `--memory` it
keeps states to itself, and answers by replaying what a process has received; `--claims` states the paper's claims."""

import json
import sys
from typing import Any

from pmmc_check.external.json_values import as_json, message_as_json, message_in, state_in
from pmmc_check.external.texts import command_in, name_in, process_in
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import Start
from pmmc_check.protocol.role import CLAIMS, Configuration, Lifecycle, Outcome, Role, System, states_claim


def system_in(given: dict[str, Any]) -> System:
    sets = tuple(Configuration(names(each["leaders"]), names(each["acceptors"])) for each in given["configurations"])
    return System(
        clients=names(given["clients"]),
        replicas=names(given["replicas"]),
        leaders=tuple(name for each in sets for name in each.leaders),
        acceptors=tuple(name for each in sets for name in each.acceptors),
        commands=tuple(map(command_in, given["commands"])),
        configurations=sets,
        quorum1=given["configurations"][0]["quorum1"],
        quorum2=given["configurations"][0]["quorum2"],
        window=given["window"],
        slots=given["slots"],
        rounds=given["rounds"],
    )


def names(given: list[str]) -> Any:
    return tuple(map(name_in, given))


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    after = {"exited": True} if outcome.state is Lifecycle.EXITED else {"state": as_json(outcome.state)}
    return {**after, "sends": [{"to": as_json(to), **sent(message)} for to, message in outcome.sends]}


def sent(message: Any) -> dict[str, Any]:
    if isinstance(message, Start):
        return {"msg": "start"} if message.command is None else {"msg": "start", "c": as_json(message.command)}
    return message_as_json(message)


def replayed(role: Role, asked: dict[str, Any]) -> Any:
    state = role.start(command_in(asked["command"]) if "command" in asked else None).state
    for each in asked["history"]:
        if each["msg"] == "restart":
            state = role.restart(state).state
        else:
            (outcome,) = role.step(state, message_in(role.me, each))
            state = outcome.state
    return state


def answer(asked: dict[str, Any], played: list[str], options: set[str]) -> dict[str, Any]:
    if asked["ask"] == "hello":
        offers = []
        for role in played:
            claims = {claim: True for claim in CLAIMS if "--claims" in options and states_claim(PMMC[role], claim)}
            restarts = {"restarts": True} if PMMC[role].restart is not Role.restart else {}
            offers.append({"role": role, **restarts, **claims, **({"asked-with": "history"} if "--memory" in options else {})})
        return {"roles": offers}
    me = process_in(asked["me"])
    role = PMMC[me.role](me, system_in(asked["system"]))
    if asked["ask"] == "start":
        return {"outcomes": [outcome_as_json(role.start(command_in(asked["command"]) if "command" in asked else None))]}
    state = replayed(role, asked) if "history" in asked else state_in(me.role, asked["state"], frozenset())
    if asked["ask"] == "restart":
        return {"outcomes": [outcome_as_json(role.restart(state))]}
    return {"outcomes": [outcome_as_json(each) for each in role.step(state, message_in(me, asked["message"]))]}


def main() -> None:
    played = [each for each in sys.argv[1:] if not each.startswith("--")]
    options = {each for each in sys.argv[1:] if each.startswith("--")}
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"id": asked["id"], **answer(asked, played, options)}), flush=True)


if __name__ == "__main__":
    main()
