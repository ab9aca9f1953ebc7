"""A session's run as a trace that `validate` reads."""

from __future__ import annotations

import shlex

from pmmc_check.explorer.session import CannotStep, Session
from pmmc_check.report.violation_trace import NotWritable, trace_text


def saved_text(session: Session) -> str:
    """The run from the start to here, as a trace. It has been read back.

    Raises:
        CannotStep: a trace cannot record it.
    """
    if session.here.depth == 0:
        raise CannotStep("no step has been taken yet, so there is no run to save")
    subject = session.subject
    broken = next((name for each in session.here.trail for name in each.broken), None)
    try:
        return trace_text(session.here.run(broken or ""), subject.model, subject.variants)
    except NotWritable as error:
        raise CannotStep(f"this run cannot be saved as a trace: {error}") from None


def validate_command(session: Session, file: str) -> str:
    """The command that judges what was saved."""
    variants = [word for each in session.subject.variants for word in ("--variant", each)]
    return shlex.join(["pmmc-check", "validate", *variants, file])
