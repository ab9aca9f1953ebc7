"""The Python API: what docs/api.md promises."""

from __future__ import annotations

import doctest
import gc
import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, VARYING, explored, options

import pmmc_check
from pmmc_check.api.options import SearchOptions
from pmmc_check.examples.tidy_acceptor import TidyAcceptor

TINY: dict[str, Any] = {"acceptors": 1, "leaders": 1, "replicas": 1, "slots": 1}
FAULTY: dict[str, Any] = {"acceptors": 1, "slots": 1, "commands": 2, "variants": ["ignore-pmax"], "invariants": ["Agreement"]}
BAD = ROOT / "traces" / "bad-two-decisions.pmmc"
GOOD = ROOT / "traces" / "good-one-command.pmmc"


def test_the_examples_of_the_page_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testfile(str(ROOT / "docs" / "api.md"), module_relative=False)
    assert (done.failed, done.attempted > 10) == (0, True)


def test_every_public_name_is_there_and_another_is_an_attribute_error() -> None:
    assert all(getattr(pmmc_check, name) is not None for name in pmmc_check.__all__)
    assert set(pmmc_check.__all__) <= set(dir(pmmc_check))
    with pytest.raises(AttributeError, match="no attribute 'explode'"):
        _ = pmmc_check.explode


def test_the_import_loads_nothing_else() -> None:
    code = "import sys, pmmc_check; print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'numba', 'rich') or 'pmmc_check.' in m])"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_parameters_of_explore_are_the_options_of_a_search() -> None:
    parameters = list(inspect.signature(pmmc_check.explore).parameters.values())
    assert [(each.name, each.default) for each in parameters if each.name not in ("spec", "progress")] == [
        (each.name, each.default) for each in fields(SearchOptions)
    ]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_command_and_the_function_give_the_same_object(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(json.dumps(pmmc_check.explore(**TINY, engine=engine).to_json()))
    printed = explored(capsys, *options(**TINY, engine=engine))
    assert {k: v for k, v in found.items() if k not in VARYING} == {k: v for k, v in printed.items() if k not in VARYING}


def test_what_is_violated_is_told_with_the_reasons_and_the_run_is_a_trace(tmp_path: Path) -> None:
    found = pmmc_check.explore(**FAULTY)
    with pytest.raises(AssertionError, match="VIOLATED: Agreement") as failed:
        found.assert_holds()
    assert isinstance(failed.value, pmmc_check.CheckFailed)
    assert "has 14 steps" in str(failed.value)
    assert len(str(failed.value)) < len(found.text())
    trace = found.trace()
    assert trace is not None
    (tmp_path / "run.pmmc").write_text(trace)
    assert pmmc_check.validate(tmp_path / "run.pmmc").verdict == "rejected"
    assert "VIOLATED: Agreement" in found._repr_html_()


def test_an_inconclusive_search_does_not_hold() -> None:
    found = pmmc_check.explore(**TINY, max_states=2)
    assert (found.verdict, found.trace()) == ("inconclusive", None)
    with pytest.raises(pmmc_check.CheckFailed, match="INCONCLUSIVE"):
        found.assert_holds()


def test_every_number_of_slots_has_the_same_interface() -> None:
    found = pmmc_check.explore(slots="any", acceptors=1, ballots=2, variants=["ignore-pmax"])
    assert (found.verdict, found.violated in {"C2", "Agreement"}) == ("violated", True)
    assert found.to_json()["slots"] == "any"
    assert found.seconds > 0
    assert found.distinct_states > 0
    with pytest.raises(pmmc_check.CheckFailed, match="Why:"):
        found.assert_holds()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pmmc_check.explore(invariants=["Agrement"]), "did you mean Agreement"),
        (lambda: pmmc_check.explore(ballots=2), "add --slots any"),
        (lambda: pmmc_check.explore(roles=[int]), "roles: <class 'int'> is no role"),
        (lambda: pmmc_check.explore(strategy="random"), "walks never end"),
        (pmmc_check.validate, "no path"),
        (lambda: pmmc_check.validate("no-such.pmmc"), "no such file"),
        (lambda: pmmc_check.validate(GOOD, jobs=0), "at least 1"),
        (lambda: pmmc_check.simulate(loss_rate=2), "between 0 and 1"),
        (lambda: pmmc_check.simulate(network=["wet"]), "no such assumption"),
        (lambda: pmmc_check.simulate(format="xml"), "expected one of"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_used_is_a_usage_error(call: Callable[[], object], message: str) -> None:
    with pytest.raises(pmmc_check.UsageError, match=message):
        call()


def test_progress_is_told_and_what_it_raises_ends_the_search() -> None:
    snapshots: list[pmmc_check.Snapshot] = []
    pmmc_check.explore(slots=2, progress=snapshots.append)
    assert snapshots

    def enough(snapshot: pmmc_check.Snapshot) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        pmmc_check.explore(slots=2, progress=enough)


def test_threads_do_not_disturb_each_other_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    thresholds = gc.get_threshold()
    jobs: list[Callable[[], str]] = [
        lambda: pmmc_check.explore(**FAULTY, threads=1).verdict,
        lambda: pmmc_check.explore(**TINY, engine="reference").verdict,
        lambda: pmmc_check.validate(GOOD).verdict,
        lambda: pmmc_check.validate(BAD).verdict,
        lambda: pmmc_check.simulate(seed=3, events=50).text,
        lambda: pmmc_check.explore(acceptors=1, slots=1, roles=TidyAcceptor, threads=1).verdict,
    ] * 2
    alone = [job() for job in jobs[:6]] * 2
    assert threading.current_thread() is threading.main_thread()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda job: job(), jobs)) == alone
    assert alone[:4] == ["violated", "holds", "accepted", "rejected"]
    assert capfd.readouterr() == ("", "")
    assert gc.get_threshold() == thresholds


