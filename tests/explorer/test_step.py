"""`pmmc-check step`: a dialogue on a pseudo-terminal, and scripts on standard input."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from helpers import ROOT, command, environment, in_process

from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")
PROMPT_IS_THERE = "\x1b[?2004h"
SMALL = ("--acceptors", "1", "--leaders", "1", "--replicas", "1", "--slots", "1")


def scripted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lines: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return in_process(capsys, "step", *arguments)


class Terminal:
    """The real command on a pseudo-terminal of 80 columns."""

    def __init__(self, *arguments: str, verb: str = "step", ready: str = "Type a number, or `help`.") -> None:
        asked = environment({"COLUMNS": None, "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"})
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "pmmc_check", verb, *arguments],
            env=asked,
            cwd=str(ROOT),
            encoding="utf-8",
            dimensions=(60, 80),
            timeout=90,
        )
        self.expect(ready)

    def expect(self, text: str) -> str:
        """Waits for a text; returns what came before it, without escape sequences."""
        self.child.expect_exact(text)
        return ESCAPES.sub("", str(self.child.before))

    def says(self, line: str, expected: str) -> str:
        """Types a line; waits for what is expected of the answer."""
        self.types(f"{line}\r")
        return self.expect(expected)

    def types(self, keys: str) -> None:
        """Presses keys once the prompt is there: before that the terminal itself would heed Ctrl-D."""
        self.child.expect_exact(PROMPT_IS_THERE)
        self.child.send(keys)

    def ends(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus)


def test_a_dialogue_with_steps_back_branches_and_a_saved_trace(tmp_path: Path) -> None:
    terminal = Terminal(*SMALL)
    terminal.says("1", "After 1 step")
    terminal.says("p1a to A1", "After 2 steps")
    terminal.says("back", "After 1 step")
    terminal.says("back", "At the start")
    terminal.says("back", "this is the start already")
    terminal.says("until decided", "sends decision(1, c1) to R1")
    terminal.says("tree", "states visited. The ends")
    terminal.says("bakc", "did you mean back?")
    terminal.says("why not p1b to scout(0.L1)", "is ignored since step")
    path = tmp_path / "run.pmmc"
    terminal.says(f"save {path}", "to judge it")
    terminal.says("quit", "")
    assert terminal.ends() == 0
    assert command("validate", "--quiet", str(path)).returncode == 0


def test_tab_completes_and_ctrl_c_and_ctrl_d_are_heeded() -> None:
    terminal = Terminal(*SMALL)
    terminal.says("hist\t", "No step has been taken yet.")
    terminal.types("\x03")
    terminal.expect("Ctrl-D or `quit` ends.")
    terminal.says("rand\t 3", "After 3 steps")
    terminal.types("\x04")
    assert terminal.ends() == 0


def test_it_works_in_80_columns_without_colour(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = "until decided\nstate\nhistory\ninvariants\ntree\nhelp\nlist A1\nstate R1 L1\nwhy not p2a to A1\nback 3\n"
    done = scripted(capsys, monkeypatch, lines)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    own = [line for line in done.stdout.splitlines() if not line.startswith("> ")]
    assert max(map(len, own)) <= 80
    coloured = scripted(capsys, monkeypatch, "1\nstate\n", *SMALL, "--color", "always")
    assert "\x1b[" in coloured.stdout


def test_a_script_echoes_its_lines_and_ends_at_the_first_that_cannot_be_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = scripted(capsys, monkeypatch, "# a comment\n1\ntake 99\n1\n", *SMALL)
    assert done.returncode == 2
    assert done.stdout.count("\n> ") == 2
    assert done.stderr == "pmmc-check step: standard input:3: there is no step 99 here; the steps are 1 to 3\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fly", "there is no command fly"),
        ("s", "s may be state or save"),
        ("random x", "random takes a whole number from 1, found x"),
        ("random 5 5 5", "how many steps, and perhaps a seed"),
        ("goto 9.9", "ends at its step 1"),
        ("goto", "goto where?"),
        ("take", "take what?"),
        ("take p2a to A1", "Nobody has sent p2a"),
        ("crash", "crash which process?"),
        ("crash A1", "begin with --crashes 1"),
        ("restart A1", "A1 is not down"),
        ("drop p1a", "begin with --network lossy"),
        ("drop", "drop which message?"),
        ("why", "why not which message?"),
        ("until", "until what?"),
        ("until leader[", "expected an expression"),
        ("until leader[L7].active", "there is no L7 in this configuration"),
        ("save", "save to which file?"),
        ("save x.pmmc", "no step has been taken yet"),
        ("state A7", "there is no process A7"),
        ("help fly", "there is no command fly"),
        ("99999999999999999999999", "there is no step"),
        ("back 99999999999999999999", "back takes a whole number"),
        ("take ²", "is no message"),
        ("²", "there is no command"),
        ("p1a(", "is no message"),
        ("goto ²", "is no path"),
    ],
)
def test_each_mistake_gets_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, told: str) -> None:
    done = scripted(capsys, monkeypatch, f"{line}\n", *SMALL)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spec_s_witnesses_and_definitions_can_be_stepped_to(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = scripted(capsys, monkeypatch, "until TwoActive\ninvariants\n", str(ROOT / "specs" / "witnesses.spec"))
    assert done.returncode == 0, done.stderr
    assert "REACHED: TwoActive" in done.stdout
    assert "reached here" in done.stdout


def test_a_rejected_trace_is_loaded_and_one_goes_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    trace = str(ROOT / "traces" / "bad-decision-without-majority.pmmc")
    done = scripted(capsys, monkeypatch, "back 2\nuntil decided\n", "--load", trace)
    assert done.returncode == 0, done.stderr
    assert "bad-decision-without-majority.pmmc: rejected. 14 of 19 events, 6 steps." in done.stdout
    assert "sends decision(1, c1) to R1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--load", "nowhere.pmmc"), "no such file"),
        (("--load", "traces/good-one-command.pmmc", "--acceptors", "2"), "leave --acceptors out"),
        (("--load", "traces/good-one-command.pmmc", "specs/default.spec"), "leave specs/default.spec out"),
        (("--load", "README.md"), "is no trace"),
        (("--load", "traces"), "traces are in this directory"),
        (("--slots", "any"), "give a number of slots"),
        (("--acceptors", "0"), "must be at least 1"),
        (("--engine", "compiled"), "unrecognized arguments"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(ROOT)
    done = scripted(capsys, monkeypatch, "", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reconfiguration_can_be_stepped_and_its_run_is_saved_as_a_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = str(ROOT / "specs" / "reconfiguration.spec")
    done = scripted(capsys, monkeypatch, f"until NewLeaders\nsave {tmp_path / 'x.pmmc'}\n", spec)
    assert "REACHED: NewLeaders" in done.stdout
    assert judge(Source(tmp_path / "x.pmmc")).verdict == "accepted"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("until FALSE", "until FALSE: FALSE is never true"),
        ("until nonsense", "until nonsense: no such predicate"),
        ("save /nonexist/x", "save /nonexist/x: cannot be written"),
    ],
)
def test_what_was_typed_is_told_once(typed: str, told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = scripted(capsys, monkeypatch, f"1\n{typed}\n", *SMALL)
    assert done.stderr.startswith(f"pmmc-check step: standard input:2: {told}")
    assert done.stderr.count(typed) == 1


def test_an_expression_of_a_script_is_shown_with_the_place_on_lines_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = scripted(capsys, monkeypatch, "1\nuntil Decidd(1,c1)\n", *SMALL)
    problem, expression, caret = done.stderr.splitlines()
    assert problem == "pmmc-check step: standard input:2: there is no operator Decidd (did you mean Decided?)"
    assert expression.strip() == "Decidd(1,c1)"
    assert caret.index("^") == expression.index("Decidd")
