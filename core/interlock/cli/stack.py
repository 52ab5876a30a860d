"""``stack``: look at, check and describe stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from interlock.cli import completing, swap
from interlock.cli.options import Chosen, WholeLines, file_option, json_option, stack_options


@click.group(cls=WholeLines)
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
        for row in describe(chosen.opened().stack)
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
    """Load the stack and every plugin that it names; report every mistake at once.

    A bound on what no plugin of the stack measures is a mistake. It warns of one on what nobody
    measured so far, where a plugin does not state what it measures.
    """
    from interlock.lifecycle.bounds import refuse_unmeasurable, unmeasured
    from interlock_hookspecs.form import contract

    session = chosen.opened()
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
    refuse_unmeasurable(session)
    for line in unmeasured(session):
        click.echo(f"{click.style('!', fg='yellow')} {line}", err=True)
    return 0


@stack.command()
@click.argument("before", metavar="A", shell_complete=completing.stacks)
@click.argument("after", metavar="B", shell_complete=completing.stacks)
@file_option
@json_option
def diff(before: str, after: str, *, stack_file: Path | None, as_json: bool) -> int:
    """Say what changes from stack A to stack B, role by role; secrets stay out of it."""
    import attrs

    from interlock.cli.render import print_json
    from interlock.stack.diff import compare

    sessions = [Chosen(name, stack_file).opened() for name in (before, after)]
    found = compare(*(session.stack for session in sessions))
    if as_json:
        print_json([attrs.asdict(one) for one in found])
        return 0
    for one in found:
        click.echo(one.text)
    if not found:
        click.echo(f"{before} and {after} do the same.")
    return 0


@stack.command()
@click.option("--check", "only_check", is_flag=True, help="Compare with the lock; write nothing.")
@stack_options
def lock(chosen: Chosen, *, only_check: bool) -> int:
    """Pin the stack's plugins and all that they need, to the version, in interlock.lock.

    From then on the stack loads with these versions only, here and in the environments of its
    plugins' own. Other stacks keep their part of the file.
    """
    from interlock.errors import StackError
    from interlock.plugins.isolated import isolated_openers, offered
    from interlock.plugins.pins import lock_differences, pins_here
    from interlock.stack.lock import read_lock, write_lock

    opened = chosen.opened().stack
    here = pins_here(opened, {**offered(opened), **isolated_openers(opened)})
    path = opened.lock
    pins = read_lock(path)
    known = pins.get(opened.name)
    if only_check and known is None:
        problem = f"{path.name} does not lock the stack {opened.name!r}"
        raise StackError((problem,), hint="interlock stack lock")
    different = tuple(lock_differences(known, here)) if known else ()
    if only_check and different:
        raise StackError(different, hint="install what it says, or interlock stack lock")
    if not only_check:
        write_lock(path, {**pins, opened.name: here})
    tables = (here.distributions, *here.environments.values())
    plugins, distributions = len(here.plugins), sum(map(len, tables))
    word = "is as locked" if only_check else "is locked"
    click.echo(f"{opened.name} {word}: {plugins} plugins, {distributions} distributions.")
    return 0


@stack.command()
def schema() -> int:
    """Print the JSON Schema of the stack file, with the settings of the installed plugins."""
    from interlock.cli.render import print_json
    from interlock.errors import PluginLoadError
    from interlock.plugins.discover import installed
    from interlock.plugins.load import load_class
    from interlock.stack import stack_schema

    classes: dict[str, type[Any] | None] = {}
    for name, plugin in installed().items():
        try:
            classes[name] = load_class(plugin)
        except PluginLoadError as error:
            # A plugin that no stack here may use is no reason that an editor knows none.
            click.echo(f"{click.style('!', fg='yellow', bold=True)} {error}", err=True)
            classes[name] = None
    print_json(stack_schema(classes))
    return 0


stack.add_command(swap.plan)
stack.add_command(swap.apply)
