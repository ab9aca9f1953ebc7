"""The pytest plugin, in test folders of its own."""

from __future__ import annotations

import pytest
from helpers import ROOT

import pmmc_check

pytest_plugins = ["pytester"]

BAD, GOOD = (ROOT / "traces" / name for name in ("bad-two-decisions.pmmc", "good-one-command.pmmc"))


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    """What is first imported in an inner run is forgotten after it, and numba cannot be imported twice."""
    pmmc_check.explore(acceptors=1, slots=1, commands=2, variants=["ignore-pmax"], invariants=["Agreement"]).text()


def _run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "pmmc_check.pytest_plugin", "-p", "no:cacheprovider", *arguments)


def test_good_results_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_safe(pmmc):
            pmmc.explore(acceptors=1, slots=1).assert_holds()

        def test_run(pmmc):
            pmmc.validate({str(GOOD)!r}).assert_accepted()
            assert pmmc.simulate(events=20).text.startswith("pmmc-trace 1")
        """
    )
    _run(pytester).assert_outcomes(passed=2)


def test_failures_show_the_explanation_and_the_report_and_no_traceback(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_safe(pmmc):
            pmmc.explore(acceptors=1, slots=1, commands=2, variants=["ignore-pmax"], invariants=["Agreement"]).assert_holds()

        def test_run(pmmc):
            pmmc.validate({str(BAD)!r}).assert_accepted()

        def test_of_their_own():
            assert 1 == 2
        """
    )
    result = _run(pytester)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["VIOLATED: Agreement:*", "*pmmc-check report*", "*A shortest run that breaks it*"])
    result.stdout.fnmatch_lines(["*Agreement is broken*", "*pmmc-check report*"])
    text = result.stdout.str()
    assert "assert_holds()" not in text
    assert "CheckFailed" not in text.partition("short test summary")[0]
    assert "assert 1 == 2" in text


def test_traces_are_tests_only_where_that_is_asked_for(pytester: pytest.Pytester) -> None:
    for each in (GOOD, BAD):
        (pytester.path / each.name).write_bytes(each.read_bytes())
    pytester.makefile(".pmmc", broken="this is no trace")
    _run(pytester).assert_outcomes()
    pytester.makeini("[pytest]\npmmc_collect = true")
    result = _run(pytester)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*Agreement is broken*"])
    result.stdout.fnmatch_lines(["*bad input*"])
    assert "Traceback" not in result.stdout.str()


RECORDING = """
    def test_recorded(pmmc_trace):
        everyone = {"replicas": ["R1"], "leaders": ["L1"], "acceptors": ["A1"], "window": 5, "network": ["lossy"]}
        pmmc_trace.configure({"A1": "complete"}, **everyone)
        log = pmmc_trace.writer("A1")
        assert log is pmmc_trace.writer("A1")
        log.receive("p1a", b="0.L1")
        log.send("p1b", b="BALLOT", accepted=[], to="0.L1")
"""


def test_what_a_test_records_is_judged_at_its_end(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RECORDING.replace("BALLOT", "0.L1"))
    _run(pytester).assert_outcomes(passed=1)


def test_a_recorded_run_that_is_not_legal_is_an_error_with_its_explanation(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RECORDING.replace("BALLOT", "3.L1"))
    result = _run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*rejected (*", "*expected*", "*observed*", "*pmmc-check report*"])
    assert "pytest_plugin.py" not in result.stdout.str()


def test_a_recording_without_its_configuration_says_so_and_one_that_is_not_used_costs_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_unused(pmmc_trace):
            pass

        def test_forgotten(pmmc_trace):
            pmmc_trace.writer("A1").receive("p1a", b="0.L1")
        """
    )
    result = _run(pytester)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*pmmc_trace.configure(...) was never called*"])


def test_the_plugin_imports_nothing_until_it_is_used(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            assert not [each for each in sys.modules if each.startswith(("numba", "pmmc_check.api"))]
        """
    )
    pytester.runpytest_subprocess("-p", "pmmc_check.pytest_plugin").assert_outcomes(passed=1)
