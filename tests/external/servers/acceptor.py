"""An acceptor as a step server, without any library; the first argument says how it misbehaves, the second where to note its process.

`well` does not misbehave. Most others begin to with the first step that they are asked for."""

import json
import os
import signal
import subprocess
import sys
import time


def hello(way):
    offers = {
        "hello-without-role": {"symmetric": True},
        "hello-unknown-role": {"role": "aceptor"},
        "hello-unknown-key": {"role": "acceptor", "symetric": True},
        "hello-twice-a-role": {"roles": [{"role": "acceptor"}, {"role": "acceptor"}]},
    }
    more = {"asked-with": "history"} if way in ("several-outcomes-by-history", "hides-what-matters") else {}
    return offers.get(way) or {"role": "acceptor", "name": "PyAcceptor", "symmetric": True, "only_halts": True, "restarts": True, **more}


def ballot(text):
    if text == "-":
        return (-1, 0)
    number, leader = text.split(".L")
    return (int(number), int(leader))


def stepped(state, message):
    at, accepted, b = state["ballot"], state["accepted"], message["b"]
    if message["msg"] == "p1a":
        at = max(at, b, key=ballot)
        sends = [{"to": b, "msg": "p1b", "b": at, "accepted": accepted}]
    else:
        if b == at:
            accepted = sorted({*accepted, f"{b}/{message['s']}/{message['c']}"})
        sends = [{"to": f"{b}/{message['s']}", "msg": "p2b", "b": at}]
    return {"state": {"ballot": at, "accepted": accepted}, "sends": sends}


def replayed(history):
    state = {"ballot": "-", "accepted": []}
    for message in history:
        state = state if message["msg"] == "restart" else stepped(state, message)["state"]
    return state


def nested(depth):
    return [nested(depth - 1)] if depth else []


def misbehaves(way, asked, outcome):
    """Another answer than the right one, as a line; None: the right one."""
    number = asked["id"]
    wrong_states = {
        "state-with-a-fraction": {"weight": 0.5},
        "state-nested-deeply": {"deep": nested(100)},
        "ballot-as-a-number": {"ballot": 1},
        "accepted-as-a-text": {"accepted": "0.L1/1/C1:1:op1"},
        "accepted-of-ballots": {"accepted": ["0.L1"]},
    }
    wrong_sends = {
        "sends-to-nobody": {"to": "7.L1", "msg": "p1b", "b": "0.L1", "accepted": []},
        "sends-to-no-name": {"to": "acceptor 1", "msg": "p1b", "b": "0.L1", "accepted": []},
        "sends-unknown-message": {"to": "0.L1", "msg": "promise", "b": "0.L1"},
        "sends-without-field": {"to": "0.L1", "msg": "p1b", "b": "0.L1"},
        "sends-a-wrong-ballot": {"to": "0.L1", "msg": "p2b", "b": "first"},
    }
    lines = {
        "answers-with-a-list": "[1, 2]",
        "no-outcomes": json.dumps({"id": number}),
        "empty-outcomes": json.dumps({"id": number, "outcomes": []}),
        "unknown-key": json.dumps({"id": number, "outcomes": [{"state": {}, "send": []}]}),
        "no-sends": json.dumps({"id": number, "outcomes": [{"state": outcome["state"]}]}),
        "neither-state-nor-exit": json.dumps({"id": number, "outcomes": [{"sends": []}]}),
        "several-outcomes-by-history": json.dumps({"id": number, "outcomes": [outcome, {**outcome, "sends": []}]}),
        "wrong-id": json.dumps({"id": number + 1000, "outcomes": [outcome]}),
        "no-id": json.dumps({"outcomes": [outcome]}),
        "answers-twice": "\n".join([json.dumps({"id": number, "outcomes": [outcome]})] * 2),
        "logs-to-stdout": "INFO starting to think\n" + json.dumps({"id": number, "outcomes": [outcome]}),
        "half-a-line": None,
    }
    if way in wrong_states:
        return json.dumps({"id": number, "outcomes": [{**outcome, "state": {**outcome["state"], **wrong_states[way]}}]})
    if way in wrong_sends:
        return json.dumps({"id": number, "outcomes": [{**outcome, "sends": [wrong_sends[way]]}]})
    if way == "answers-at-random":
        return json.dumps(
            {"id": number, "outcomes": [{"state": {**outcome["state"], "seen": time.monotonic_ns()}, "sends": outcome["sends"]}]}
        )
    return lines.get(way)


def does_harm(way, asked):
    """What no line can say."""
    if way in ("late", "hangs"):
        time.sleep(60)
    elif way == "half-a-line":
        os.write(1, b'{"id": 3, "outco')
        time.sleep(60)
    elif way == "exits":
        print("giving up", file=sys.stderr)
        sys.exit(3)
    elif way == "exits-with-0":
        sys.exit(0)
    elif way == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif way == "aborts":
        os.abort()
    elif way == "panics":
        raise AssertionError("the ballot must not be 0.L1")
    elif way == "closes-stdout":
        os.close(1)
        time.sleep(60)
    elif way == "huge-line":
        for _ in range(17):
            sys.stdout.write("x" * 2**20)
    elif way == "invalid-utf-8":
        sys.stdout.buffer.write(b'{"id": \xff\xfe}\n')
        sys.stdout.buffer.flush()


def main():
    way, noted = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    if noted:
        with open(noted, "a") as file:
            file.write(f"{os.getpid()}\n")
    if way == "dies-at-once":
        print("cannot read the configuration", file=sys.stderr)
        sys.exit(3)
    if way == "outlives-its-input":
        subprocess.Popen(["sleep", "60"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        if way.startswith("hello-hangs"):
            time.sleep(60)
        if asked["ask"] == "hello":
            answer = {"id": asked["id"], **hello(way)}
            print(json.dumps(answer), flush=True)
            continue
        state = replayed(asked["history"]) if "history" in asked else asked.get("state", {"ballot": "-", "accepted": []})
        outcome = {"state": state, "sends": []} if asked["ask"] != "step" else stepped(state, asked["message"])
        if way == "hides-what-matters":
            outcome["state"] = {"accepted": outcome["state"]["accepted"], "ballot": "0.L1"}
        wrong = None
        if asked["ask"] == "step":
            if way == "asserts":
                print(json.dumps({"id": asked["id"], "error": "ballot must not be 0.L1"}), flush=True)
                continue
            does_harm(way, asked)
            wrong = misbehaves(way, asked, outcome)
        print(wrong or json.dumps({"id": asked["id"], "outcomes": [outcome]}), flush=True)
    if way == "outlives-its-input":
        time.sleep(60)


if __name__ == "__main__":
    main()
