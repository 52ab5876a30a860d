"""How rows are shown: a table for a person, one JSON array for a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

if TYPE_CHECKING:
    from rich.console import JustifyMethod

_WIDE = 240

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
    """Print a table for a person; statuses are coloured on a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        right = all(isinstance(line[headings.index(heading)], int | float) for line in lines)
        first = heading == headings[0]
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=first)
    for line in lines:
        cells = [shown(cell) for cell in line]
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in cells))
    # Output that goes to a file or a pipe is not folded to eighty columns.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def shown(value: Any) -> str:
    """A cell's text."""
    if value is None:
        return "–"
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
