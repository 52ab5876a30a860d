"""``labels``: truths that arrive later."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.cli.following import following
from interlock.cli.options import Chosen, WholeLines, json_option, page_options, stack_options


@click.group(cls=WholeLines)
def labels() -> None:
    """Bring the truths that arrive later, and list what came."""


@labels.command()
@click.argument("source")
@stack_options
def add(chosen: Chosen, *, source: str) -> int:
    """Keep the labels in SOURCE: a file, a glob or an address with the task's id and target."""
    from interlock.cli.report import TerminalReporter
    from interlock.lifecycle.labels import add_labels

    with TerminalReporter() as reporter:
        session = chosen.reading(reporter)
        here = str(Path(source).absolute()) if "://" not in source else source
        added = add_labels(session, here, session.task)
    without = (
        f" {added.without:,} rows have no label or no id, and are left out."
        if added.without
        else ""
    )
    if added.known:
        click.echo(f"These {added.rows:,} labels were added before; nothing changed.{without}")
        return 0
    click.echo(f"{added.rows:,} labels added.{without}")
    following("interlock monitor (with --from and --to for a window looked at before)")
    return 0


@labels.command("list")
@json_option
@page_options
@stack_options
def list_labels(chosen: Chosen, *, as_json: bool, limit: int) -> int:
    """List deliveries of labels, the latest first."""
    from interlock.cli.render import digest, print_rows, when
    from interlock.ids import short

    session = chosen.reading()
    rows = session.ledger.reads.labels(project=session.project, limit=limit)
    columns = [
        ("labels", lambda row: short(row["id"])),
        ("rows", lambda row: row["rows"]),
        ("digest", lambda row: digest(row["body"]["digest"])),
        ("at", lambda row: when(row["at"])),
        ("source", lambda row: row["body"]["source"]),
    ]
    print_rows(rows, columns, as_json=as_json, empty="No labels yet.")
    return 0
