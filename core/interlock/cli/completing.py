"""What a shell completes beside commands and options: stacks, and what the ledger has ids of.

A key was pressed, and a person waits: no plugin is imported, a ledger on a server is given a
moment, and whatever is wrong is for the command itself to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

Found = Callable[["click.Context"], Iterator[tuple[str, str]]]
"""Gives what there is, each with a few words on it."""
Complete = Callable[["click.Context", "click.Parameter", str], "list[CompletionItem]"]

_MOST = 50
_MOMENT = 0.8
"""Seconds that a ledger on a server has: what else there is to do takes the rest of one."""
_TOLD: Mapping[str, str] = MappingProxyType(
    {
        "runs": "{status} by {actor}, {stack}, {started_at:.16}",
        "versions": "version {number} of {name}, {at:.16}",
        "releases": "version {number} at {endpoint}, {at:.16}",
        "deployments": "{endpoint} is {status}, {at:.16}",
    }
)
"""What is told of a row of a table, beside its short id."""


def _completing(found: Found) -> Complete:
    """Keep what begins with what was typed, and be silent about everything else."""

    def complete(
        ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            known = dict(found(ctx))
        except Exception:  # noqa: BLE001  (a traceback in a prompt helps nobody)
            return []
        return [
            CompletionItem(name, help=text)
            for name, text in known.items()
            if name.startswith(incomplete)
        ]

    return complete


def _stacks(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from interlock.stack.problems import Problems
    from interlock.stack.sources import find_file, read_sources
    from interlock.stack.tables import stack_tables

    file = find_file(Path.cwd(), ctx.params.get("stack_file"))
    # Mistakes in the file are nothing to a name.
    for name in stack_tables(tuple(read_sources(file).all()), Problems()):
        yield name, ""


def _plugins(_ctx: click.Context) -> Iterator[tuple[str, str]]:
    from interlock.plugins.discover import installed

    for name, plugin in installed().items():
        yield name, plugin.version


def _models(ctx: click.Context) -> Iterator[tuple[str, str]]:
    for row in _rows(ctx, "versions"):
        yield row["model"].removeprefix("sha256:")[:12], "version {number} of {name}".format(**row)


def _ids(*tables: str) -> Found:
    def found(ctx: click.Context) -> Iterator[tuple[str, str]]:
        for row in _rows(ctx, *tables):
            told = {name: "" if value is None else value for name, value in row.items()}
            yield row["short"], _TOLD[row["table"]].format(**told)

    return found


def _rows(ctx: click.Context, *tables: str) -> Iterator[dict[str, Any]]:
    """The latest rows of the stack's ledger; none where it is not there, or too far away."""
    from interlock.ledger.file_reads import FileReads
    from interlock.ledger.glance import Question, glance
    from interlock.stack import load_stack

    given = ctx.params
    stack = load_stack(Path.cwd(), file=given.get("stack_file"), name=given.get("stack_name"))
    address, project = stack.address("ledger"), stack.project.name
    # Versions that came to nothing are rows, too.
    asked: list[Question] = [
        (table, {"status": "registered"} if table == "versions" else {}) for table in tables
    ]
    reads = FileReads.open(address)
    found: Sequence[Sequence[Mapping[str, Any]]]
    if reads is not None:
        found = [reads.listing(table, project, limit=_MOST, **only) for table, only in asked]
    else:
        found = glance(address, project, asked, most=_MOST, seconds=_MOMENT)
    for (table, _), rows in zip(asked, found, strict=False):
        for row in rows:
            yield {**row, "table": table}


stacks = _completing(_stacks)
plugins = _completing(_plugins)
models = _completing(_models)
runs = _completing(_ids("runs"))
versions = _completing(_ids("versions"))
releases = _completing(_ids("releases"))
subjects = _completing(_ids("runs", "versions"))
everything = _completing(_ids("runs", "versions", "releases", "deployments"))
