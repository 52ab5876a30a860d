"""``plugins install``: a plugin into an environment of its own."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.cli.options import Chosen, stack_options


@click.command("install")
@click.argument("name")
@click.option(
    "--isolated",
    is_flag=True,
    help="Into an environment of its own, where nothing else of the stack is.",
)
@click.option(
    "--from",
    "requirement",
    default="",
    metavar="REQUIREMENT",
    help="What brings it, as pip takes it: a name with a version, a path; default: interlock-NAME.",
)
@click.option(
    "--constraint",
    "constraints",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    help="A file that pins versions, as pip takes it; may be given again.",
)
@click.option(
    "--python",
    "base",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The interpreter to make the environment of; default: the one that runs this.",
)
@stack_options
def install(
    chosen: Chosen,
    *,
    name: str,
    isolated: bool,
    requirement: str,
    constraints: tuple[Path, ...],
    base: Path | None,
) -> int:
    """Install a plugin into an environment of its own, in .venvs/NAME beside the stack file.

    NAME is ROLE-WORD. The environment is made with venv and pip, or with uv where that is
    installed; their own configuration and environment variables hold. The plugin is loaded there
    once, then the lines for the stack file are printed.
    """
    import sys

    from interlock.errors import UsageError
    from interlock.plugins.environment import HOME, Wanted, checked_name, make
    from interlock.plugins.isolated import isolated as found_there
    from interlock.plugins.load import load_class
    from interlock.stack.hosting import Hosting

    checked_name(name)
    if not isolated:
        msg = "without --isolated, a plugin is installed as any package is"
        raise UsageError(msg, hint=f"pip install {requirement or f'interlock-{name}'}")
    stack = chosen.opened().stack
    wanted = Wanted(
        name=name,
        folder=stack.root / HOME / name,
        requirement=requirement,
        constraints=constraints,
        base=base or Path(sys.executable),
    )
    make(wanted)
    plugin = found_there(name, Hosting(python=wanted.python))
    load_class(plugin)
    click.echo(f"{name} {plugin.version} is in {wanted.folder}", err=True)
    click.echo(f'[stack.{stack.name}.{name}]\npython = "{HOME}/{name}/bin/python"')
    return 0
