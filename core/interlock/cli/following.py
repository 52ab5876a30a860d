"""What to type next: said after a command, for the stack that the command was told to work with.

A command that leaves out ``--stack`` works with the first stack of the file. So what is proposed
after ``interlock revoke --stack prod`` must name it too, or it would be done to another endpoint.
"""

from __future__ import annotations

import re
import shlex
from contextvars import ContextVar
from pathlib import Path

import click

_GROUPS = ("audit", "labels", "ledger", "models", "plugins", "rollout", "stack")
_COMMAND = re.compile(
    rf"\binterlock (?!init\b)(?:(?:{'|'.join(_GROUPS)}) (?=[a-z]))?[a-z]+(?! --stack)\b"
)
_said: ContextVar[str] = ContextVar("said", default="")


def told(stack: str | None, file: Path | None) -> None:
    """Remember which stack, of which file, this command was told to work with."""
    given = {"--stack": stack, "--file": file and str(file)}
    _said.set("".join(f" {key} {shlex.quote(value)}" for key, value in given.items() if value))


def here(text: str) -> str:
    """A text with commands in it, each for the stack that this command was told.

    >>> told("prod", None)
    >>> here("interlock approve run-1 and then interlock run --resume run-1")
    'interlock approve --stack prod run-1 and then interlock run --stack prod --resume run-1'
    >>> here("interlock run --stack dev"), here("interlock models import")
    ('interlock run --stack dev', 'interlock models import --stack prod')
    >>> told(None, None)
    >>> here("interlock rollback")
    'interlock rollback'
    """
    return _COMMAND.sub(lambda found: found[0] + _said.get(), text)


def following(text: str, *, err: bool = True) -> None:
    """Print what to type next."""
    click.echo(f"{click.style('next', fg='cyan')}: {here(text)}", err=err)
