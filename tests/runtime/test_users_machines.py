"""Whatever a state machine of a user's does while it is loaded or called, the exit code and the message tell: 2 and what it did, once; and
what it prints goes to stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, environment, in_process, options

from pmmc_check.errors import MachineError
from pmmc_check.runtime.history import Asked, linearizable
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.users_machine import machine_watched, shown_state

from .test_clusters import cluster_file

GOOD = {
    "initial": "return 0",
    "apply": "return state + 1, str(state + 1)",
    "key": "return None",
    "sample": "return 'next'",
}
ARGUMENTS = {"initial": "", "apply": ", state, operation", "key": ", operation", "sample": ", choose"}
SIZE = ["run", "--quiet", *options(clients=2, replicas=2, leaders=1, acceptors=1, requests=2), "--machine", "mine:Mine"]
SIMULATED = [*SIZE, "--simulated"]


def written(folder: Path, head: str = "", **bodies: str) -> None:
    """A module `mine` with a machine `Mine`, of which these methods are not as they should be; `head` is the module's beginning."""
    lines = ["import os, sys, threading", "from dataclasses import dataclass", *head.splitlines(), "class Mine:"]
    for name, body in (GOOD | bodies).items():
        arguments = ARGUMENTS.get(name, "" if body != "needs an argument" else ", argument")
        lines += [f"    def {name}(self{arguments}):", f"        {body if body != 'needs an argument' else 'pass'}"]
    (folder / "mine.py").write_text("\n".join([*lines, ""]), encoding="utf-8")


WRONG = {
    "apply raises": (
        {"apply": "raise ValueError('no')"},
        "machine mine:Mine: apply raised ValueError: no (apply in mine.py, line 7); ",
    ),
    "apply ends the process": ({"apply": "os._exit(0)"}, "machine mine:Mine: apply raised EndsProcess: os._exit would end the process"),
    "apply calls sys.exit": ({"apply": "sys.exit(0)"}, "apply tried to end the process: sys.exit(0) (apply in mine.py, line 7)"),
    "apply recurses without end": ({"apply": "return self.apply(state, operation)"}, "apply raised RecursionError"),
    "apply returns nothing": (
        {"apply": "pass"},
        "apply returned None; expected a pair, the state after and the result; does it end",
    ),
    "apply returns a number as the result": (
        {"apply": "return state + 1, state + 1"},
        "apply returned as the result 1: expected a text (str), got int; the operation is 'next'",
    ),
    "apply returns the result only": ({"apply": "return 'ok'"}, "apply returned 'ok'; expected a pair"),
    "apply returns three values": ({"apply": "return state, 'ok', 1"}, "apply returned (0, 'ok', 1); expected a pair"),
    "apply returns half a letter": (
        {"apply": "return state, chr(0xD800)"},
        "written in UTF-8: character 1 is half of a surrogate",
    ),
    "apply returns too much": ({"apply": "return state, 'x' * 2**21"}, "too long: 2,097,152 bytes, at most 1,048,576"),
    "initial raises": (
        {"initial": "raise ValueError('no')"},
        "initial raised ValueError: no (initial in mine.py, line 5)",
    ),
    "initial ends the process": ({"initial": "os._exit(0)"}, "initial raised EndsProcess"),
    "a state that cannot be copied": ({"initial": "return threading.Lock()"}, "initial raised TypeError: cannot pickle"),
    "a state that has no text": ({"initial": "return object()"}, "which has no __repr__ of its own"),
    "a later state that has no text": ({"apply": "return [object()], 'x'"}, "which has no __repr__ of its own"),
    "states that cannot be compared": (
        {
            "initial": "return self.S()",
            "apply": "return self.S(), 'x'",
            "S": "pass\n    class S:\n        def __eq__(self, other): raise ValueError('no')\n        def __repr__(self): return 'S'",
        },
        "comparing its states raised ValueError: no",
    ),
    "the constructor raises": ({"__init__": "raise ValueError('no')"}, "machine mine:Mine: making it raised ValueError: no"),
    "the constructor needs an argument": ({"__init__": "needs an argument"}, "missing 1 required positional argument: 'argument'"),
    "the constructor ends the process": ({"__init__": "os._exit(0)"}, "making it raised EndsProcess"),
    "key raises": ({"key": "raise ValueError('no')"}, "key raised ValueError: no (key in mine.py, line 9); the operation is 'next'"),
    "key ends the process": ({"key": "os._exit(0)"}, "key raised EndsProcess"),
    "key returns what has no hash": ({"key": "return []"}, "key raised TypeError: unhashable type: 'list'"),
    "sample raises": ({"sample": "raise ValueError('no')"}, "machine mine:Mine: sample raised ValueError: no (sample in mine.py, line 11)"),
    "sample calls sys.exit": ({"sample": "sys.exit(1)"}, "sample tried to end the process: sys.exit(1)"),
    "sample ends the process": ({"sample": "os._exit(0)"}, "sample raised EndsProcess"),
    "sample returns a number": ({"sample": "return 5"}, "machine mine:Mine: sample returned 5: expected a text (str), got int"),
    "sample returns nothing": ({"sample": "pass"}, "sample returned None: expected a text (str), got NoneType"),
    "sample returns an empty text": ({"sample": "return ''"}, "sample returned '': expected the text of an operation"),
    "sample returns what clients use": ({"sample": "return '<again>1 1 next'"}, "an operation must not begin with <again>"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", WRONG)
def test_a_machine_that_breaks_its_contract_is_bad_input_that_says_what_it_did(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bodies, text = WRONG[name]
    written(folder, **bodies)
    assert_one_clear_line(in_process(capsys, *SIMULATED), text)


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("os._exit(0)", "machine mine:Mine: importing mine raised EndsProcess: os._exit would end the process"),
        ("sys.exit(0)", "importing mine tried to end the process: sys.exit(0); put what a script does under"),
        ("1 / 0", "importing mine raised ZeroDivisionError"),
        ("import nowhere", "importing mine failed: No module named 'nowhere'"),
    ],
)
def test_a_module_of_a_machine_that_misbehaves_while_it_is_imported_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], head: str, text: str
) -> None:
    written(folder, head)
    assert_one_clear_line(in_process(capsys, *SIMULATED), text)
    assert_one_clear_line(in_process(capsys, *SIZE), text)


