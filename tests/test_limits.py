"""A search that a limit stops is inconclusive and says which limit; it never says that invariants hold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers import ROOT, compiled, environment, explored, heed_ctrl_c, options, reference, small

from pmmc_check.checker.result import Limits, Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.report.explore_text import as_text

CONFIG = small(leaders=2, replicas=2, commands=2)
LIMITS = {
    "state": (Limits(states_max=1), "1 state (--max-states) was reached"),
    "states": (Limits(states_max=100), "100 states (--max-states) were reached"),
    "depth": (Limits(depth_max=5), "depth 5 (--max-depth) was reached; deeper states exist"),
    "time": (Limits(seconds_max=1e-9), "1e-09 seconds (--time-limit) have passed"),
    "memory": (Limits(memory_bytes_max=1), "take a smaller configuration, or raise --max-memory"),
}


def _search(engine: str, config: Config, limits: Limits, **more: Any) -> Result:
    return reference(config, limits=limits, **more) if engine == "reference" else compiled(config, limits=limits, **more)[1]


every_engine = pytest.mark.parametrize("engine", ["compiled", "reference"])


@every_engine
@pytest.mark.parametrize(("limits", "text"), LIMITS.values(), ids=LIMITS)
def test_a_limit_makes_the_verdict_inconclusive_and_is_named(engine: str, limits: Limits, text: str) -> None:
    result = _search(engine, CONFIG, limits)
    assert (result.verdict, result.violation) == ("inconclusive", None)
    assert result.limit is not None
    assert text in result.limit
    assert {result.invariant_verdict(name) for name in result.invariants} == {"inconclusive"}
    report = as_text(result, Model(CONFIG))
    assert report.startswith("INCONCLUSIVE")
    assert " hold" not in report


@every_engine
def test_a_limit_that_is_not_reached_changes_nothing(engine: str) -> None:
    limits = Limits(states_max=10**6, depth_max=100, seconds_max=1e6, memory_bytes_max=2**60)
    result = _search(engine, small(), limits)
    assert (result.verdict, result.limit, result.distinct_states) == ("holds", None, _search(engine, small(), Limits()).distinct_states)


@every_engine
def test_a_depth_limit_as_deep_as_the_configuration_still_holds(engine: str) -> None:
    depth = _search(engine, small(), Limits()).depth
    assert _search(engine, small(), Limits(depth_max=depth)).verdict == "holds"
    assert _search(engine, small(), Limits(depth_max=depth - 1)).verdict == "inconclusive"


@pytest.mark.parametrize("limit", [1, 7, 1000, 5000])
def test_the_compiled_search_expands_exactly_as_many_states_as_the_limit(limit: int) -> None:
    assert compiled(CONFIG, reduce="none", limits=Limits(states_max=limit))[1].distinct_states == limit


@every_engine
@pytest.mark.parametrize("limits", [Limits(states_max=10**6), Limits(depth_max=40), Limits(seconds_max=1e6)])
def test_a_violated_search_stays_violated_under_a_limit_that_comes_later(engine: str, limits: Limits) -> None:
    result = _search(engine, CONFIG, limits, protocol=protocol_with(["accept-lower-ballot"]))
    assert (result.verdict, result.limit) == ("violated", None)


def test_a_violation_that_was_met_before_the_limit_is_reported_and_not_called_inconclusive() -> None:
    protocol = protocol_with(["ignore-pmax"])
    unlimited = compiled(CONFIG, protocol)[1]
    verdicts = {}
    for states in range(10, unlimited.distinct_states + 10, max(1, unlimited.distinct_states // 12)):
        result = compiled(CONFIG, protocol, limits=Limits(states_max=states))[1]
        verdicts[states] = result.verdict
        assert (result.verdict == "violated") == (result.violation is not None)
        assert result.verdict != "holds"
    assert list(verdicts.values()) == sorted(verdicts.values())  # "inconclusive" first, then only "violated"


@pytest.mark.parametrize("option", [{"max_states": 1000}, {"max_depth": 6}, {"time_limit": 0.01}, {"max_memory": 1}], ids=str)
def test_the_command_ends_with_3_when_a_limit_stops_it(option: dict[str, Any]) -> None:
    process = _started("--format", "json", *options(**option), slots=2)
    out, _ = process.communicate(timeout=100)
    answer = json.loads(out)
    assert (process.returncode, answer["verdict"]) == (3, "inconclusive")
    assert f"--{next(iter(option)).replace('_', '-')}" in answer["limit"]
    assert {each["verdict"] for each in answer["properties"]} == {"inconclusive"}


PROCESSOR_SECONDS_UNTIL_SEARCHING = 3.0


def _started(*arguments: str, **counts: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pmmc_check", "explore", *options(**counts), *arguments],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip


def _wait_until_searching(process: subprocess.Popen[str]) -> None:
    """Waits until the process handles SIGINT itself, as it does for as long as it searches, and has worked for some seconds, however long
    that takes on a busy machine."""
    python_default = 1 << (signal.SIGINT - 1)
    seen_numpy = False
    while process.poll() is None and not seen_numpy:
        time.sleep(0.05)
        with open(f"/proc/{process.pid}/maps", encoding="utf-8", errors="replace") as maps:
            seen_numpy = "_multiarray_umath" in maps.read()
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
        caught = int(next(line for line in status if line.startswith("SigCgt")).split()[1], 16)
    assert caught & python_default
    while process.poll() is None and sum(psutil.Process(process.pid).cpu_times()[:2]) < PROCESSOR_SECONDS_UNTIL_SEARCHING:
        time.sleep(0.05)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at the process in /proc")
@pytest.mark.parametrize(
    ("form", "number", "how"),
    [
        ("text", signal.SIGINT, []),
        ("json", signal.SIGTERM, []),
        pytest.param("text", signal.SIGINT, ["--engine", "symbolic", "--reduce", "none"], marks=pytest.mark.slow),
        ("json", signal.SIGTERM, ["--engine", "symbolic", "--reduce", "none"]),
    ],
)
def test_interrupting_the_command_gives_the_partial_result_and_3(
    form: str, number: signal.Signals, how: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    explored(capsys, *options(acceptors=1, leaders=1, replicas=1, slots=1), *how)  # so that nothing has to be compiled any more
    process = _started("--format", form, *how, rounds=2, threads=1)
    _wait_until_searching(process)
    for _ in range(2):  # as `timeout` does, which signals the command and then its group
        process.send_signal(number)
        time.sleep(0.01)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 3, err
    assert "Traceback" not in err
    if form == "json":
        answer = json.loads(out)
        assert (answer["verdict"], answer["limit"], answer["violation"]) == ("inconclusive", "interrupted", None)
        assert answer["distinct_states"] > 1
    else:
        assert out.startswith("INCONCLUSIVE: the search was stopped before the end: interrupted")


def test_the_same_search_without_a_limit_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert explored(capsys, *options(acceptors=1, leaders=1, replicas=1, slots=1))["verdict"] == "holds"


@pytest.mark.parametrize(
    "config", [small(), small(acceptors=2), pytest.param(small(commands=2), marks=pytest.mark.slow)], ids=["32", "106", "116"]
)
def test_fewer_states_than_there_are_never_hold(config: Config) -> None:
    total = compiled(config, reduce="none")[1].distinct_states
    for states_max in range(1, total):
        result = compiled(config, reduce="none", limits=Limits(states_max=states_max))[1]
        assert (result.verdict, result.distinct_states) == ("inconclusive", states_max)
    assert compiled(config, reduce="none", limits=Limits(states_max=total))[1].verdict == "holds"


def test_a_signal_that_is_raised_within_a_text_that_python_runs_is_exit_3_as_anywhere(tmp_path: Path) -> None:
    """As where a dataclass is made while a module loads: `python -m` by itself would then end by the signal, at its very end."""
    (tmp_path / "command.py").write_text(
        "import sys, types, pmmc_check.cli.main as command\n"
        "text = 'import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)'\n"
        "command.module_of = lambda verb: types.SimpleNamespace(run=lambda arguments: exec(text))\n"
        "sys.argv[1:] = ['variants']\n"
        "command.entry()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "command"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=heed_ctrl_c,
    )
    assert (done.returncode, done.stderr) == (3, "pmmc-check variants: interrupted before there was a result\n")
