"""Options that many commands share, and the session they open."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from interlock.cli import completing
from interlock.cli.following import told

if TYPE_CHECKING:
    from interlock.session import Reporter, Session
    from interlock.stack.hosting import Hosting

_WHOLE = 1000
"""Longer than any first sentence."""

F = TypeVar("F", bound=Callable[..., Any])


class WholeLines(click.Group):
    """A group that lists its commands with all of their first sentence, as the root does."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list; lines that are too long are folded."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, found.get_short_help_str(_WHOLE)) for name, found in commands if found]
            )


def stack_options(function: F) -> F:
    """``--stack``, ``--file`` and ``--set``, given to the command as one ``chosen``."""

    @stack_option
    @file_option
    @click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Override one key of the task or of a plugin's settings; may be given again.",
    )
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        stack_name: str | None,
        stack_file: Path | None,
        overrides: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        told(stack_name, stack_file)
        chosen = Chosen(stack_name, stack_file, overrides)
        return function(*args, chosen=chosen, **kwargs)

    return wrapped  # type: ignore[return-value]  # click's decorators keep no signature


def stack_option(function: F) -> F:
    """``--stack``: which of the file's."""
    option = click.option(
        "--stack",
        "stack_name",
        metavar="NAME",
        help="Which stack; default: the first.",
        shell_complete=completing.stacks,
    )
    return option(function)


def file_option(function: F) -> F:
    """``--file``: which stack file."""
    option = click.option(
        "--file",
        "stack_file",
        metavar="PATH",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The stack file; default: interlock.toml here or in a folder above.",
    )
    return option(function)


def json_option(function: F) -> F:
    """``--json``: for programs."""
    option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    return option(function)


def page_options(function: F) -> F:
    """``--limit``: how many rows."""
    option = click.option(
        "--limit",
        type=click.IntRange(1, 10_000),
        default=20,
        show_default=True,
        help="How many rows at the most.",
    )
    return option(function)


class Chosen:
    """Which stack a command was asked to work with."""

    def __init__(
        self, name: str | None, file: Path | None, overrides: tuple[str, ...] = ()
    ) -> None:
        self._name = name
        self._file = file
        self._overrides = overrides
        self.follow: Callable[[Session], None] | None = None
        """Told of every session that is opened."""

    def session_of(self, run: Mapping[str, Any], reporter: Reporter | None = None) -> Session:
        """The stack as a run was begun with it: with the ``--set`` that were given then.

        New ones come on top.
        """
        before = tuple(run["body"].get("overrides", ()))
        again = Chosen(self._name, self._file, before + self._overrides)
        again.follow = self.follow
        return again.session(reporter)

    def other(self, name: str) -> Chosen:
        """Another stack of the same file; what ``--set`` says is of the chosen one."""
        return Chosen(name, self._file)

    def in_project(self) -> bool:
        """Whether there is a stack to open: one was asked for, or the folder is a project's."""
        from interlock.errors import StackError
        from interlock.stack.sources import find_file

        if self._name or self._file or self._overrides:
            return True
        try:
            find_file(Path.cwd(), None)
        except StackError:
            return False
        return True

    def hosts(self) -> Mapping[str, Hosting]:
        """Where the stack runs its plugins, by name; nothing outside a project.

        What is asked of installed plugins works beside a stack file with mistakes: it is left
        aside, which is said.
        """
        from interlock.errors import StackError

        if not self.in_project():
            return {}
        try:
            return self.opened().stack.hosts
        except StackError as error:
            click.echo(f"the stack file is left aside: {error.problems[0]}", err=True)
            return {}

    def session(self, reporter: Reporter | None = None) -> Session:
        """The stack, opened to work with: with a variable missing, nothing is begun.

        Raises:
            StackError: the stack file has mistakes.
            UnsetError: the environment lacks variables of the stack.
        """
        from interlock.errors import UnsetError

        session = self.opened(reporter)
        if lacking := session.stack.lacking():
            raise UnsetError(lacking)
        return session

    def reading(self, reporter: Reporter | None = None) -> Session:
        """The stack, opened for who needs a part of it: the ledger, or one plugin.

        What it asks needs its secrets, and nothing else does.

        Raises:
            StackError: the stack file has mistakes.
        """
        session = self.opened(reporter)
        session.asks_late = True
        return session

    def opened(self, reporter: Reporter | None = None) -> Session:
        """The stack as the file has it; from here on its secrets are not printed.

        Raises:
            StackError: the stack file has mistakes.
        """
        from interlock.redact import redact_output
        from interlock.session import Session
        from interlock.stack import load_stack

        stack = load_stack(Path.cwd(), file=self._file, name=self._name, overrides=self._overrides)
        session = Session(stack, reporter=reporter, overrides=self._overrides)
        click.get_current_context().call_on_close(session.close)
        session.redact = redact_output(stack)
        if self.follow is not None:
            self.follow(session)
        return session
