"""How wide and colourful a report is. Tables, wrapping and colour are rich's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

VIEWS = ("list", "table", "lanes")
"""The ways to show a counterexample."""
WIDE = 150
"""From this width on, in columns, a counterexample is a table unless something else is asked for."""


@dataclass(frozen=True)
class Layout:
    """`width` in columns; `view` is one of `VIEWS`, or None for what suits the width; `colour`: with ANSI escape sequences."""

    width: int = 80
    view: str | None = None
    colour: bool = False

    @property
    def chosen_view(self) -> str:
        """The view, also where none was asked for."""
        return self.view or ("table" if self.width >= WIDE else "list")


def rendered(parts: Iterable[RenderableType], layout: Layout) -> str:
    """`parts` one below the other, without blanks at the ends of lines. A `Text` with `no_wrap` stays one line, however long."""
    stream = StringIO()
    console = Console(
        file=stream,
        width=layout.width,
        force_terminal=layout.colour,
        color_system="standard" if layout.colour else None,
        no_color=not layout.colour,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().split("\n")[:-1])


def labelled(rows: Iterable[tuple[str, str | Text]], label_width: int) -> Table:
    """Two columns: a label, empty where a row goes on with the one above, and a text that wraps."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True, min_width=label_width)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(Text(label), text if isinstance(text, Text) else Text(text))
    return grid
