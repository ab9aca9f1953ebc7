"""Each trace that docs/trace-format.md shows is a whole one, and is accepted as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers import ROOT

from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED

EXAMPLES = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "docs" / "trace-format.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_shows_a_trace_in_either_format() -> None:
    assert [each.splitlines()[0].startswith('{"pmmc-trace"') for each in EXAMPLES] == [False, True]


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_trace_of_the_page_is_accepted(text: str, tmp_path: Path) -> None:
    (tmp_path / "copied").write_text(text, encoding="utf-8")
    verdict = judge(Source(tmp_path / "copied"))
    assert (verdict.failure, verdict.verdict, verdict.violations) == (None, ACCEPTED, ())
