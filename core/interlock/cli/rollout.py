"""``rollout``: what is on its way to an endpoint, and the controller that takes it there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from interlock.cli.following import following
from interlock.cli.options import Chosen, WholeLines, json_option, page_options, stack_options

if TYPE_CHECKING:
    from interlock.lifecycle.rollouts.control import Look
    from interlock.lifecycle.rollouts.state import Rollout
    from interlock.session import Session

_reason = click.option("--reason", required=True, help="Why; it is recorded.")


@click.group(cls=WholeLines)
def rollout() -> None:
    """Look after a rollout: `interlock run` and `interlock deploy` begin one.

    Each look does what is due: it enters a step, judges it, goes on, holds, or goes back.
    """


@rollout.command()
@json_option
@page_options
@stack_options
def status(chosen: Chosen, *, as_json: bool, limit: int) -> int:
    """List this endpoint's rollouts, the latest first, and where each is."""
    from interlock.cli.render import print_rows, when
    from interlock.ids import short
    from interlock.lifecycle.rollouts.state import rollout_of

    session = chosen.reading()
    stack = session.stack
    found = session.ledger.reads.rollouts(
        session.project, stack=stack.name, endpoint=stack.endpoint, limit=limit
    )
    rows = [{**row, "now": _now(rollout_of(row))} for row in found]
    columns = [
        ("rollout", lambda row: short(row["id"])),
        ("strategy", lambda row: row["strategy"]),
        ("release", lambda row: short(row["release"])),
        ("from", lambda row: short(row["champion"])),
        ("now", lambda row: row["now"]),
        ("since", lambda row: when(row["ended_at"] or row["entered_at"] or row["at"])),
        ("reason", lambda row: row["reason"]),
    ]
    print_rows(rows, columns, as_json=as_json, empty="Nothing was rolled out here.")
    return 0


@rollout.command()
@json_option
@stack_options
def advance(chosen: Chosen, *, as_json: bool) -> int:
    """Take one look, and do what is due.

    Exits with 0 where it goes on or has ended well, 4 where it holds for a person, 5 where it
    was taken out; with 0, too, where nothing is being rolled out.
    """
    from interlock.lifecycle.rollouts.state import open_rollout

    session = chosen.session()
    found = open_rollout(session)
    if found is None:
        return _none(session, as_json=as_json)
    return _told(_take_look(session, found), as_json=as_json)


@rollout.command()
@click.option(
    "--every", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds."
)
@json_option
@stack_options
def watch(chosen: Chosen, *, every: float, as_json: bool) -> int:
    """Look again and again, until it has ended or holds.

    It may be ended and begun again at any moment: what a rollout has come to stands in the
    ledger. Exits as `advance` does, also where somebody else has ended it.
    """
    from interlock.errors import HookFailed, LedgerError
    from interlock.lifecycle.rollouts.state import last_rollout

    session, found, said, trouble = chosen.session(), None, "", ""
    while True:
        try:
            found = found or last_rollout(session)
            if found is None:
                return _none(session, as_json=as_json)
            look, trouble = _take_look(session, found), ""
        except (HookFailed, LedgerError) as error:
            # A server or a ledger that is away comes back: what is served meanwhile goes on.
            if str(error) != trouble:
                trouble = str(error)
                click.echo(f"{click.style('!', fg='yellow', bold=True)} {error}", err=True)
            time.sleep(every)
            continue
        now = _now(look.rollout)
        if now != said:
            click.echo(f"  {now}", err=True)
            said = now
        if not look.waits_for:
            return _told(look, as_json=as_json)
        time.sleep(every)


@rollout.command()
@_reason
@json_option
@stack_options
def promote(chosen: Chosen, *, reason: str, as_json: bool) -> int:
    """Take it to its next step, whatever is seen of it; from the last one, to the whole."""
    from interlock.lifecycle.rollouts import control

    session = chosen.session()
    return _told(_take_look(session, control.promote(session, reason)), as_json=as_json)


@rollout.command()
@_reason
@json_option
@stack_options
def abort(chosen: Chosen, *, reason: str, as_json: bool) -> int:
    """Take the new release out: the champion answers everything again."""
    from interlock.lifecycle.rollouts import control

    session = chosen.session()
    _told(_take_look(session, control.abort(session, reason)), as_json=as_json)
    return 0


def _none(session: Session, *, as_json: bool) -> int:
    """Nothing is due: who looks by the clock, or after each deployment, has done all there is."""
    from interlock.errors import DONE

    if as_json:
        from interlock.cli.render import print_json

        print_json(None)
    else:
        click.echo(f"Nothing is being rolled out at {session.stack.endpoint}.")
    return DONE


def _take_look(session: Session, found: Rollout) -> Look:
    from interlock.ids import new_id
    from interlock.lifecycle.rollouts import control

    with session.workspace(new_id("rollout")) as workspace:
        return control.advance(session, workspace, found)


def _now(found: Rollout) -> str:
    """Where a rollout is, in words."""
    return f"{found.phase}, {found.text}" if found.status == "open" else found.status


def code_of(status: str, phase: str) -> int:
    """The exit code that says how a rollout is."""
    from interlock.errors import DONE, FOUND, WAITING

    if phase == "holding":
        return WAITING
    return DONE if status in ("open", "promoted") else FOUND


def _told(look: Look, *, as_json: bool) -> int:
    """Print how a rollout is, and give the exit code that says it."""
    from interlock.ids import short

    found = look.rollout
    code = code_of(found.status, found.phase)
    if as_json:
        from interlock.cli.render import print_json

        print_json(_said(look))
        return code
    why = look.waits_for or found.reason
    click.echo(f"{short(found.release)}: {_now(found)}" + (f" ({why})" if why else ""))
    if look.seen is not None:
        _print_evidence(look)
    if found.phase == "holding":
        following("interlock rollout promote --reason TEXT, or abort --reason TEXT", err=False)
    elif found.status == "open":
        following("interlock rollout watch", err=False)
    return code


def _said(look: Look) -> dict[str, Any]:
    from interlock.lifecycle.rollouts.judge import lines

    found, seen = look.rollout, look.seen
    return {
        "id": found.id,
        "release": found.release,
        "champion": found.champion,
        "strategy": found.plan.strategy,
        "status": found.status,
        "phase": found.phase,
        "step": found.at,
        "steps": len(found.steps),
        "weight": found.step.weight,
        "mirror": found.step.mirror,
        "reason": found.reason,
        "waits_for": look.waits_for,
        "requests": seen.requests if seen else None,
        "seconds": seen.seconds if seen else None,
        "evidence": lines(found.plan, seen) if seen else [],
    }


def _print_evidence(look: Look) -> None:
    from interlock.cli.render import print_table
    from interlock.lifecycle.rollouts.judge import lines

    if look.seen is None:
        return
    rows = [
        [
            line["key"],
            "–" if line["value"] is None else f"{line['value']:.4g}",
            str(line["n"]),
            line["bound"],
            {True: "holds", False: f"broken: {line['breach']}", None: line["reason"]}[
                line["holds"]
            ],
        ]
        for line in lines(look.rollout.plan, look.seen)
    ]
    if rows:
        print_table(["measured", "value", "n", "bound", ""], rows)
