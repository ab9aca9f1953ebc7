"""Files that the command writes beside its standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pmmc_check.errors import UsageError

if TYPE_CHECKING:
    from pmmc_check.checker.result import Result
    from pmmc_check.model.model import Model


def writable(name: str | None) -> Path | None:
    """The path, after making sure that it can be written: a search must not be lost to a typo."""
    if name is None:
        return None
    path = Path(name)
    try:
        existed = path.exists()
        with path.open("a"):
            pass
        if not existed:
            path.unlink()
    except OSError as error:
        raise UsageError(f"--trace-out {name}: cannot be written: {error.strerror}; give a file in a folder that exists") from error
    return path


def write_trace(path: Path, result: Result, model: Model) -> None:
    """Writes the counterexample, whole or not at all: as JSON if the file's name says so, else as a trace."""
    from pmmc_check.report.explore_json import violation_as_json
    from pmmc_check.report.violation_trace import NotWritable, trace_lines

    if result.violation is None:
        print(f"pmmc-check explore: no counterexample, so {path} was not written", file=sys.stderr)
        return
    try:
        if path.suffix == ".json":
            text = json.dumps(violation_as_json(result.violation, model), ensure_ascii=False, indent=1) + "\n"
        else:
            text = "".join(f"{line.rstrip()}\n" for line in trace_lines(result.violation, model))
    except NotWritable as error:
        print(f"pmmc-check explore: {path} was not written: {error}; a file name that ends in .json always works", file=sys.stderr)
        return
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
