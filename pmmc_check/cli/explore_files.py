"""All files that `explore` writes beside its report, opened before the search."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass

from pmmc_check.cli.exports import ExportFiles, TlaFolder
from pmmc_check.cli.graphs import GraphFile, graph_file
from pmmc_check.cli.outputs import OutputFile, check_apart
from pmmc_check.cli.pages import PageFile


@dataclass(frozen=True)
class SearchFiles:
    """Those that were asked for."""

    trace_out: OutputFile | None
    drawing: GraphFile | None
    exports: ExportFiles
    tla: TlaFolder | None
    page: PageFile

    @staticmethod
    def opened(arguments: argparse.Namespace, stack: ExitStack) -> SearchFiles:
        """Opens them; `stack` closes them again.

        Raises:
            UsageError: one cannot be written, two are the same, or a name tells no format.
        """
        exports = [("--export", name) for name in arguments.export]
        check_apart([("--trace-out", arguments.trace_out), ("--graph", arguments.graph), ("--html", arguments.html), *exports])
        trace_out = stack.enter_context(OutputFile("--trace-out", arguments.trace_out)) if arguments.trace_out is not None else None
        drawing = graph_file(arguments)
        if drawing is not None:
            stack.enter_context(drawing.file)
        runs = stack.enter_context(ExportFiles("explore", arguments.export))
        tla = stack.enter_context(TlaFolder(arguments)) if arguments.export_tla is not None else None
        return SearchFiles(trace_out, drawing, runs, tla, stack.enter_context(PageFile(arguments.html)))
