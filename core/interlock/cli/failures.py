"""What a person reads when a command fails: one or two lines, and what to type next."""

from __future__ import annotations

import traceback

import click

from interlock.errors import FAILED, InterlockError


def explain(error: Exception, *, debug: bool) -> int:
    """Print an error for a person, its traceback before it when asked; give the exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, InterlockError):
        word = {3: "refused", 4: "waiting"}.get(error.exit_code, "error")
        colour = "yellow" if error.exit_code == 4 else "red"  # noqa: PLR2004  (errors.WAITING)
        click.echo(f"{click.style(word, fg=colour, bold=True)}: {error}", err=True)
        if error.hint:
            click.echo(f"{click.style('next', fg='cyan')}: {error.hint}", err=True)
        return error.exit_code
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    click.echo(f"{click.style('error', fg='red', bold=True)}: {text}", err=True)
    click.echo(f"{click.style('next', fg='cyan')}: the same command with --debug", err=True)
    return FAILED
