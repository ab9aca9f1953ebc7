"""Traces that are followed while they are written get the verdict that they have when they are whole, and what is wrong shows at once."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT, heed_ctrl_c, in_process

from pmmc_check.api.following import NOTICE, SUSPECTED, Follower, LiveRemark
from pmmc_check.trace.convert import converted
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import KINDS, NOTHING, Header, partial
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.validation.simulate import Plan, complete_logs
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions

PART = "pmmc-trace 1 part\n"


def a_run(seed: int = 5, events: int = 200) -> Run:
    """A complete run of two leaders, without scouts and commanders in logs of their own."""
    header = Header(("R1", "R2"), ("L1", "L2"), ("A1", "A2", "A3"), ("C1",), 5, frozenset({"reliable"}), application="log")
    return run(Plan(header=replace(header, logs=complete_logs(header)), seed=seed, events=events, commands=10, own_logs=False))


def in_parts(whole: Run) -> tuple[str, dict[str, list[str]]]:
    """The header as a file, and the lines of each log."""
    logs: dict[str, list[str]] = {name: [] for name in whole.header.logs}
    for line in whole.lines:
        logs[line.split(" ", 1)[0]].append(line)
    header = Run(whole.header, []).text()
    return header, logs


class Writer:
    """Writes a trace into a folder piece by piece, as processes would."""

    def __init__(self, folder: Path, whole: Run) -> None:
        self.folder = folder
        header, self.logs = in_parts(whole)
        (folder / "cluster.pmmc").write_text(header)
        for name in self.logs:
            (folder / f"{name}.pmmc").write_text(PART)

    def add(self, text: str, name: str) -> None:
        with (self.folder / f"{name}.pmmc").open("a") as stream:
            stream.write(text)


def written_in_order(folder: Path, whole: Run, rng: random.Random, follower: Follower) -> Iterator[LiveRemark]:
    """Each line in the order of time, in pieces that end anywhere; the follower looks in between."""
    writer = Writer(folder, whole)
    for line in whole.lines:
        text, name = line + "\n", line.split(" ", 1)[0]
        at = rng.randrange(len(text))
        for piece in (text[:at], text[at:]) if rng.random() < 0.3 else (text,):
            writer.add(piece, name)
            if rng.random() < 0.3:
                yield from follower.poll()
    yield from follower.poll()


@pytest.mark.parametrize("seed", range(20, 32))
def test_a_legal_run_that_is_followed_is_accepted_at_its_end(tmp_path: Path, seed: int) -> None:
    whole = run(plan(seed, 80, own_logs=False))
    follower = Follower(str(tmp_path), lag_seconds=0)
    remarks = list(written_in_order(tmp_path, whole, random.Random(seed), follower))
    assert remarks == []
    assert follower.finish().verdict == ACCEPTED
    assert follower.events == len(whole.lines)


def test_what_is_wrong_shows_when_it_is_written_and_where_it_is(tmp_path: Path) -> None:
    found = 0
    for seed in range(40, 50):
        whole = run(plan(seed, 60, own_logs=False, crash_rate=0.0))
        for number, lines in enumerate(corruptions(whole.lines, random.Random(seed), 0.03)):
            corrupted = Run(whole.header, lines)
            try:
                afterwards = corrupted.judged()
            except TraceError:
                continue
            if afterwards.verdict not in (ACCEPTED, REJECTED):
                continue
            folder = tmp_path / f"{seed}-{number}"
            folder.mkdir()
            follower = Follower(str(folder), lag_seconds=0)
            remarks = list(written_in_order(folder, corrupted, random.Random(seed), follower))
            live = follower.finish()
            if remarks and remarks[-1].kind == REJECTED:
                assert live.verdict == REJECTED
                found += 1
            if afterwards.verdict == ACCEPTED:
                assert live.verdict == ACCEPTED or not follower.rejected
            else:
                assert live.verdict == REJECTED or (live.verdict == INCONCLUSIVE and _guesses(remarks, live)), corrupted.text()
    assert found > 20


def _guesses(remarks: list[LiveRemark], live: TraceVerdict) -> bool:
    return any(each.kind == SUSPECTED for each in remarks) or "not certain" in str(live.reason)


def test_an_event_that_is_no_step_is_told_at_the_next_look(tmp_path: Path) -> None:
    whole = a_run()
    writer, follower = Writer(tmp_path, whole), Follower(str(tmp_path))
    at = next(index for index, line in enumerate(whole.lines) if " > p2b " in line)
    for line in whole.lines[:at]:
        writer.add(line + "\n", line.split(" ", 1)[0])
    assert follower.poll() + follower.poll() + follower.poll() == []
    writer.add(re.sub(r"b=\S+", "b=7.L1", whole.lines[at], count=1) + "\n", whole.lines[at].split(" ", 1)[0])
    (remark,) = follower.poll()
    assert remark.kind == REJECTED and follower.rejected
    assert remark.verdict is not None and remark.verdict.failure is not None
    assert "b=7.L1" in remark.verdict.failure.at.text
    assert remark.text.startswith(remark.verdict.failure.at.file)


def test_a_receive_waits_for_its_send_as_long_as_logs_may_lag_and_no_longer(tmp_path: Path) -> None:
    whole = a_run()
    header, logs = in_parts(whole)
    (tmp_path / "cluster.pmmc").write_text(header)
    for name, lines in logs.items():
        if not name.startswith("C"):  # the clients' sends are not there yet
            (tmp_path / f"{name}.pmmc").write_text(PART + "".join(f"{line}\n" for line in lines))
    patient, strict = Follower(str(tmp_path), lag_seconds=60), Follower(str(tmp_path), lag_seconds=0.05)
    for follower in (patient, strict):
        assert follower.poll() + follower.poll() == []
    time.sleep(0.06)
    (remark,) = [each for each in strict.poll() if each.kind != NOTICE]
    assert remark.kind == REJECTED and "no message is received that was not sent" in remark.text
    for name, lines in logs.items():
        if name.startswith("C"):
            (tmp_path / f"{name}.pmmc").write_text(PART + "".join(f"{line}\n" for line in lines))
    assert {each.kind for each in patient.poll()} == {NOTICE}
    assert patient.finish().verdict == ACCEPTED


def test_a_file_that_appears_later_is_taken_in_and_named(tmp_path: Path) -> None:
    whole = a_run()
    writer, follower = Writer(tmp_path, whole), Follower(str(tmp_path), lag_seconds=60)
    (tmp_path / "A1.pmmc").unlink()
    (tmp_path / "notes.txt").write_text("no trace, and none of our business\n")
    for name, lines in writer.logs.items():
        if name != "A1":
            writer.add("".join(f"{line}\n" for line in lines), name)
    follower.poll()
    follower.poll()
    assert 0 < follower.events < len(whole.lines)
    (tmp_path / "A1.pmmc").write_text(PART + "".join(f"{line}\n" for line in writer.logs["A1"]))
    assert [each.text for each in follower.poll()] == [f"{tmp_path}/A1.pmmc was taken in"]
    assert follower.finish().verdict == ACCEPTED


@pytest.mark.parametrize(
    "late", ["pmmc-trace 1 part\nconfig window=3\n", '{"pmmc-trace": 1, "part": true, "window": 3}\n', "pmmc-trace 1\n"]
)
def test_a_late_file_brings_no_settings(tmp_path: Path, late: str) -> None:
    whole = a_run()
    writer, follower = Writer(tmp_path, whole), Follower(str(tmp_path))
    for name, lines in writer.logs.items():
        writer.add("".join(f"{line}\n" for line in lines), name)
    follower.poll()
    follower.poll()
    (tmp_path / "late.pmmc").write_text(late)
    with pytest.raises(TraceError, match=r"late\.pmmc"):
        follower.poll()


def test_a_file_that_is_cut_is_named_and_all_is_read_again(tmp_path: Path) -> None:
    whole = a_run()
    writer, follower = Writer(tmp_path, whole), Follower(str(tmp_path), lag_seconds=60)
    for name, lines in writer.logs.items():
        writer.add("".join(f"{line}\n" for line in lines), name)
    last = next(name for name in ("A1", "A2", "A3") if writer.logs.get(name))
    writer.add(writer.logs[last][-1].split(" ", 1)[0] + " > p2b b=9.L1 to=9.L1/1\n", last)
    follower.poll()
    assert [each.kind for each in follower.poll()] == [REJECTED]
    path = tmp_path / f"{last}.pmmc"
    os.truncate(path, path.stat().st_size - 5 - len("p2b b=9.L1 to=9.L1/1\n"))
    (remark,) = follower.poll()
    assert remark.kind == NOTICE and f"{path} was cut" in remark.text
    follower.poll()
    follower.poll()
    assert not follower.rejected
    assert follower.finish().verdict == ACCEPTED


def test_a_file_that_is_written_anew_with_the_same_length_is_seen(tmp_path: Path) -> None:
    path, whole = tmp_path / "one.pmmc", a_run()
    path.write_text(whole.text())
    follower = Follower(str(path))
    follower.poll()
    path.write_text(whole.text().replace("A1", "A9") + "# more\n")
    (remark,) = follower.poll()
    assert "was written anew" in remark.text


def test_a_file_that_is_rotated_goes_on_in_the_new_one(tmp_path: Path) -> None:
    whole = a_run()
    writer, follower = Writer(tmp_path, whole), Follower(str(tmp_path), lag_seconds=60)
    name = max(writer.logs, key=lambda each: len(writer.logs[each]))
    half = len(writer.logs[name]) // 2
    for each, lines in writer.logs.items():
        writer.add("".join(f"{line}\n" for line in (lines if each != name else lines[:half])), each)
    follower.poll()
    follower.poll()
    (tmp_path / f"{name}.pmmc").rename(tmp_path / f"{name}.1")
    (tmp_path / f"{name}.pmmc").write_text(PART + "".join(f"{line}\n" for line in writer.logs[name][half:]))
    texts = [each.text for each in follower.poll()]
    assert any("is another file now" in text for text in texts)
    assert follower.finish().verdict == ACCEPTED
    assert follower.events == len(whole.lines)


def test_json_lines_and_a_header_that_comes_after_the_parts(tmp_path: Path) -> None:
    whole, source, folder = a_run(), tmp_path / "t.pmmc", tmp_path / "logs"
    folder.mkdir()
    source.write_text(whole.text())
    header, *events = converted(open_trace(source), "jsonl")
    follower = Follower(str(folder))
    (folder / "all.jsonl").write_text('{"pmmc-trace":1,"part":true}\n' + "\n".join(events) + "\n")
    assert follower.poll() == []
    assert follower.events == 0
    (folder / "header.jsonl").write_text(header + "\n")
    follower.poll()
    assert follower.finish().verdict == ACCEPTED


def test_a_line_whose_end_is_missing_waits_and_is_named_at_the_end(tmp_path: Path) -> None:
    path, whole = tmp_path / "one.pmmc", a_run()
    path.write_text(whole.text() + "A1 > p2")
    follower = Follower(str(path))
    assert follower.poll() == []
    verdict = follower.finish()
    assert verdict.verdict == ACCEPTED
    assert verdict.notes[0] == f"{path}:{len(whole.text().splitlines()) + 1} was begun and not finished, and is left out"


def test_habits_of_the_header_hold_over_many_looks(tmp_path: Path) -> None:
    lines = """\
