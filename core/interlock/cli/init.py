"""``init``: a project that runs at once."""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

import click

_KINDS = ("binary", "multiclass", "regression")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--name", help="The project's name; default: the folder's.")
@click.option("--data", "dataset", default="data.parquet", help="Where the rows are.")
@click.option("--target", default="target", help="The column to predict.")
@click.option("--kind", type=click.Choice(_KINDS), default="binary", help="What is predicted.")
def init(folder: Path, *, name: str | None, dataset: str, target: str, kind: str) -> int:
    """Write a stack file into FOLDER (default: here), and change nothing that is there."""
    from interlock.errors import UsageError
    from interlock.stack import init_template
    from interlock.stack.fields import NAME, TEXT
    from interlock.stack.sources import named

    path = folder / "interlock.toml"
    if path.exists():
        msg = f"{path} exists already"
        raise UsageError(msg, hint="edit it, or name another folder")
    named(folder.absolute())
    called = _project_name(folder) if name is None else name
    for option, value, kind_of in (
        ("name", called, NAME),
        ("data", dataset, TEXT),
        ("target", target, TEXT),
    ):
        if kind_of.read(value) is None:
            msg = f"--{option} {value!r}: expected {kind_of.expected}"
            raise UsageError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    text = init_template(called, dataset=dataset, target=target, kind=kind)
    path.write_text(text, encoding="utf-8")
    _keep_out_of_git(folder)
    click.echo(f"{path} is written.")
    if not (folder / dataset).exists() and "://" not in dataset:
        click.echo(f"{click.style('next', fg='cyan')}: put your rows at {folder / dataset}, then:")
    there = f"cd {shlex.quote(str(folder))} && " if folder.resolve() != Path.cwd() else ""
    click.echo(f"{click.style('next', fg='cyan')}: {there}interlock stack check && interlock run")
    return 0


def _project_name(folder: Path) -> str:
    """A folder's name as a project may be called: without accents, blanks and other alphabets."""
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("._-") or "project"


def _keep_out_of_git(folder: Path) -> None:
    ignored = folder / ".gitignore"
    line = ".interlock/\n"
    text = ignored.read_text(encoding="utf-8") if ignored.exists() else ""
    if line not in text:
        ignored.write_text(text + line, encoding="utf-8")
