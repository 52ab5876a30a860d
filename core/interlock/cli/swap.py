"""``stack plan`` and ``stack apply``: what moves from one stack to another, and moving it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from interlock.cli import completing
from interlock.cli.following import following
from interlock.cli.options import Chosen, json_option, stack_options

if TYPE_CHECKING:
    from interlock.lifecycle.swap.values import Plan

_TO = click.option(
    "--to",
    "target",
    metavar="NAME",
    required=True,
    help="The stack that takes over.",
    shell_complete=completing.stacks,
)


@click.command()
@_TO
@json_option
@stack_options
def plan(chosen: Chosen, *, target: str, as_json: bool) -> int:
    """Say what a swap to another stack would do, and change nothing.

    Which versions, aliases and artifacts move, what becomes of the endpoints, what the new tools
    cannot hold, and what it takes. Exits with 3 where something would be lost.
    """
    from interlock.cli.render import print_json
    from interlock.codec import encode
    from interlock.errors import DONE, REFUSED
    from interlock.lifecycle.swap.apply import under_way
    from interlock.lifecycle.swap.plan import make_plan

    source, other = chosen.reading(), chosen.other(target).reading()
    made = make_plan(source, other)
    if as_json:
        print_json({"digest": made.digest, **encode(made)})
        return REFUSED if made.losses else DONE
    for line in _told(made):
        click.echo(line)
    begun = under_way(source, other)
    if begun is not None:
        click.echo(
            f"a swap with the plan {begun['payload']['digest'][:19]} is begun and not done",
            err=True,
        )
        following(f"interlock stack apply --to {target}")
    elif not made.losses and not made.empty:
        following(f"interlock stack apply --to {target} --plan {made.digest[:19]}")
    return REFUSED if made.losses else DONE


@click.command()
@_TO
@click.option("--plan", "digest", metavar="DIGEST", help="Only if this is still the plan.")
@json_option
@stack_options
def apply(chosen: Chosen, *, target: str, digest: str | None, as_json: bool) -> int:
    """Move what the plan says to another stack, and verify that it arrived.

    Killed at any moment, the same command goes on from there. The old registry is only read.
    """
    from interlock.cli.render import print_json
    from interlock.cli.report import TerminalReporter
    from interlock.codec import encode
    from interlock.lifecycle.swap.apply import apply_plan

    with TerminalReporter() as reporter:
        source, other = chosen.session(reporter), chosen.other(target).session(reporter)
        done = apply_plan(source, other, digest=digest)
    if as_json:
        print_json({"swap": done.id, "digest": done.plan.digest, **encode(done.plan)})
        return 0
    if not done.id:
        click.echo(f"{target} has it all: nothing to do.")
        return 0
    cost = done.plan.cost
    click.echo(
        f"{done.id} is done: {cost.versions} versions, {len(done.plan.aliases)} aliases and "
        f"{cost.artifacts} artifacts are in {target}; {done.plan.source.stack} has what it had."
    )
    following(
        f"interlock run --stack {target}, or name its tools in [stack.{done.plan.source.stack}]"
    )
    return 0


def _told(made: Plan) -> Iterator[str]:
    """A plan in words."""
    source, target, cost = made.source, made.target, made.cost
    sides = (f"{side.stack} ({side.registry})" for side in (source, target))
    yield f"{made.project}: from {' to '.join(sides)}"
    if made.empty:
        yield f"nothing moves: {target.stack} has all {len(made.held)} versions"
    else:
        held = f", {len(made.held)} are there already" if made.held else ""
        yield f"versions   {cost.versions} move, oldest first{held}"
        yield f"aliases    {_listed(move.alias for move in made.aliases)}"
        yield f"artifacts  {cost.artifacts} copied" + (
            f", {len(made.fetched)} fetched from {source.registry}" if made.fetched else ""
        )
        yield f"cost       {cost.bytes:,} bytes, {cost.requests:,} requests to {target.registry}"
    for endpoint in made.endpoints:
        yield f"endpoint   {endpoint.text}"
    for note in made.notes:
        yield f"note       {note}"
    for loss in made.losses:
        yield f"{click.style('LOST', fg='red', bold=True)}       {loss}"
    yield f"plan       {made.digest}"


def _listed(names: Iterator[str]) -> str:
    return ", ".join(names) or "none move"
