"""``review``: hold a run against the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from interlock.cli import completing
from interlock.cli.options import Chosen, json_option, stack_options
from interlock.cli.watching import trace_option, watching

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.session import Session
    from interlock_hookspecs import Bound, Verdict


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False, shell_complete=completing.runs)
@click.option(
    "--explain", is_flag=True, help="Show each bound with its numbers, and change nothing."
)
@trace_option
@json_option
@stack_options
def review(
    chosen: Chosen, *, run_id: str | None, explain: bool, trace: Path | None, as_json: bool
) -> int:
    """Hold RUN, or the latest run, against the policy, and release it where everything holds.

    Exits with 3 where a gate refuses and with 4 where a person has to decide.
    """
    from interlock.cli.run import advance

    if explain:
        return _explain(chosen, run_id, as_json=as_json)
    with watching(chosen, trace=trace):
        return advance(chosen, "review", run_id, again=False, as_json=as_json)


def _explain(chosen: Chosen, run_id: str | None, *, as_json: bool) -> int:
    from interlock.cli.render import print_json, print_table
    from interlock.cli.run import find_run
    from interlock.errors import UsageError
    from interlock.ids import short

    session = chosen.reading()
    run = find_run(session, run_id)
    held = session.ledger.reads.latest_review(run["id"])
    if held is None:
        msg = f"{short(run['id'])} was not reviewed yet"
        raise UsageError(msg, hint=f"interlock review {short(run['id'])}")
    lines = explained(session, held)
    if as_json:
        print_json(lines)
        return 0
    click.echo(f"{short(run['id'])}: {held['outcome']}, dossier {held['dossier']}")
    headings = ["judged", "bound", "value", "interval", "n", "verdict"]
    print_table(headings, [[line[heading] for heading in headings] for line in lines])
    for line in lines:
        click.echo(f"- {line['why']} ({line['by']})")
        if line["change"]:
            click.echo(f"  to change it: {line['change']}")
    for reason in held["body"]["reasons"]:
        if reason not in [line["why"] for line in lines]:
            click.echo(f"- {reason}")
    return 0


def explained(session: Session, held: Any) -> list[dict[str, Any]]:
    """Each verdict of a review with the check and the bound it rests on."""
    from interlock.codec import decode
    from interlock.lifecycle.dossiers import dossier_of
    from interlock_hookspecs import Verdict

    dossier = dossier_of(session, held)
    checks = {check.key: check for check in dossier.checks}
    verdicts = decode(tuple[Verdict, ...], held["body"]["verdicts"])
    lines = []
    for place, verdict in enumerate(verdicts):
        check = checks.get(verdict.check or verdict.subject)
        bounds = _judged_by(verdicts, place, dossier.policy.bounds)
        measured = check is not None and check.low is not None and check.high is not None
        lines.append(
            {
                "judged": verdict.subject,
                "bound": ", ".join(f"{one.text} ({one.severity})" for one in bounds) or None,
                "value": check.value if check else None,
                "interval": f"{check.low:.4g} to {check.high:.4g}" if measured and check else None,
                "n": check.n if check else None,
                "verdict": verdict.decision,
                "by": str(verdict.maker) if verdict.maker else None,
                "why": verdict.reason,
                "change": verdict.change,
            }
        )
    return lines


def _judged_by(verdicts: Sequence[Verdict], place: int, bounds: Sequence[Bound]) -> Sequence[Bound]:
    """The bound that a verdict judges; all of its key where it is not said which.

    An included policy and a project's own may each bound a check: whoever judges each in a verdict
    does so in the policy's order.
    """
    judged = verdicts[place]
    same = [bound for bound in bounds if bound.key == judged.subject]
    alike = [
        other
        for other, verdict in enumerate(verdicts)
        if (verdict.subject, verdict.maker) == (judged.subject, judged.maker)
    ]
    return [same[alike.index(place)]] if len(alike) == len(same) else same
