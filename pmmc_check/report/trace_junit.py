"""`validate --junit FILE`: the JUnit XML that continuous integration reads, one test case a trace."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from pmmc_check.report.trace_text import explanation
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_xml(verdicts: Sequence[TraceVerdict]) -> str:
    """Rejected is a failure, bad input an error, and so is inconclusive: a build must not pass on it."""
    suite = ElementTree.Element("testsuite", name="pmmc-check validate", tests=str(len(verdicts)))
    suite.set("failures", str(sum(each.verdict == REJECTED for each in verdicts)))
    suite.set("errors", str(sum(each.verdict not in (ACCEPTED, REJECTED) for each in verdicts)))
    suite.set("time", f"{sum(each.seconds for each in verdicts):.3f}")
    for each in verdicts:
        case = ElementTree.SubElement(suite, "testcase", name=xml_text(each.file), classname="trace", time=f"{each.seconds:.3f}")
        if each.verdict != ACCEPTED:
            problem = ElementTree.SubElement(case, "failure" if each.verdict == REJECTED else "error", type=each.verdict)
            problem.set("message", xml_text(_message(each)))
            problem.text = xml_text("\n".join(explanation(each, whole=True)))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _message(verdict: TraceVerdict) -> str:
    if verdict.failure is not None:
        return verdict.failure.rule
    if verdict.violations:
        return f"{verdict.violations[0].invariant} is broken"
    label = "inconclusive: " if verdict.verdict == INCONCLUSIVE else ""
    return label + (verdict.reason or verdict.verdict).splitlines()[0]


def xml_text(text: str) -> str:
    """`text` without what XML cannot hold."""
    return _NOT_XML.sub("�", text)
