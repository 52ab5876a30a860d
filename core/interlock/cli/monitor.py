"""``monitor``: what was served, compared with what was expected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from interlock.cli.options import Chosen, json_option, stack_options
from interlock.cli.watching import trace_option, watching

if TYPE_CHECKING:
    from pathlib import Path


class Instant(click.ParamType["int | datetime"]):
    """A point of a window: a period such as 2018, or a time such as 2018-01-31T00:00:00Z."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | datetime:
        if isinstance(value, int | datetime):
            return value
        try:
            return int(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r}: write a period (2018) or a time (2018-01-31T00:00:00Z)")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.option("--from", "start", type=Instant(), help="Where the window starts; inside it.")
@click.option("--to", "end", type=Instant(), help="Where the window ends; outside it.")
@click.option("--all", "everything", is_flag=True, help="Show every finding, not the notable.")
@trace_option
@json_option
@stack_options
def monitor(
    chosen: Chosen,
    *,
    start: int | datetime | None,
    end: int | datetime | None,
    everything: bool,
    trace: Path | None,
    as_json: bool,
) -> int:
    """Look at what was served since it was last looked at, or in a window.

    A window is over the task's time column where requests carry it, else over the time of
    capture. Exits with 5 where something was found, with 0 where there was no traffic.
    """
    from interlock.cli.render import print_json
    from interlock.cli.report import TerminalReporter
    from interlock.codec import encode
    from interlock.errors import DONE, FOUND
    from interlock.ids import new_id
    from interlock.lifecycle.monitoring import monitor_endpoint

    with watching(chosen, trace=trace), TerminalReporter() as reporter:
        session = chosen.session(reporter)
        with session.workspace(new_id("monitor")) as workspace:
            seen = monitor_endpoint(session, workspace=workspace, start=start, end=end)
    if as_json:
        print_json([encode(window) for window in seen])
    elif not seen:
        where = "in this window" if start is not None or end is not None else "since the last look"
        click.echo(f"No traffic {where}: nothing to look at.")
    for window in () if as_json else seen:
        _show(window, everything=everything)
    alerts = any(finding.status == "alert" for window in seen for finding in window.findings)
    return FOUND if alerts else DONE


def _show(window: Any, *, everything: bool) -> None:
    from interlock.cli.render import print_table
    from interlock.ids import short
    from interlock_hookspecs import window_text

    again = " (looked at before)" if window.known else ""
    click.echo(
        f"{window_text(window.start, window.end)}: {window.rows:,} rows by "
        f"{short(window.release)}, {window.labelled:,} labelled{again}"
    )
    shown = [
        finding
        for finding in window.findings
        if everything or finding.status != "ok" or not finding.subject
    ]
    headings = ["finding", "status", "value", "alerts", "n", "why"]
    lines = [
        [
            finding.label,
            finding.status,
            finding.value,
            f"{finding.op} {finding.threshold:.4g}" if finding.threshold is not None else None,
            finding.n,
            finding.reason,
        ]
        for finding in shown
    ]
    if lines:
        print_table(headings, lines)
    quiet = len(window.findings) - len(shown)
    if quiet:
        click.echo(f"{quiet} more are ok (--all shows them)")
