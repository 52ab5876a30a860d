"""``promote``: a version from one stack to another, with its evidence."""

from __future__ import annotations

import click

from interlock.cli import completing
from interlock.cli.following import following
from interlock.cli.options import Chosen, json_option, stack_options


@click.command()
@click.argument("version", metavar="VERSION", shell_complete=completing.versions)
@click.option(
    "--to",
    "target",
    metavar="NAME",
    required=True,
    help="The stack that it comes to.",
    shell_complete=completing.stacks,
)
@json_option
@stack_options
def promote(chosen: Chosen, *, version: str, target: str, as_json: bool) -> int:
    """Bring VERSION to another stack, with its artifacts, its dossier and its history.

    The same digest, under the same id. Approvals and releases stay behind: it is reviewed again
    under the policy there, when `interlock run --resume` goes on with it.
    """
    from interlock.cli.render import digest, print_json
    from interlock.cli.report import TerminalReporter
    from interlock.codec import encode
    from interlock.ids import short
    from interlock.lifecycle.promote.arrive import promote as bring

    with TerminalReporter() as reporter:
        made = bring(chosen.session(reporter), chosen.other(target).session(reporter), version)
    if as_json:
        print_json(encode(made))
        return 0
    again = " (promoted before)" if made.known else ""
    number = f", version {made.version.number} there" if made.version else ""
    click.echo(
        f"model {digest(made.model.digest)} is in {target} as {short(made.run)}{number}{again}."
    )
    command = f"interlock run --stack {target} --resume {short(made.run)}"
    following(command)
    return 0