def test_several_traces_have_their_verdicts_in_the_order_of_the_paths() -> None:
    found = pmmc_check.validate(BAD, GOOD, jobs=2)
    assert [each.verdict for each in found.traces] == ["rejected", "accepted"]
    assert (found.verdict, found.to_json()["verdict"]) == ("rejected", "rejected")
    with pytest.raises(pmmc_check.CheckFailed, match="Agreement is broken") as failed:
        found.assert_accepted()
    assert "good-one-command" not in str(failed.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"acceptors": "x"}, "acceptors='x': expected a whole number, found str"),
        ({"acceptors": True}, "acceptors=True: expected a whole number, found bool"),
        ({"slots": 1.5}, "slots=1.5: expected a whole number, or any, found float"),
        ({"time_limit": "1"}, "time_limit='1': expected a number, found str"),
        ({"find": [3]}, "find=[3]: expected a string or a list of strings, found list"),
        ({"network": 3}, "network=3: expected a string, found int"),
        ({"keep_going": 1}, "keep_going=1: expected True or False, found int"),
        ({"engine": "compild"}, "engine='compild': expected one of compiled, symbolic, auto, reference (did you mean compiled?)"),
    ],
)
def test_a_value_of_a_wrong_type_is_a_usage_error_that_says_what_is_expected(given: dict[str, Any], told: str) -> None:
    with pytest.raises(pmmc_check.UsageError) as refused:
        pmmc_check.explore(**given)
    assert str(refused.value) == told


@pytest.mark.parametrize("name", ["find", "invariants", "variants", "constraints", "faulty"])
def test_one_string_stands_for_a_list_of_it(name: str) -> None:
    one: dict[str, Any] = {name: "decided"}
    assert list(getattr(SearchOptions(**one), name)) == ["decided"]


def test_the_other_functions_check_types_alike() -> None:
    wrong: Any = "x"
    with pytest.raises(pmmc_check.UsageError, match="events='x': expected a whole number"):
        pmmc_check.simulate(events=wrong)
    with pytest.raises(pmmc_check.UsageError, match="jobs='x': expected a whole number"):
        pmmc_check.validate(BAD, jobs=wrong)
    assert pmmc_check.simulate(events=20, variants="ignore-pmax").events
