"""``plugins check``: an installed plugin, held against every promise."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.cli import completing
from interlock.cli.options import Chosen, file_option, json_option, stack_option


@click.command("check")
@click.argument("name", shell_complete=completing.plugins)
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="A setting of the plugin; ${NAME} comes from the environment; may be given again.",
)
@click.option("--only", metavar="TEST", multiple=True, help="Only this test; may be given again.")
@stack_option
@file_option
@json_option
def check(
    *,
    name: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    stack_name: str | None,
    stack_file: Path | None,
    as_json: bool,
) -> int:
    """Hold a plugin against every promise that the contract makes of it.

    NAME is ROLE-WORD, as `plugins list` shows them. Ends with 1 where a promise is broken. Its
    settings are the defaults, and what --set says. Of a stack file, only `python` in the plugin's
    table counts: with it, the promises are tried in that environment.
    """
    import subprocess

    from interlock.errors import FAILED, UsageError
    from interlock.plugins.discover import installed, nearest_plugin
    from interlock.plugins.promises import Checking

    hosting = Chosen(stack_name, stack_file).hosts().get(name)
    python = hosting.python if hosting is not None else None
    if python is None and name not in installed():
        # Before what the suites need is asked for.
        msg = f"no plugin {name!r} is installed{nearest_plugin(name, installed())}"
        raise UsageError(msg, hint="interlock plugins list")
    if python is not None:
        click.echo(f"{name} runs in an environment of its own: {python}", err=True)
    checking = Checking(name=name, settings=settings, only=only, python=python, as_json=as_json)
    done = subprocess.run(checking.command(), env=checking.environ(), check=False)
    # One that died of a signal is a failure like another.
    return done.returncode if done.returncode >= 0 else FAILED
