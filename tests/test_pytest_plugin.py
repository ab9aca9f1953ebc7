"""The pytest plugin, in test folders of its own."""

from __future__ import annotations

import shutil

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


TINY = "ACCEPTORS 1 LEADERS 1 REPLICAS 1 SLOTS 1\n"
NEVER = "INVARIANT Never ==\n  \\A c \\in Commands : ~Decided(1, c)\n"


def test_specs_are_tests_of_what_they_expect(pytester: pytest.Pytester) -> None:
    specs = {
        "plain": TINY,
        "fault": f"{TINY}{NEVER}EXPECT violated\n",
        "regression": f"{TINY}{NEVER}",
        "counted": f"{TINY}REDUCE none\nEXPECT holds\nSTATES 7\n",
        "unreached": f"{TINY}WITNESS Far == acceptor[A1].ballot.round > 5\n",
        "typo": f"{TINY}INVARIANT Agrement\n",
    }
    for name, text in specs.items():
        (pytester.path / f"{name}.spec").write_text(text)
    _run(pytester).assert_outcomes()
    result = _run(pytester, "-o", "pmmc_collect=true", "-v")
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines(["fault.spec::violated PASSED*", "plain.spec::holds PASSED*"])
    result.stdout.fnmatch_lines(
        ["*counted.spec: NOT AS EXPECTED: it expects `holds` and 7 states, but found `holds` and * states*", "*Captured pmmc-check report*"]
    )
    result.stdout.fnmatch_lines(["VIOLATED: Never: ~Decided(1, c) is false for c = c1*", "*A shortest run that breaks it*"])
    result.stdout.fnmatch_lines(["typo.spec:2:11: Agrement is neither built in nor defined above*"])
    result.stdout.fnmatch_lines(["NONE: Far: none of the * states*"])
    assert "Traceback" not in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()


def test_a_trace_is_expected_to_be_what_its_header_says_and_a_file_that_is_named_needs_no_option(pytester: pytest.Pytester) -> None:
    for name, source, verdict in (("known", BAD, "rejected"), ("fixed", GOOD, "rejected"), ("good", GOOD, "accepted")):
        text = source.read_text().replace("pmmc-trace 1\n", f"pmmc-trace 1\nconfig meta.expect={verdict}\n")
        (pytester.path / f"{name}.pmmc").write_text(text)
    result = _run(pytester, "known.pmmc", "fixed.pmmc", "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["known.pmmc::rejected PASSED*", "fixed.pmmc: accepted, expected rejected (meta.expect)*"])
    assert "Traceback" not in result.stdout.str()


def test_a_trace_in_parts_is_one_test(pytester: pytest.Pytester) -> None:
    shutil.copytree(ROOT / "traces" / "parts", pytester.path / "parts")
    result = _run(pytester, "-o", "pmmc_collect=true", "-v")
    result.assert_outcomes(passed=1)


def test_a_gate_is_a_test_too(pytester: pytest.Pytester) -> None:
    (pytester.path / "bad.pmmc").write_bytes(BAD.read_bytes())
    pytester.makepyfile("def test_gate(pmmc):\n    pmmc.gate('bad.pmmc', remember=False).assert_passed()\n")
    result = _run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 check: 1 NOT AS EXPECTED", "NOT AS EXPECTED: bad.pmmc: rejected, expected accepted: *"])
    assert "CheckFailed" not in result.stdout.str().partition("short test summary")[0]


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
