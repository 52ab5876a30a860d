"""``--trace`` and ``--explain``: what the hooks of a command were asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

if TYPE_CHECKING:
    from interlock.cli.options import Chosen
    from interlock.plugins.trace import Recorder
    from interlock.session import Reporter, Session

F = TypeVar("F", bound=Callable[..., Any])


def trace_option(function: F) -> F:
    """``--trace``: a file of every hook call."""
    option = click.option(
        "--trace",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write every hook call, its time and its sizes to FILE, for Perfetto or Chrome.",
    )
    return option(function)


@attrs.define
class Watch:
    """What is watched: the sessions that a command opens, the latest of them the one to explain."""

    recorder: Recorder
    session: Session | None = None

    def follow(self, session: Session) -> None:
        """Keep what this session's hooks are asked, and in which stage."""
        self.session = session
        session.watcher = self.recorder
        session.reporter = _Following(session.reporter, self.recorder)
        self.recorder.redact = session.redact

    def explained(self, hook: str) -> dict[str, Any] | None:
        """Who answered a hook, and why; None where the plugins were never loaded."""
        from interlock.plugins.explain import explain_hook

        if self.session is None or "funnel" not in self.session.__dict__:
            return None
        return explain_hook(hook, self.recorder.steps, self.session.funnel)


@contextlib.contextmanager
def watching(
    chosen: Chosen, *, trace: Path | None, explain: str | None = None, as_json: bool = False
) -> Iterator[Watch | None]:
    """Watch the hook calls of what is done inside; tell of them however that ends.

    With ``as_json``, what succeeds prints the explanation itself, among its other values.

    Raises:
        UsageError: the trace's folder is none, or the contract has no such hook.
        InterlockError: the trace cannot be written; what failed inside goes before that.
    """
    if trace is None and explain is None:
        yield None
        return
    _check(trace, explain)
    from interlock.errors import InterlockError
    from interlock.plugins.trace import Recorder, write_trace

    watch = Watch(Recorder())
    chosen.follow = watch.follow
    command = f"interlock {click.get_current_context().info_name}"
    try:
        yield watch
    except BaseException:
        _tell(watch, explain, as_json=as_json, failed=True)
        if trace is not None and watch.session is not None:
            try:
                write_trace(trace, watch.recorder, command=command)
            except InterlockError as error:
                click.echo(f"{click.style('!', fg='yellow', bold=True)} {error}", err=True)
        raise
    _tell(watch, explain, as_json=as_json, failed=False)
    if trace is not None:
        write_trace(trace, watch.recorder, command=command)


def _check(trace: Path | None, explain: str | None) -> None:
    from interlock.errors import UsageError
    from interlock.plugins.discover import nearest
    from interlock_hookspecs.form import contract

    if trace is not None and not trace.absolute().parent.is_dir():
        msg = f"--trace {trace}: there is no folder {trace.parent}"
        raise UsageError(msg, hint="make it, or name another file")
    if explain is not None and explain not in contract():
        msg = f"--explain: the contract has no hook {explain!r}{nearest(explain, contract())}"
        raise UsageError(msg, hint="interlock plugins hooks")


def _tell(watch: Watch, explain: str | None, *, as_json: bool, failed: bool) -> None:
    found = watch.explained(explain) if explain is not None else None
    if found is None:
        return
    if not as_json:
        _print(found)
    elif failed:
        from interlock.cli.render import print_json

        print_json({"explain": found})


def _print(found: Mapping[str, Any]) -> None:
    from interlock.cli.render import print_table

    click.echo(f"{click.style(found['hook'], bold=True)} · {found['rule']}: {found['sentence']}")
    click.echo(f"implemented by: {', '.join(found['implemented_by']) or 'nobody in this stack'}")
    if not found["questions"]:
        click.echo("Not asked: a stage that is reused asks nobody (--again does it again).")
    for question in found["questions"]:
        stages = f" in {', '.join(question['stages'])}" if question["stages"] else ""
        named = f", named by {question['named_by']}" if question["named_by"] else ""
        times = "once" if question["times"] == 1 else f"{question['times']} times"
        click.echo(f"\nasked {times}{stages}{named}: {question['why']}")
        lines = [[one["plugin"], one["answer"], one["error"] or None] for one in question["asked"]]
        lines += [[maker, "not asked", None] for maker in question["not_asked"]]
        print_table(["plugin", "answer", "error"], lines)


class _Following:
    """A reporter that also tells a recorder where stages begin and end."""

    def __init__(self, reporter: Reporter, recorder: Recorder) -> None:
        self._reporter = reporter
        self._recorder = recorder
        self.progress = reporter.progress
        self.note = reporter.note
        self.warn = reporter.warn

    def stage(self, name: str, text: str) -> None:
        """Pass it on."""
        self._recorder.stage(name)
        self._reporter.stage(name, text)

    def done(self, name: str, text: str, seconds: float) -> None:
        """Pass it on."""
        self._recorder.done(name)
        self._reporter.done(name, text, seconds)