pmmc-trace 1
config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=2 network=reliable proposals=lazy application=log
log R1,L1,A1,C1 complete
C1 > request c=C1:1
R1 < request c=C1:1
C1 > request c=C1:2
R1 < request c=C1:2
R1 > propose s=1 c=C1:2
R1 > propose s=2 c=C1:1
L1 > p1a b=0.L1
""".splitlines(keepends=True)
    path = tmp_path / "lazy.pmmc"
    follower = Follower(str(path))
    for line in lines:
        with path.open("a") as stream:
            stream.write(line)
        assert follower.poll() == []
    assert follower.finish().verdict == ACCEPTED


def test_partial_logs_say_what_is_wrong_and_never_that_all_is_well(tmp_path: Path) -> None:
    whole = a_run()
    decisions = [line for line in whole.lines if line.startswith("R") and " < decision " in line]
    header = replace(
        whole.header, logs={name: partial(frozenset({"decision"})) if name[0] == "R" else NOTHING for name in whole.header.logs}
    )
    path = tmp_path / "decisions.pmmc"
    path.write_text(Run(header, decisions).text())
    follower = Follower(str(path))
    follower.poll()
    slot = decisions[0].split(" s=")[1].split(" ")[0]
    with path.open("a") as stream:
        stream.write(f"R1 < decision s={slot} c=C1:77\n")
    (remark,) = follower.poll()
    assert remark.text == "Agreement"
    assert follower.finish().verdict == REJECTED
    path.write_text(Run(header, decisions).text())
    follower = Follower(str(path))
    follower.poll()
    verdict = follower.finish()
    assert verdict.verdict == INCONCLUSIVE and f"pmmc-check validate {path}" in str(verdict.reason)


def test_leaders_that_choose_their_ballots_are_judged_for_certain(tmp_path: Path) -> None:
    """Where replay has to guess, the relaxed one beside it decides: a forgotten promise is rejected, not only suspected."""
    whole = a_run()
    header = replace(whole.header, ballots="any")
    at = next(index for index, line in enumerate(whole.lines) if " > p1b " in line)
    broken = whole.lines[at].replace("b=0.L1", "b=3.L1", 1).replace("b=0.L2", "b=3.L2", 1)
    for lines, expected in ((whole.lines, ACCEPTED), ([*whole.lines[:at], broken, *whole.lines[at + 1 :]], REJECTED)):
        path = tmp_path / f"{expected}.pmmc"
        path.write_text(Run(header, lines).text())
        follower = Follower(str(path))
        remarks = follower.poll()
        assert follower.finish().verdict == expected
        assert (remarks[-1].kind == REJECTED) if remarks else expected == ACCEPTED


def test_leaders_without_calls_are_followed_too(tmp_path: Path) -> None:
    whole = a_run()
    kinds = partial(frozenset(KINDS) - {"adopted", "preempted"})
    header = replace(whole.header, logs={name: kinds if name[0] == "L" else kept for name, kept in whole.header.logs.items()})
    path = tmp_path / "calls.pmmc"
    path.write_text(Run(header, [line for line in whole.lines if " adopted " not in line and " preempted " not in line]).text())
    follower = Follower(str(path))
    assert follower.poll() == []
    assert follower.finish().verdict == ACCEPTED


def test_compressed_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.pmmc.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(TraceError, match="record it so, and compress it later"):
        Follower(str(path)).poll()


# ---- the command ----

HEADER_ONLY = "pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=2\nlog A1 complete\n"


@contextmanager
def following(*arguments: str, stdin: int | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "validate", "--follow", *arguments],
        cwd=ROOT,
        stdin=stdin,
        preexec_fn=heed_ctrl_c,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_fail_fast_ends_with_1_within_a_second_of_the_event(tmp_path: Path) -> None:
    whole = a_run()
    writer = Writer(tmp_path, whole)
    for line in whole.lines:
        writer.add(line + "\n", line.split(" ", 1)[0])
    with following(str(tmp_path), "--fail-fast") as process:
        time.sleep(1.5)
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        written = time.monotonic()
        writer.add("A1 < p2a b=0.L1 s=99 c=C1:99\n", "A1")  # nobody has sent this
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 1
        busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        assert time.monotonic() - written < 1.5 * busy + 2, "a busy machine may be slow, but not that slow"
    assert "no message is received that was not sent" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_summary_and_3(tmp_path: Path, number: signal.Signals) -> None:
    path, whole = tmp_path / "one.pmmc", a_run()
    path.write_text(whole.text())
    with following(str(path)) as process:
        time.sleep(1.5)
        process.send_signal(number)
        out, error = process.communicate(timeout=20)
    assert process.returncode == 3, error
    assert out.startswith(f"{path}: inconclusive ({len(whole.lines)} events")
    assert "nothing is wrong in what was read" in out


def test_a_signal_after_a_rejection_ends_it_with_1(tmp_path: Path) -> None:
    path = tmp_path / "one.pmmc"
    path.write_text((ROOT / "traces" / "bad-decision-changed.pmmc").read_text())
    with following(str(path), "--format", "json") as process:
        assert process.stdout is not None
        alarm = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert alarm["alarm"] == "rejected" and alarm["trace"]["failure"]["at"]["line"] == 21
    assert json.loads(out)["verdict"] == "rejected"
    assert process.returncode == 1


def test_standard_input_is_judged_as_it_comes_and_ends_when_it_is_closed() -> None:
    lines = (ROOT / "traces" / "good-one-command.pmmc").read_text()
    with following("-", stdin=subprocess.PIPE) as process:
        out, _ = process.communicate(lines, timeout=20)
    assert (process.returncode, out.split(" (")[0]) == (0, "-: accepted")
    with following("-", stdin=subprocess.PIPE) as process:
        out, error = process.communicate(lines + "R1 < nonsense", timeout=20)
    assert process.returncode == 2 and "-: bad input" in out and "nonsense" in error


def test_it_is_complete_when_nothing_was_written_for_so_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, junit = tmp_path / "one.pmmc", tmp_path / "out.xml"
    path.write_text(a_run().text())
    answer = in_process(capsys, "validate", "--follow", str(path), "--idle", "0.1", "--junit", str(junit))
    assert answer.returncode == 0 and "accepted" in answer.stdout
    assert 'failures="0"' in junit.read_text()


@pytest.mark.parametrize("text", [None, "", HEADER_ONLY])
def test_idle_ends_it_where_nothing_is_ever_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None) -> None:
    if text is not None:
        (tmp_path / "one.pmmc").write_text(text)
    answer = in_process(capsys, "validate", "--follow", str(tmp_path), "--idle", "0.1")
    assert answer.returncode == 3 and "nothing was recorded" in answer.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--fail-fast", "x"], "--fail-fast: needs --follow"),
        (["--idle", "3", "x"], "--idle: needs --follow"),
        (["--lag", "3", "x"], "--lag: needs --follow"),
        (["--follow", "x", "y"], "--follow: expected one path"),
        (["--follow", "x", "--jobs", "2"], "--jobs: not with --follow"),
        (["--follow", "x", "--html", "y"], "--html: not with --follow"),
        (["--follow", ".", "--lag", "-1"], "--lag: must not be negative"),
        (["--follow", "x", "--idle", "0"], "--idle: must be more than 0"),
        (["--follow", "x"], "x: no such file or directory"),
        (["--follow", "x", "--lag", "y"], "argument --lag: 'y' is no number; expected a number of seconds"),
        (["x", "--fail-under", "y"], "argument --fail-under: 'y' is no number; expected a number of percent, from 0 to 100"),
        (["-"], "validate --follow - does that"),
    ],
)
def test_options_that_do_not_go_together(capsys: pytest.CaptureFixture[str], given: list[str], said: str) -> None:
    answer = in_process(capsys, "validate", *given)
    assert answer.returncode == 2 and said in answer.stderr
