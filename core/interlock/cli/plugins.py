"""``plugins``: what is installed, whether it keeps the contract, and a new one to begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from interlock.cli import completing
from interlock.cli.check import check
from interlock.cli.install import install
from interlock.cli.options import Chosen, WholeLines, json_option, stack_options

if TYPE_CHECKING:
    from interlock.plugins.discover import Installed


@click.group(cls=WholeLines)
def plugins() -> None:
    """List, explain, check, install and write plugins."""


plugins.add_command(install)
plugins.add_command(check)


@plugins.command("list")
@click.option("--role", help="Only plugins of this role.")
@json_option
@stack_options
def list_plugins(chosen: Chosen, *, role: str | None, as_json: bool) -> int:
    """List installed plugins: role, word, version, who brought each, whether it loads.

    In a project, those that its stack runs in environments of their own are listed as well.
    """
    from interlock.cli.render import print_rows
    from interlock.errors import PluginLoadError, UsageError
    from interlock.plugins.discover import nearest
    from interlock.plugins.load import load_class
    from interlock_hookspecs import ROLES, contract_of
    from interlock_hookspecs.form import implementations

    if role is not None and role not in ROLES:
        msg = f"there is no role {role!r}{nearest(role, ROLES)}"
        raise UsageError(msg, hint=f"roles: {', '.join(ROLES)}")
    rows = []
    for name, find in _known(chosen).items():
        own_role, _, word = name.partition("-")
        if role not in (None, own_role):
            continue
        plugin, contract, hooks, problem = None, None, [], ""
        try:
            plugin = find()
            cls = load_class(plugin)
            contract, hooks = contract_of(cls), sorted(implementations(cls))
        except PluginLoadError as error:
            problem = str(error)
        rows.append(
            {
                "name": name,
                "role": own_role,
                "word": word,
                "version": plugin.version if plugin else None,
                "distribution": plugin.distribution if plugin else None,
                "python": _python(plugin),
                "contract": contract,
                "loads": not problem,
                "hooks": hooks,
                "problem": problem,
            }
        )
    columns = [
        ("role", lambda row: row["role"]),
        ("word", lambda row: row["word"]),
        ("version", lambda row: row["version"]),
        ("contract", lambda row: row["contract"]),
        ("from", lambda row: row["distribution"]),
        *([("python", lambda row: row["python"])] if any(row["python"] for row in rows) else []),
        ("loads", lambda row: "ok" if row["loads"] else "failed"),
        ("hooks", lambda row: ", ".join(row["hooks"]) or row["problem"]),
    ]
    print_rows(rows, columns, as_json=as_json, empty="No plugins: pip install interlock")
    _tell_misplaced()
    return 0


def _tell_misplaced() -> None:
    from interlock.plugins.discover import misplaced

    for text in misplaced():
        click.echo(f"{click.style('!', fg='yellow', bold=True)} {text}", err=True)


def _known(chosen: Chosen) -> dict[str, Callable[[], Installed]]:
    """How to find each plugin: those installed here, and those that the stack here runs apart."""
    from functools import partial

    from interlock.plugins.discover import installed
    from interlock.plugins.isolated import isolated

    def itself(plugin: Installed) -> Installed:
        return plugin

    found: dict[str, Callable[[], Installed]] = {
        name: partial(itself, plugin) for name, plugin in installed().items()
    }
    for name, hosting in chosen.hosts().items():
        if hosting.python is not None:
            found[name] = partial(isolated, name, hosting)
    return found


def _python(plugin: Installed | None) -> str | None:
    return str(plugin.worker.python) if plugin is not None and plugin.worker is not None else None


@plugins.command("show")
@click.argument("name", shell_complete=completing.plugins)
@json_option
@stack_options
def show_plugin(chosen: Chosen, *, name: str, as_json: bool) -> int:
    """Show one plugin: settings, hooks, contract, where it was installed from.

    NAME is ROLE-WORD, as `plugins list` shows them. Ends with 1 where the plugin does not load.
    """
    from interlock.cli.render import print_json
    from interlock.errors import DONE, FAILED, UsageError
    from interlock.plugins.discover import nearest_plugin
    from interlock.plugins.reference import describe_plugin

    known = _known(chosen)
    if name not in known:
        _tell_misplaced()
        msg = f"no plugin {name!r} is installed{nearest_plugin(name, known)}"
        raise UsageError(msg, hint="interlock plugins list")
    found = describe_plugin(known[name]())
    if as_json:
        print_json(found)
    else:
        _print_plugin(found)
    return DONE if found["loads"] else FAILED


def _print_plugin(found: Mapping[str, Any]) -> None:
    from interlock.cli.render import print_table

    source = found["source"]
    click.echo(f"{click.style(found['name'], bold=True)} {found['version']}")
    if not found["loads"]:
        click.echo(f"does not load: {found['problem']}")
    else:
        click.echo(found["doc"])
        kinds = ", ".join(found["kinds"]) if found["kinds"] else "any"
        role = f"role {found['role']} · contract {found['contract']}"
        click.echo(f"{role} · kinds: {kinds} · {found['target']}")
    how = "editable, from" if source["editable"] else "from"
    origin = f" {how} {source['url']}" if source["url"] else ""
    click.echo(f"installed by {found['distribution']}{origin} in {source['location']}")
    if found["python"]:
        click.echo(f"runs in an environment of its own: {found['python']}")
    if not found["loads"]:
        return
    for text in found["deprecated"]:
        click.echo(f"{click.style('!', fg='yellow', bold=True)} {text}")
    for heading, keys in (
        ("settings", ("name", "type", "default", "secret", "doc")),
        ("hooks", ("name", "role", "rule", "summary")),
    ):
        if found[heading]:
            rows = [
                [_required(row) if key == "default" else row[key] for key in keys]
                for row in found[heading]
            ]
            print_table([heading[:-1], *keys[1:]], rows)


def _required(setting: Mapping[str, Any]) -> str:
    from interlock.cli.render import shown

    if setting["required"]:
        return "required"
    return shown(setting["default"]) if setting["default"] != "" else '""'


@plugins.command("hooks")
@click.argument("hook", required=False)
@json_option
@stack_options
def hooks(chosen: Chosen, *, hook: str | None, as_json: bool) -> int:
    """Explain the hooks of the contract; in a project, say who in the stack implements them.

    Without HOOK, lists all of them; with one, shows its signature, its rule and its meaning.
    """
    from interlock.cli.render import print_json, print_table
    from interlock.errors import UsageError
    from interlock.plugins.discover import nearest
    from interlock.plugins.reference import describe_hook
    from interlock_hookspecs import removed_specs
    from interlock_hookspecs.form import contract

    if hook in removed_specs():
        msg = f"hook {hook} was {removed_specs()[hook].deprecated}"
        raise UsageError(msg)
    if hook is not None and hook not in contract():
        msg = f"the contract has no hook {hook!r}{nearest(hook, contract())}"
        raise UsageError(msg, hint="interlock plugins hooks")
    funnel = chosen.reading().funnel if chosen.in_project() else None
    rows = [
        describe_hook(spec)
        | {"implemented_by": [str(maker) for maker in funnel.makers(name)] if funnel else None}
        for name, spec in contract().items()
        if hook in (None, name)
    ]
    if as_json:
        print_json(rows if hook is None else rows[0])
    elif hook is not None:
        _print_hook(rows[0])
    else:
        columns = ["name", "role", "rule", "required", "summary"]
        columns += ["implemented_by"] if funnel else []
        lines = [
            [
                ", ".join(row[key]) or None if key == "implemented_by" else row[key]
                for key in columns
            ]
            for row in rows
        ]
        print_table(["hook", *columns[1:5], *(["in this stack"] if funnel else [])], lines)
    return 0


def _print_hook(row: Mapping[str, Any]) -> None:
    need = f"instead of {row['instead']}" if row["instead"] else ""
    need = need or ("required" if row["required"] else "optional")
    click.echo(click.style(row["signature"], bold=True))
    click.echo(f"role {row['role']} · {need} · rule {row['rule']}: {row['sentence']}")
    if row["implemented_by"] is not None:
        click.echo(f"in this stack: {', '.join(row['implemented_by']) or 'nobody'}")
    if row["deprecated"]:
        click.echo(f"the hook is {row['deprecated']}")
    for name, end in row["deprecated_arguments"].items():
        click.echo(f"argument {name} is {end}")
    click.echo(f"\n{row['doc']}")


@plugins.command("new")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write it; default: interlock-NAME here.",
)
def new(*, name: str, folder: Path | None) -> int:
    """Write a new plugin that works and passes its tests.

    NAME is ROLE-WORD, for example registry-acme: its role, and what a stack file will call it.
    """
    from interlock.plugins.scaffold import new_plugin

    place = folder or Path(f"interlock-{name}")
    for path in new_plugin(name, place):
        click.echo(path)
    todo = f'cd {place} && pip install --editable ".[test]" && pytest'
    click.echo(f"{click.style('next', fg='cyan')}: {todo}")
    return 0
