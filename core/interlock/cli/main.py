"""The entry of the command line: names and one-line helps here, commands imported when typed.

``--help`` and ``--version`` import click and nothing else of ours: a test keeps it so.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import os
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "init": ("init:init", "Start a project: write its stack file."),
        "run": ("run:run", "Take a model through its life, stage by stage."),
        "train": ("run:train", "Begin a run and take it up to a candidate."),
        "validate": ("run:validate", "Take the latest run up to its checks."),
        "register": ("run:register", "Take the latest run up to a registered version."),
        "review": ("review:review", "Hold the latest run against the policy, and release it."),
        "deploy": ("run:deploy", "Take the latest run up to a serving endpoint."),
        "monitor": ("monitor:monitor", "Look at what was served since it was last looked at."),
        "undeploy": ("endpoints:undeploy", "End the endpoint of a stack."),
        "labels": ("labels:labels", "Bring the truths that arrive later."),
        "approve": ("people:approve", "Say yes to a dossier, with a reason."),
        "reject": ("people:reject", "Say no to a dossier, with a reason."),
        "revoke": ("people:revoke", "Withdraw a release."),
        "promote": ("promote:promote", "Bring a version to another stack, with its evidence."),
        "rollout": ("rollout:rollout", "Watch a release take over, step by step."),
        "rollback": ("endpoints:rollback", "Go back to the last good release."),
        "serve": ("endpoints:serve", "Serve the endpoint of a stack from this terminal."),
        "runs": ("listings:runs", "List runs."),
        "models": ("listings:models", "List registered versions."),
        "deployments": ("endpoints:deployments", "List endpoints, and whether each answers now."),
        "show": ("show:show", "Show what the ledger knows of an id."),
        "status": ("status:status", "The project on one screen."),
        "audit": ("audit:audit", "Verify and read the ledger."),
        "ledger": ("ledger:ledger", "Look after the ledger's database."),
        "plugins": ("plugins:plugins", "List, explain, check, install and write plugins."),
        "stack": ("stack:stack", "Look at, check and describe stacks."),
    }
)
"""Each command: where it is, and its line in ``--help``."""

_HELP = """Train, validate, govern, deploy and monitor models through plugins.

\b
Exit codes: 0 done, 1 failed, 2 bad usage or stack, 3 refused by a gate,
4 waits for a person, 5 monitoring found something or a rollout went back.
"""


@contextlib.contextmanager
def _a_reader_may_leave() -> Iterator[None]:
    """Where the reader of our results has gone, as `| head` does: that is no failure of ours."""
    try:
        yield
    except BrokenPipeError as error:
        # It was another pipe, or one for both, as in `2>&1 | head`: an error that says how to go on
        # broke off work that was under way.
        if getattr(error, "__notes__", ()) or not _is_unread(sys.stdout):
            raise
        # The interpreter flushes on its way out, too, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None


def _is_unread(stream: TextIO) -> bool:
    import select

    poll = select.poll()
    poll.register(stream, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is typed."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _a_reader_may_leave():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _a_reader_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return _plugin_command(cmd_name)
        import importlib

        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"interlock.cli.{module}"), name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # As for --help: no command is imported to be named.
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        unknown = not name.startswith("-") and self.get_command(ctx, name) is None
        # A shell that completes behind an unknown command gets nothing.
        if unknown and not ctx.resilient_parsing:
            import difflib

            # What other tools have as commands: an option here.
            options = [f"--{name}"] if name in ("help", "version") else []
            close = options or difflib.get_close_matches(name, COMMANDS, n=1)
            also = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{also}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            where = "Options of a command stand behind it: interlock COMMAND OPTIONS."
            raise click.UsageError(f"{error.format_message()} {where}", ctx) from error


def _plugin_command(name: str) -> click.Command | None:
    """A command that a plugin adds through the entry-point group ``interlock.cli``."""
    from importlib.metadata import entry_points

    for found in entry_points(group="interlock.cli", name=name):
        command: click.Command = found.load()
        return command
    return None


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"interlock {version('interlock-core')}")
        ctx.exit()


@click.group(cls=LazyGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks; may stand anywhere in the line.")
def cli(debug: bool) -> None:
    """The root of all commands; its help is given above."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command line and give its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    # https://no-color.org: click asks whether it is a terminal, and nothing else.
    colour = False if os.environ.get("NO_COLOR") else None
    with click.Context(cli, color=colour).scope(cleanup=False):
        return _run(given, debug=debug)


def _run(given: list[str], *, debug: bool) -> int:
    try:
        code = cli.main(
            args=given,
            prog_name="interlock",
            standalone_mode=False,
            color=click.get_current_context().color,
        )
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        from interlock.cli.failures import interrupted

        return interrupted(error.__cause__)
    except Exception as error:  # noqa: BLE001  (the last place that can tell a person)
        from interlock.cli.failures import explain

        return explain(error, debug=debug)
    return code if isinstance(code, int) else 0


def _print_any_text() -> None:
    """Where a terminal or a file takes no ``✓``, its escape: what was done is not undone by it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def console() -> None:
    """The console script."""
    _print_any_text()
    # A library that crashes ends the process: the lines that led to it are all that names it.
    faulthandler.enable(file=2, all_threads=False)
    # Nearly all that is made early on is modules, which stay: looking through them for garbage
    # is 4 % of a run's time. With scikit-learn and all that a run loads they are 300,000 objects.
    gc.set_threshold(500_000, 50, 100)
    code = main()
    # What is left goes with the process: without this, the interpreter looks through all of it
    # for cycles on its way out, 0.2 s once scikit-learn is loaded.
    gc.freeze()
    sys.exit(code)
