"""``plugins``: what is installed."""

from __future__ import annotations

import click

from interlock.cli.options import json_option


@click.group()
def plugins() -> None:
    """List installed plugins."""


@plugins.command("list")
@click.option("--role", help="Only plugins of this role.")
@json_option
def list_plugins(*, role: str | None, as_json: bool) -> int:
    """List installed plugins: role, word, version, who brought each, whether it loads."""
    from interlock.cli.render import print_rows
    from interlock.errors import PluginLoadError, UsageError
    from interlock.plugins.check import implementations
    from interlock.plugins.discover import installed, nearest
    from interlock.plugins.load import load_class
    from interlock_hookspecs import ROLES

    if role is not None and role not in ROLES:
        msg = f"there is no role {role!r}{nearest(role, ROLES)}"
        raise UsageError(msg, hint=f"roles: {', '.join(ROLES)}")
    rows = []
    for plugin in installed().values():
        if role not in (None, plugin.role):
            continue
        try:
            hooks = sorted(implementations(load_class(plugin)))
            problem = ""
        except PluginLoadError as error:
            hooks, problem = [], str(error)
        rows.append(
            {
                "name": plugin.name,
                "role": plugin.role,
                "word": plugin.word,
                "version": plugin.version,
                "distribution": plugin.distribution,
                "loads": not problem,
                "hooks": hooks,
                "problem": problem,
            }
        )
    columns = [
        ("role", lambda row: row["role"]),
        ("word", lambda row: row["word"]),
        ("version", lambda row: row["version"]),
        ("from", lambda row: row["distribution"]),
        ("loads", lambda row: "ok" if row["loads"] else "failed"),
        ("hooks", lambda row: ", ".join(row["hooks"]) or row["problem"]),
    ]
    print_rows(rows, columns, as_json=as_json, empty="No plugins: pip install interlock")
    return 0
