"""Whatever a role does while it is called, the exit code and the message tell: 2 and what it did, never a verdict that is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, environment, heed_ctrl_c, in_process, options

SIZE = options(acceptors=1, leaders=1, replicas=1, slots=1)
HEAD = """\
import itertools, os, sys, time
from dataclasses import dataclass, replace
from pmmc_check.protocol import *
class Odd(BaseException): ...
class Unprintable(Exception):
    def __str__(self): raise ValueError
class Mine(Acceptor):
    symmetric = True
"""


def _step(body: str) -> str:
    return f"    def step(self, state, message):\n        {body}\n"


MISBEHAVING = {
    "sys.exit(0)": (_step("sys.exit(0)"), "Mine.step of A1 tried to end the process: sys.exit(0)"),
    "sys.exit(1)": (_step("sys.exit(1)"), "tried to end the process: sys.exit(1)"),
    "exit()": (_step("raise SystemExit"), "tried to end the process: sys.exit()"),
    "os._exit": (_step("os._exit(0)"), "os._exit would end the process without a verdict"),
    "another program": (_step("os.execvp('true', ['true'])"), "os.execv would end the process without a verdict"),
    "KeyboardInterrupt": (_step("raise KeyboardInterrupt"), "Mine.step of A1 raised KeyboardInterrupt"),
    "GeneratorExit": (_step("raise GeneratorExit"), "raised GeneratorExit"),
    "StopIteration": (_step("raise StopIteration"), "raised StopIteration"),
    "an exception of its own": (_step("raise Odd('why not')"), "raised Odd: why not"),
    "an exception that cannot be shown": (_step("raise Unprintable"), "raised Unprintable: (cannot be shown: ValueError)"),
    "recursion without end": (_step("return self.step(state, message)"), "raised RecursionError"),
    "a step without a return": (_step("pass"), "Mine.step of A1 returned None (called with ballot ⊥, accepted {}; "),
    "an outcome that is in no list": (_step("return Outcome(state)"), "returned an Outcome by itself"),
    "a step that returns a number": (_step("return 3"), "returned 3 (called with"),
    "a step that returns what cannot be shown": (
        _step("class X:\n            def __repr__(self): raise ValueError('no')\n        return X()"),
        "showing what Mine.step of A1 returned raised ValueError: no",
    ),
    "outcomes without end": (_step("yield from itertools.repeat(Outcome(state))"), "returned more than 10,000 outcomes"),
    "it raises after some outcomes": (_step("yield Outcome(state); raise ValueError('late')"), "raised ValueError: late"),
    "it changes the state that it is given": (
        _step("object.__setattr__(state, 'ballot', message.ballot); return [Outcome(state)]"),
        "changed the state or message that it was given",
    ),
    "a constructor that exits": ("    def __init__(self, me, system): sys.exit(0)\n", "Mine(A1, system) tried to end the process"),
    "a start that exits": ("    def start(self, command=None): os._exit(0)\n", "Mine.start of A1 raised EndsProcess"),
    "a claim that exits": ("    def ignores(self, state, message): sys.exit(0)\n", "Mine.ignores of A1 tried to end the process"),
    "a state whose comparison raises": (
        "    class S:\n        def __eq__(self, other): raise ValueError('incomparable')\n        def __hash__(self): return 1\n"
        "    def start(self, command=None): return Outcome(self.S())\n",
        "raised ValueError: incomparable",
    ),
    "a state whose hash raises": (
        "    class S:\n        def __hash__(self): raise ValueError('no hash')\n"
        "    def start(self, command=None): return Outcome(self.S())\n",
        "raised ValueError: no hash",
    ),
    "a state whose hash exits": (
        "    class S:\n        def __hash__(self): sys.exit(0)\n    def start(self, command=None): return Outcome(self.S())\n",
        "tried to end the process: sys.exit(0)",
    ),
    "states that compare by identity": (
        "    class S: ...\n    def start(self, command=None): return Outcome(self.S())\n",
        "Mine.start",
    ),
    "a state with a field that exits": (
        "    @dataclass(frozen=True)\n    class S(AcceptorState):\n        @property\n        def accepted(self): sys.exit(0)\n"
        "        @accepted.setter\n        def accepted(self, value): ...\n"
        "    def start(self, command=None): return Outcome(self.S())\n",
        "",
    ),
    "a message that cannot be shown, sent to nobody": (
        "    class M(P1a):\n        def __str__(self): sys.exit(0)\n"
        "    def step(self, state, message): return [Outcome(state, (Send(ProcessId('acceptor', 9), self.M(message.ballot)),))]\n",
        "tried to end the process: sys.exit(0)",
    ),
    "a state deeper than Python's stack": (
        "    def start(self, command=None):\n        deep = ()\n        for _ in range(5000): deep = (deep,)\n"
        "        return Outcome(deep)\n",
        "raised RecursionError",
    ),
}
ASKED_BY_THE_COMPILED_ONLY = {"a claim that exits"}


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("name", MISBEHAVING)
def test_a_role_that_misbehaves_is_bad_input_that_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, engine: str
) -> None:
    if engine == "reference" and name in ASKED_BY_THE_COMPILED_ONLY:
        pytest.skip("the reference search asks for no claims")
    body, text = MISBEHAVING[name]
    (tmp_path / "mine.py").write_text(HEAD + body, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    arguments = ["explore", *SIZE, "--protocol", "mine:Mine", "--engine", engine]
    assert_one_clear_line(in_process(capsys, *arguments), text)
    monkeypatch.delitem(sys.modules, "mine", raising=False)


IMPORTED = {
    "it exits": ("sys.exit(0)", "importing mine tried to end the process: sys.exit(0); put what a script does under `if __name__"),
    "it exits for good": ("os._exit(0)", "importing mine raised EndsProcess"),
    "it is interrupted": ("raise KeyboardInterrupt", "importing mine raised KeyboardInterrupt"),
    "it recurses": ("f = lambda: f(); f()", "importing mine raised RecursionError"),
    "it empties the search path": ("sys.path.clear(); import nowhere", "importing mine failed: No module named 'nowhere'"),
    "an attribute that exits": (
        "def __getattr__(name):\n    sys.exit(0)\n",
        "looking at it tried to end the process",
    ),
}


@pytest.mark.parametrize("verb", ["explore", "simulate"])
@pytest.mark.parametrize(("body", "text"), IMPORTED.values(), ids=IMPORTED)
def test_a_module_that_misbehaves_while_it_is_imported_is_named(  # noqa: PLR0917
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: str, text: str, verb: str
) -> None:
    (tmp_path / "mine.py").write_text(f"import os, sys\n{body}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    assert_one_clear_line(in_process(capsys, verb, "--protocol", "mine:Mine"), "--protocol mine:Mine", text)


@pytest.mark.parametrize("name", ["sys.exit(0)", "os._exit", "it changes the state that it is given", "outcomes without end"])
def test_simulate_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    body, text = MISBEHAVING[name]
    (tmp_path / "mine.py").write_text(HEAD + body, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    done = in_process(capsys, "simulate", "--protocol", "mine:Mine", "--out", str(tmp_path / "run.pmmc"))
    assert_one_clear_line(done, text.removeprefix("Mine.step of A1 "))
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".pmmc"] == []


def _real(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.py").write_text(HEAD + body, encoding="utf-8")
    return command(*arguments, cwd=folder, env={"PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("body", [_step("sys.exit(0)"), _step("os._exit(0)"), _step("os.execvp('true', ['true'])")])
def test_the_real_command_ends_with_2_as_well(tmp_path: Path, body: str) -> None:
    assert_one_clear_line(_real(tmp_path, body, "explore", *SIZE, "--protocol", "mine:Mine"), "Mine.step of A1")


CHATTER = "print('chatter', flush=True); os.system('echo chatter'); os.write(1, b'chatter'); "


@pytest.mark.parametrize(
    "mess",
    [
        "",
        "sys.stdout.close(); ",
        "sys.__stdout__.close(); ",
        "os.close(1); ",
        "sys.stdout = None; ",
        "os.chdir('/'); ",
    ],
    ids=["prints", "closes sys.stdout", "closes sys.__stdout__", "closes descriptor 1", "takes sys.stdout away", "changes the folder"],
)
@pytest.mark.parametrize("where", ["import", "step"])
def test_stdout_carries_the_json_object_only_whatever_a_role_prints_or_closes(tmp_path: Path, mess: str, where: str) -> None:
    chatter = CHATTER if mess == "" else ""
    first = "if not hasattr(sys, 'once'): sys.once = 1; "
    step = _step(f"{first}{chatter}{mess}\n        return super().step(state, message)")
    body = f"{chatter}{mess}\n" if where == "import" else step
    asked = ["explore", *SIZE, "--engine", "reference", "--protocol", "mine:Mine", "--format", "json", "--trace-out", "out.json"]
    done = _real(tmp_path, body, *asked)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "holds"), done.stderr
    assert done.stderr.count("chatter") == (3 if chatter else 0)
    assert f"no counterexample, so {tmp_path / 'out.json'} was not written" in done.stderr


def test_what_a_role_prints_does_not_come_between_the_events_of_a_simulated_trace(tmp_path: Path) -> None:
    done = _real(tmp_path, _step("print('chatter'); return super().step(state, message)"), "simulate", "--protocol", "mine:Mine")
    assert (done.returncode, "chatter" in done.stdout, "chatter" in done.stderr) == (0, False, True)
    plain = _real(tmp_path, _step("return super().step(state, message)"), "simulate", "--protocol", "mine:Mine")
    assert done.stdout == plain.stdout


def test_a_role_that_never_returns_is_stopped_by_the_time_limit(tmp_path: Path) -> None:
    limited = ["--engine", "reference", "--time-limit", "2", "--format", "json"]
    done = _real(tmp_path, _step("while True: pass"), "explore", *SIZE, "--protocol", "mine:Mine", *limited)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"]) == (3, "inconclusive")
    assert answer["limit"] == "2 seconds (--time-limit) have passed while Mine.step of A1 was running"


@pytest.mark.parametrize(
    ("engine", "number"),
    [
        ("compiled", signal.SIGTERM),
        ("reference", signal.SIGINT),
        pytest.param("compiled", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("reference", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_role_that_never_returns_is_stopped_by_a_signal_with_a_report(tmp_path: Path, number: signal.Signals, engine: str) -> None:
    body = _step("open('running', 'w').close()\n        while True: pass")
    process = _started(tmp_path, body, "--engine", engine)
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 3, err
    assert json.loads(out)["limit"] == "interrupted while Mine.step of A1 was running"


@pytest.mark.slow  # it times signals, which a busy machine delays
def test_a_role_that_catches_every_interrupt_is_stopped_by_the_third(tmp_path: Path) -> None:
    # Two interrupts at once, as a busy machine may deliver them, interrupt the handler of the first.
    catching = (
        "open('running', 'w').close()\n        while True:\n            try:\n                while True:\n                    try:\n"
        "                        while True: time.sleep(0.01)\n                    except BaseException: pass\n"
        "            except BaseException: pass"
    )
    process = _started(tmp_path, _step(catching))
    for _ in range(3):
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (3, "")
    assert "Mine.step of A1 catches interrupts, so there is no report" in err


def test_a_comparison_that_never_returns_is_stopped_too(tmp_path: Path) -> None:
    body = (
        "    class S:\n        def __eq__(self, other):\n            open('running', 'w').close()\n            while True: pass\n"
        "        def __hash__(self): return 1\n    def start(self, command=None): return Outcome(self.S())\n"
    )
    process = _started(tmp_path, body)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (3, ""), err
    assert "interrupted while reading what Mine.start of A1 returned was running" in err


def _started(folder: Path, body: str, *arguments: str) -> subprocess.Popen[str]:
    """The command, once the role is being called: it then has made a file `running`."""
    (folder / "mine.py").write_text(HEAD + body, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "explore", *SIZE, "--protocol", "mine:Mine", "--format", "json", *arguments],
        cwd=folder, env=environment({"PYTHONPATH": str(ROOT)}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    while process.poll() is None and not (folder / "running").exists():
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()
    return process


def test_a_child_process_of_a_role_may_exit_as_it_likes(tmp_path: Path) -> None:
    forks = "pid = os.fork()\n        if pid == 0: os._exit(0)\n        os.waitpid(pid, 0)\n"
    body = _step(f"{forks}        return super().step(state, message)")
    done = _real(tmp_path, body, "explore", *SIZE, "--protocol", "mine:Mine")
    assert done.returncode == 0, done.stderr


def test_a_child_process_that_a_step_leaves_behind_does_not_go_on_searching(tmp_path: Path) -> None:
    body = _step("os.fork(); return super().step(state, message)")
    done = _real(tmp_path, body, "explore", *SIZE, "--protocol", "mine:Mine", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "holds"), done.stderr


@pytest.mark.parametrize(
    "left",
    ["import atexit; atexit.register(os._exit, 0)", "import threading; threading.Timer(100, os._exit, [0]).start()"],
    ids=["a handler", "a thread"],
)
def test_what_a_role_leaves_behind_changes_no_exit_code(tmp_path: Path, left: str) -> None:
    wrong = "    def accept(self, state, message): return super().accept(replace(state, ballot=message.ballot), message)\n"
    body = f"{wrong}{left}\n"
    done = _real(tmp_path, body, "explore", *options(acceptors=1, leaders=2, replicas=1, slots=1), "--protocol", "mine:Mine")
    assert (done.returncode, done.stdout[:9]) == (1, "VIOLATED:"), done.stderr


def test_os_exit_is_its_old_self_afterwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = os._exit
    in_process(capsys, "explore", *SIZE, "--protocol", "nowhere:Mine")
    assert os._exit is before


def test_the_traceback_is_shown_to_whoever_asks(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + _step("raise ValueError('no')"), encoding="utf-8")
    env = {"PYTHONPATH": str(ROOT), "PMMC_CHECK_DEBUG": "1"}
    done = command("explore", *SIZE, "--protocol", "mine:Mine", cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert "raise ValueError('no')" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("pmmc-check explore: Mine.step of A1 raised ValueError: no")
