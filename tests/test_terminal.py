"""What a terminal shows: widths, views, colour, the progress line, suggestions, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT, assert_one_clear_line, command, environment, in_process, options, set_environment

from pmmc_check.checker.result import Snapshot
from pmmc_check.cli import progress
from pmmc_check.cli.parser import VERBS
from pmmc_check.errors import did_you_mean
from pmmc_check.protocol.variants.catalogue import VARIANTS
from pmmc_check.report.layout import Layout

FAULTY = ["explore", *options(acceptors=1, slots=1, commands=2, variant="ignore-pmax", invariant="Agreement")]
TINY = ["explore", *options(acceptors=1, leaders=1, replicas=1, slots=1)]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def _on_a_terminal(*arguments: str, columns: int = 80, env: dict[str, str | None] | None = None) -> tuple[int, str]:
    """Runs the real command with a terminal for stdout and stderr; returns its exit code and all that the terminal was sent."""
    master, slave = pty.openpty()
    import fcntl  # noqa: PLC0415  (with pty: not on every platform)
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    asked = environment({"COLUMNS": None, "TERM": "xterm", **(env or {})})
    process = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", *arguments], stdin=slave, stdout=slave, stderr=slave, env=asked, cwd=ROOT, close_fds=True
    )
    os.close(slave)
    shown = b""
    while True:
        if select.select([master], [], [], 0.1)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        elif process.poll() is not None:
            break
    os.close(master)
    return process.wait(), shown.decode().replace("\r\n", "\n")


def _widest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("words", [(), *((verb,) for verb in VERBS)], ids=str)
def test_the_help_fits_80_columns(words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = in_process(capsys, *words, "--help").stdout
    assert "\noptions:" in shown
    assert _widest(shown) <= 80


@pytest.mark.one_in(3)
@pytest.mark.parametrize("columns", [72, 80, 129, 130, 149, 150, 200])
@pytest.mark.parametrize("view", [None, "list", "table", "lanes"])
def test_no_line_is_wider_than_the_terminal(
    columns: int, view: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = in_process(capsys, *FAULTY, *(["--view", view] if view else [])).stdout
    assert _widest(shown) <= columns
    assert not re.search(r" $", shown, re.MULTILINE)
    taken = view or ("table" if columns >= 150 else "list")
    if taken == "lanes" and columns < 130:
        assert f"As lanes these 9 processes need 130 columns, and there are {columns}; so this is the list." in " ".join(shown.split())
        taken = "list"
    assert ("R1: slot_in 1 → 2\n" in shown) == (taken == "list")
    assert bool(re.search(r"^# .* replica .* acceptor", shown, re.MULTILINE)) == (taken == "table")
    assert bool(re.search(r"^# .* L1 ", shown, re.MULTILINE)) == (taken == "lanes")


def test_lanes_that_would_be_too_narrow_are_a_list_that_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = in_process(capsys, *FAULTY, "--view", "lanes").stdout
    assert _widest(shown) <= 40
    assert "need 130 columns, and there are 40; so this is the list." in " ".join(shown.split())
    assert "R1: slot_in 1 → 2\n" in shown


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("120", 120), ("0", 80), ("nonsense", 80), ("10", 40)])
def test_without_a_terminal_the_width_is_that_of_columns_or_80(
    columns: str | None, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, {"COLUMNS": columns})
    assert _widest(in_process(capsys, *FAULTY, "--view", "table").stdout) == width


def test_the_width_is_the_terminals_and_columns_comes_first() -> None:
    assert _widest(ESCAPE.sub("", _on_a_terminal(*FAULTY, "--view", "table", columns=100)[1])) == 100
    assert _widest(ESCAPE.sub("", _on_a_terminal(*FAULTY, "--view", "table", columns=100, env={"COLUMNS": "90"})[1])) == 90


@pytest.mark.parametrize(
    ("arguments", "env", "coloured"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1", "TERM": "dumb"}, True),
        ([], {"FORCE_COLOR": "1", "TERM": "xterm"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_without_a_terminal(
    arguments: list[str], env: dict[str, str | None], coloured: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, env)
    assert bool(ESCAPE.search(in_process(capsys, *FAULTY, *arguments).stdout)) == coloured


def test_colour_on_a_terminal() -> None:
    quick = [*TINY, "--engine", "reference", "--quiet"]
    assert COLOUR.search(_on_a_terminal(*quick)[1])
    for arguments, env in ([], {"NO_COLOR": "1"}), (["--color", "never"], {}), ([], {"TERM": "dumb"}):
        assert not COLOUR.search(_on_a_terminal(*quick, *arguments, env={**env})[1])


def test_colour_and_width_change_neither_words_nor_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plain, coloured = (in_process(capsys, *FAULTY, "--color", each).stdout for each in ("never", "always"))
    varies = re.compile(r"[\d.,]+ (s|states generated|MiB)")
    words = [varies.sub("", ESCAPE.sub("", each)).split() for each in (plain, coloured)]
    assert words[0] == words[1]
    objects = []
    for columns in ("80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        objects.append(json.loads(in_process(capsys, *FAULTY, "--format", "json", "--color", "always").stdout))
    assert objects[0]["violation"] == objects[1]["violation"]


def test_a_wide_layout_takes_the_table() -> None:
    assert [Layout(width).chosen_view for width in (80, 149, 150)] == ["list", "list", "table"]
    assert Layout(200, "lanes").chosen_view == "lanes"


def test_the_list_of_variants_wraps_its_sentences_and_keeps_its_commands_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = in_process(capsys, "variants").stdout.splitlines()
    commands = [each for each in lines if each.startswith("      pmmc-check explore --variant ")]
    assert len(commands) == len(VARIANTS)
    assert max(len(each) for each in lines if each not in commands) <= 60


# ---- progress ----


def test_the_progress_line_is_gone_before_the_verdict() -> None:
    code, shown = _on_a_terminal("explore", "--slots", "3", "--threads", "1", "--time-limit", "4", env={"NO_COLOR": "1"})
    assert code == 3
    lines = [each for each in re.split(r"[\r\n]", shown) if " MiB, " in each]
    assert lines, "no progress was shown"
    assert any(re.search(r"0:0[2-5]  depth \d+, [\d,]+ states, ((growing|shrinking) )?frontier [\d,]+, ", each) for each in lines)
    before, verdict, _ = shown.partition("INCONCLUSIVE")
    assert verdict
    assert re.search(r"\x1b\[2K(\x1b\[\?25h|\r|\x1b\[1A|\x1b\[2K)*$", before), repr(before[-60:])


def test_before_the_third_second_nothing_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.progress_line(quiet=False) as report:
        now[0] += progress.SECONDS_UNTIL_SHOWN - 0.1
        report("depth 3")
    assert capsys.readouterr().err == ""


def test_without_a_terminal_there_is_a_line_a_minute(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress.progress_line(quiet=False) as report:
        tell = progress.search_progress(report)
        for depth, frontier in ((5, 100), (6, 300), (7, 200), (8, 250)):
            now[0] += 31
            tell(Snapshot(depth, 10 * depth, 100 * depth, frontier, 2**20))
    lines = capsys.readouterr().err.splitlines()
    assert [each.partition("  ")[0] for each in lines] == ["pmmc-check: 1:02", "pmmc-check: 2:04"]
    assert "depth 6, 60 states, growing frontier 300, " in lines[0]
    assert "depth 8, 80 states, growing frontier 250, " in lines[1]


def test_quiet_shows_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.progress_line(quiet=True) as report:
        report("anything")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (65.9, "1:05"), (3600, "1:00:00"), (7209, "2:00:09")])
def test_elapsed_time_is_shown_as_a_clock(seconds: float, shown: str) -> None:
    assert progress.clock(seconds) == shown


@pytest.mark.parametrize("suffix", [".pmmc", ".pmmc.gz"])
def test_judging_one_long_trace_tells_how_far_it_is(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"long{suffix}"
    assert (
        in_process(capsys, "simulate", "--network", "reliable", "--events", "12000", "--commands", "9999", "--out", str(file)).returncode
        == 0
    )
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    judged = in_process(capsys, "validate", str(file))
    assert judged.returncode == 0
    told = re.findall(r"replaying, ([\d.]+) of ([\d.]+) MiB read", judged.stderr)
    assert told, judged.stderr
    assert told[-1][0] == told[-1][1]


# ---- suggestions and help ----


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["exploer"], ["did you mean explore?", "pmmc-check --help"]),
        (["--versoin"], ["did you mean --version?", "pmmc-check --help"]),
        (["explore", "--acceptor", "3"], ["did you mean --acceptors?", "pmmc-check explore --help"]),
        (["explore", "--max-sates=3"], ["did you mean --max-states?", "pmmc-check explore --help"]),
        (["validate", "run.pmmc", "--junti", "x"], ["did you mean --junit?", "pmmc-check validate --help"]),
        (["explore", "--engine", "refrence"], ["did you mean reference?", "pmmc-check explore --help"]),
        (["explore", "--variant", "ignorepmax"], ["did you mean ignore-pmax?"]),
        (["explore", "--invariant", "Agrement"], ["did you mean Agreement?"]),
        (["explore", "--network", "relyable"], ["did you mean reliable?"]),
        (["explore", "--reduce", "symetry"], ["did you mean symmetry?"]),
        (["explore", "--crashes", "1", "--faulty", "aceptor"], ["did you mean acceptor?"]),
        (["completion", "bahs"], ["did you mean bash?", "pmmc-check completion --help"]),
    ],
    ids=" ".join,
)
def test_what_is_misspelt_gets_a_suggestion(arguments: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, *arguments), *expected)


def test_nothing_alike_gets_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert did_you_mean("xyzzy", VERBS) == ""
    assert "did you mean" not in in_process(capsys, "explore", "--xyzzy").stderr
    assert "did you mean" not in in_process(capsys, "validate", "--slots", "2").stderr, "which is not like --jobs"
    assert did_you_mean("--slots", ["--jobs", "--lag"]) == did_you_mean(".xml", [".svg", ".json"]) == ""
    assert did_you_mean("--slot", ["--jobs", "--slots"]) == " (did you mean --slots?)"


def test_the_bare_command_says_what_to_do_first(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pmmc-check explore\n" in done.stderr
    assert all(verb in done.stderr for verb in VERBS)
    assert len(done.stderr.splitlines()) < 20
    assert _widest(done.stderr) <= 120


# ---- completion ----


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_the_completion_script_knows_verbs_options_and_names(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "completion", shell)
    assert done.returncode == 0
    for word in (*VERBS, "trace-out", "accept-lower-ballot", "Agreement", "duplicating", "junit"):
        assert word in done.stdout, word


def test_bash_completes_with_it(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(command("completion", "bash").stdout)
    asked = (
        f"source {script}; COMP_WORDS=(pmmc-check explore --variant ignore-p); COMP_CWORD=3; COMP_LINE='x'; COMP_POINT=1; "
        "_shtab_pmmc_check; echo ${COMPREPLY[@]}"
    )
    try:
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no bash here")
    assert done.stdout.split() == ["ignore-pmax"], done.stderr
