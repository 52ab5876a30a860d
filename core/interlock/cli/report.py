"""How work goes on, told on a terminal: one line a stage, a bar for long work."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_NAME_WIDTH = 9


class TerminalReporter:
    """Prints to standard error, so that standard output stays for results.

    A context manager: the bar is gone when it is left.
    """

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clear()

    def stage(self, name: str, text: str) -> None:
        if sys.stderr.isatty():
            self.progress(f"{name} {text}".strip(), None, None)

    def done(self, name: str, text: str, seconds: float) -> None:
        self._clear()
        took = click.style(f" {seconds:.1f} s", dim=True) if seconds else ""
        tick = click.style("✓", fg="green")
        click.echo(f"{tick} {name:<{_NAME_WIDTH}} {text}{took}", err=True)

    def progress(self, message: str, done: int | None, total: int | None) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("  {task.description}"),
                BarColumn(bar_width=24),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(message, total=total)
            self._bar.start()
        if self._task is not None:
            self._bar.update(self._task, description=message, completed=done or 0, total=total)

    def note(self, text: str) -> None:
        self._clear()
        click.echo(f"  {text}", err=True)

    def warn(self, text: str) -> None:
        self._clear()
        click.echo(f"{click.style('!', fg='yellow', bold=True)} {text}", err=True)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._task = None