@pytest.mark.parametrize(
    "name", ["apply raises", "apply ends the process", "sample calls sys.exit", "apply returns a number as the result"]
)
def test_what_nodes_in_processes_of_their_own_find_wrong_is_said_once(tmp_path: Path, name: str) -> None:
    bodies, text = WRONG[name]
    written(tmp_path, **bodies)
    assert_one_clear_line(_real(tmp_path, *SIZE), text)


def test_what_only_a_node_finds_wrong_while_it_starts_is_said_once(tmp_path: Path) -> None:
    written(tmp_path, "parent = 'forkserver' in repr(sys.orig_argv)", initial="return 1 / 0 if parent else 0")
    assert_one_clear_line(_real(tmp_path, *SIZE), "machine mine:Mine: initial raised ZeroDivisionError: division by zero")


def test_stdout_carries_the_json_object_only_whatever_a_machine_prints_in_whatever_process(tmp_path: Path) -> None:
    chatter = "print('chatter', flush=True); os.system('echo chatter'); os.write(1, b'chatter'); "
    written(tmp_path, chatter, **{name: f"{chatter}{body}" for name, body in GOOD.items()})
    for simulated in ([], ["--simulated"]):
        done = _real(tmp_path, *SIZE, "--format", "json", *simulated)
        assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "accepted"), done.stderr
        assert done.stderr.count("chatter") > 20


ENDLESS = "while True: pass"


def test_a_call_that_does_not_return_is_ended(folder: Path) -> None:
    written(folder, apply=ENDLESS)
    machine = loaded_machine("mine:Mine")
    with machine_watched(machine, 0.2), pytest.raises(MachineError, match=r"mine:Mine: apply has not returned for 0\.2 s"):
        machine.apply(0, "next")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_many_calls_that_return_are_not_taken_for_one_that_does_not(folder: Path) -> None:
    written(folder)
    machine = loaded_machine("mine:Mine")
    with machine_watched(machine, 0.2):
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            machine.apply(0, "next")


@pytest.mark.slow  # a call is waited for ten seconds
def test_a_machine_that_does_not_return_in_a_process_of_its_own_ends_the_run(tmp_path: Path) -> None:
    written(tmp_path, apply=ENDLESS)
    assert_one_clear_line(_real(tmp_path, *SIZE), "machine mine:Mine: apply has not returned for 10 s")


def test_a_node_of_a_cluster_of_several_machines_says_so_too(tmp_path: Path) -> None:
    written(tmp_path, "print('chatter')", initial="os._exit(0)")
    path = cluster_file(tmp_path, 'machine = "mine:Mine"')
    done = _real(tmp_path, "node", "--config", str(path), "--id", "R1", "--data-dir", "data")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "chatter"
    assert "machine mine:Mine: initial raised EndsProcess" in done.stderr


def test_replicas_of_one_process_do_not_share_a_state_that_initial_hands_out_again_and_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, "held = []", initial="return held", apply="state.append(operation); return state, str(len(state))")
    done = in_process(capsys, *SIMULATED)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_text_of_a_class_of_its_own_is_a_result_like_any_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, "class Text(str): ...", apply="return state + 1, Text(state)", sample="return Text('next')")
    done = in_process(capsys, *SIMULATED)
    assert done.returncode == 0, done.stdout + done.stderr


def test_equal_states_are_shown_alike_in_every_process(tmp_path: Path) -> None:
    program = (
        "from dataclasses import dataclass\n"
        "from pmmc_check.runtime.users_machine import shown_state\n"
        "@dataclass\n"
        "class S:\n"
        "    names: set[str]\n"
        "print(shown_state({'b': [S({'x', 'y', 'z'})], 1: frozenset({'u', 'v', 'w'}), None: (1.5, b'')}))\n"
    )
    shown = set()
    for seed in ("1", "2", "3"):
        env = environment({"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed})
        shown.add(subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True).stdout)
    assert shown == {"[('b', [S(names={'x', 'y', 'z'})]), (1, {'u', 'v', 'w'}), (None, (1.5, b''))]\n"}


def test_what_is_shown_by_its_address_only_is_no_state() -> None:
    with pytest.raises(MachineError, match="has no __repr__ of its own"):
        shown_state([len, object()])


def test_a_history_is_checked_with_keys_of_several_types(folder: Path) -> None:
    written(folder, initial="return {'a': 0, 1: 0}", apply="state = {**state, 1: state[1] + 1}\n        return state, str(state[1])")
    history = [Asked("C1", "next", 0.0, 3.0, "2"), Asked("C2", "next", 1.0, 2.0, "1")]
    assert linearizable(history, loaded_machine("mine:Mine")).holds


def _real(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(*arguments, cwd=folder, env={"PYTHONPATH": str(ROOT)})


def test_os_exit_is_its_old_self_after_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = os._exit
    written(folder)
    assert in_process(capsys, *SIMULATED).returncode == 0
    assert os._exit is before
