"""``stack``: look at, check and describe stacks."""

from __future__ import annotations

import click

from interlock.cli.options import Chosen, json_option, stack_options


@click.group()
def stack() -> None:
    """Look at, check and describe stacks."""


@stack.command()
@click.option("--origin", is_flag=True, help="Say where each value came from.")
@json_option
@stack_options
def show(chosen: Chosen, *, origin: bool, as_json: bool) -> int:
    """Show the stack as it applies, secrets masked."""
    from interlock.cli.render import print_json, print_table
    from interlock.stack import describe

    rows = [
        {"key": row.key, "value": row.value, "origin": row.origin}
        for row in describe(chosen.session().stack)
    ]
    if as_json:
        print_json(rows)
        return 0
    headings = ["key", "value", "origin"] if origin else ["key", "value"]
    print_table(headings, [[row[heading] for heading in headings] for row in rows])
    return 0


@stack.command()
@stack_options
def check(chosen: Chosen) -> int:
    """Load the stack and every plugin that it names; report every mistake at once."""
    from interlock.plugins.check import contract

    session = chosen.session()
    funnel = session.funnel
    for member in funnel.members:
        click.echo(f"{click.style('✓', fg='green')} {member.maker}")
    roles = {contract()[name].role for name in contract() if funnel.has(name)}
    missing = [
        role
        for role in ("data", "train", "validate", "registry", "govern", "deploy", "monitor")
        if role not in roles
    ]
    if missing:
        click.echo(f"this stack leaves out: {', '.join(missing)}", err=True)
    if not session.stack.policy.bounds:
        click.echo(
            f"{click.style('!', fg='yellow')} the policy has no bounds: nothing will be released",
            err=True,
        )
    return 0


@stack.command()
def schema() -> int:
    """Print the JSON Schema of the stack file, with the settings of the installed plugins."""
    from interlock.cli.render import print_json
    from interlock.plugins.discover import installed
    from interlock.plugins.load import load_class
    from interlock.stack import stack_schema

    print_json(stack_schema({name: load_class(plugin) for name, plugin in installed().items()}))
    return 0
