"""How rows are shown: a table for a person, one JSON array for a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.text import Text

_WIDE = 240
_SHORT = 24
"""A column of cells no longer than this is never broken, as the first one is not."""

_LEAST = 16
"""What a column of longer cells gets at the least."""

_FRAME = 3
"""What a table puts between two columns."""

_NOTHING = "–"

Column = tuple[str, Callable[[Any], Any]]
"""A heading, and what of a row stands under it."""

_COLOURS = {
    "done": "green",
    "released": "green",
    "registered": "green",
    "ok": "green",
    "answers": "green",
    "approve": "green",
    "held": "green",
    "refused": "red",
    "refuse": "red",
    "reject": "red",
    "failed": "red",
    "killed": "red",
    "dead": "red",
    "silent": "red",
    "alert": "red",
    "revoked": "red",
    "waiting": "yellow",
    "explain": "yellow",
    "immature": "yellow",
    "unmeasured": "yellow",
    "running": "cyan",
}


def print_json(value: Any) -> None:
    """Print JSON values, indented on a terminal and compact elsewhere."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    click.echo(orjson.dumps(value, default=_plain, option=option).decode())


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, as_json: bool, empty: str
) -> None:
    """Print a listing.

    Args:
        rows: as the ledger gave them.
        columns: for a person.
        as_json: one array with every row whole.
        empty: what to say to a person where there are none.
    """
    listed = list(rows)
    if as_json:
        print_json([dict(row) for row in listed])
        return
    if not listed:
        click.echo(empty)
        return
    print_table(
        [heading for heading, _ in columns], [[cell(row) for _, cell in columns] for row in listed]
    )


def print_table(headings: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Print a table for a person; statuses are coloured on a terminal.

    What is there to be copied, an id or a time, is never broken. A terminal that is too narrow for
    the table gets each row as lines of their own.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    rows = [[_text(cell) for cell in line] for line in lines]
    width = _FRAME * len(headings) - 1
    for place, heading in enumerate(headings):
        right = all(isinstance(line[place], int | float) for line in lines)
        justify: JustifyMethod = "right" if right else "left"
        longest = max([cell_len(heading), *(row[place].cell_len for row in rows)])
        whole = place == 0 or longest <= _SHORT
        least = longest if whole else _LEAST
        width += least
        table.add_column(heading, justify=justify, no_wrap=whole, min_width=least)
    for row in rows:
        table.add_row(*row)
    # Output that goes to a file or a pipe is not folded to the width of a terminal.
    console = _console(None if sys.stdout.isatty() else max(width, _WIDE))
    if width <= console.width:
        console.print(table)
    else:
        _print_apart(console, headings, rows)


def _console(width: int | None) -> Console:
    from rich.console import Console

    class Leaving(Console):
        """rich would end the process with 1 where a reader left: that is `main`'s to say."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Leaving(width=width)


def _print_apart(console: Console, headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Each row below the other, a line for each of its cells that says something."""
    from rich.text import Text

    width = max(map(len, headings))
    for row in rows:
        console.print()
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain not in {"", _NOTHING}:
                name = Text(f"{heading:<{width}}  ", style="bold")
                console.print(Text.assemble(name, cell), soft_wrap=True)
    console.print()


def _text(value: Any) -> Text:
    from rich.text import Text

    cell = shown(value)
    return Text(cell, style=_COLOURS.get(cell, ""), overflow="fold")


def shown(value: Any) -> str:
    """A cell's text."""
    if value is None:
        return _NOTHING
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def when(value: Any) -> str:
    """A time for a person: UTC to the second."""
    if not value:
        return "–"
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def digest(value: Any) -> str:
    """A digest for a person: its first twelve digits."""
    return str(value).removeprefix("sha256:")[:12] if value else "–"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(type(value).__name__)
