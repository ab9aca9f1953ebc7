"""What the terminal can show: its width and whether to use colour. Colour is rich's to find out, but for what an option says."""

from __future__ import annotations

import os
from typing import TextIO

from rich.console import Console

from pmmc_check.report.layout import Layout

WIDTH_WITHOUT_TERMINAL = 80
_WIDTH_MIN = 40


def layout(stream: TextIO, color: str, view: str | None = None) -> Layout:
    """How to write to `stream`. The width is that of COLUMNS, else the terminal's, else 80; in less than 40 columns nothing is readable.

    `color` is auto, always or never: auto is colour on a terminal, unless NO_COLOR is set, and elsewhere where FORCE_COLOR is."""
    console = Console(file=stream)
    width = _columns() or _terminals_columns(stream) or WIDTH_WITHOUT_TERMINAL
    colour = color == "always" or (color == "auto" and console.color_system is not None and not console.no_color)
    return Layout(max(width, _WIDTH_MIN), view, colour)


def _columns() -> int:
    """What COLUMNS says; 0 where it says nothing."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isdecimal() else 0


def _terminals_columns(stream: TextIO) -> int:
    """The width of the terminal that `stream` is, 0 where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0
