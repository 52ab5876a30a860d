"""What a person reads when a command fails: one or two lines, and what to type next."""

from __future__ import annotations

import traceback

import click

from interlock.cli.following import following
from interlock.errors import FAILED, INTERRUPTED, InterlockError


def explain(error: Exception, *, debug: bool) -> int:
    """Print an error for a person, its traceback before it when asked; give the exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, InterlockError):
        word = {3: "refused", 4: "waiting"}.get(error.exit_code, "error")
        colour = "yellow" if error.exit_code == 4 else "red"  # noqa: PLR2004  (errors.WAITING)
        click.echo(f"{click.style(word, fg=colour, bold=True)}: {error}", err=True)
        if error.hint:
            following(error.hint)
        return error.exit_code
    click.echo(f"{click.style('error', fg='red', bold=True)}: {_unforeseen(error)}", err=True)
    following("the same command with --debug")
    return FAILED


def interrupted(cause: BaseException | None) -> int:
    """Say that a person ended the command, and how what was under way goes on."""
    click.echo("interrupted", err=True)
    for note in getattr(cause, "__notes__", ()):
        following(note)
    return INTERRUPTED


def _unforeseen(error: Exception) -> str:
    """What nobody put in words, as well as it can be read."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name
