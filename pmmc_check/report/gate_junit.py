"""`gate --junit FILE`: the JUnit XML that continuous integration reads, one test case a check."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from pmmc_check.gating.checks import ALLOWED, UNEXPECTED, CheckResult
from pmmc_check.report.trace_junit import xml_text


def gate_as_junit(results: Sequence[CheckResult]) -> str:
    """Not as expected is a failure; bad input and inconclusive are errors, since a build must not pass on them; one that may be
    inconclusive counts as skipped."""
    suite = ElementTree.Element("testsuite", name="pmmc-check gate", tests=str(len(results)))
    suite.set("failures", str(sum(each.status == UNEXPECTED for each in results)))
    suite.set("errors", str(sum(not each.good and each.status != UNEXPECTED for each in results)))
    suite.set("skipped", str(sum(each.status == ALLOWED for each in results)))
    suite.set("time", f"{sum(_seconds(each) for each in results):.3f}")
    for each in results:
        case = ElementTree.SubElement(
            suite, "testcase", name=xml_text(each.check.name), classname=each.check.kind, time=f"{_seconds(each):.3f}"
        )
        case.set("file", xml_text(each.check.file))
        case.set("line", str(each.check.line))
        if each.status == ALLOWED:
            ElementTree.SubElement(case, "skipped", message=xml_text(each.sentence))
        elif not each.good:
            tag = "failure" if each.status == UNEXPECTED else "error"
            problem = ElementTree.SubElement(case, tag, type=each.outcome.verdict, message=xml_text(each.sentence))
            problem.text = xml_text("\n".join([each.sentence, *(f"{at.file}:{at.line}: {at.text}".rstrip(": ") for at in each.findings)]))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _seconds(result: CheckResult) -> float:
    return 0.0 if result.remembered else result.outcome.seconds
