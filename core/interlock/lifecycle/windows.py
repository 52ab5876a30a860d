"""Windows of what was served: over which clock, from where to where, and the rows in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from interlock.errors import UsageError
from interlock.lifecycle.endpoints import current_deployment, endpoint_of
from interlock.lifecycle.periods import far_ahead
from interlock.serving.capture import (
    ABOUT,
    captured_span,
    latest_of,
    read_captures,
    sent_name,
)
from interlock.serving.host import captures_folder

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from interlock.session import Session
    from interlock_hookspecs import Deployment, Instant, Maker, Task

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True, eq=False)
class ServedWindow:
    """The captures of a window.

    Attributes:
        captures: as they were kept: about each request, what was sent, what was answered.
        start, end: half-open.
        as_of: what counts as now: the clock for times, the latest period seen otherwise.
    """

    captures: pa.Table
    start: Instant
    end: Instant
    as_of: Instant

    def by_release(self) -> Iterator[tuple[str, pa.Table]]:
        """Each release that answered, with what was sent and answered under its own names.

        Answers to mirrored requests went nowhere, and are left out.
        """
        import pyarrow.compute as pc

        returned = self.captures.filter(pc.invert(self.captures["mirror"]))
        for release in sorted(pc.unique(returned["release"]).to_pylist()):
            yield release, named_as_sent(returned.filter(pc.equal(returned["release"], release)))


def named_as_sent(captures: pa.Table) -> pa.Table:
    """What was sent and answered under its own names, without what is about the request."""
    rows = captures.drop_columns([name for name in ABOUT if name in captures.column_names])
    return rows.rename_columns([sent_name(name) for name in rows.column_names])


def keeps_no_captures(session: Session) -> str:
    """Which server elsewhere keeps nothing of what it answered; empty where captures can be had."""
    deployment = current_deployment(session)
    if deployment is None or not deployment.maker or "pid" in deployment.facts:
        return ""
    return "" if session.funnel.can("read_captures", deployment.maker) else str(deployment.maker)


def captured_since(
    session: Session, deployment: Deployment, start: datetime, end: datetime
) -> pa.Table:
    """What an endpoint answered between two times of capture, whatever clock its windows have."""
    if deployment.maker and "pid" not in deployment.facts:
        captures: pa.Table = session.funnel.owner(
            "read_captures", deployment.maker, deployment=deployment, start=start, end=end
        )
        return captures
    return read_captures(captures_folder(session, endpoint_of(session)), start, end)


def served_window(
    session: Session, task: Task, start: Instant | None, end: Instant | None
) -> ServedWindow | None:
    """The captures of this stack's endpoint in a window; None where there are none at all.

    The window is over the task's time column where requests carry it, else over the time of
    capture.

    Args:
        session: the opened stack.
        task: names the time column.
        start: default: the end of the last window; before the first, the earliest row.
        end: default: after the latest row, and at the latest now, or ten years from now where
            periods read as a calendar's: one row with a time far ahead would have the next window
            begin there.

    Raises:
        UsageError: a side is of another kind than the clock, or the end is not after the start.
    """
    _refuse_backwards(start, end)
    deployment = current_deployment(session)
    if deployment is not None and deployment.maker and "pid" not in deployment.facts:
        return _elsewhere(session, deployment, deployment.maker, start, end)
    folder = captures_folder(session, endpoint_of(session))
    span = captured_span(folder, task.time)
    if span is None:
        return None
    column, earliest, latest = span
    now = datetime.now(UTC)
    ahead = end is None and isinstance(latest, datetime) and latest >= now
    far = far_ahead(earliest, now) if isinstance(earliest, int) else None
    if ahead:
        session.reporter.warn(
            f"rows carry times up to {latest:%Y-%m-%d %H:%M:%S}, which is still to come: they are "
            "left for later (--to looks at them now)"
        )
        latest = now
    elif far is not None and isinstance(latest, int) and latest >= far:
        if end is None:
            session.reporter.warn(
                f"rows carry periods up to {latest}, more than ten years ahead: they are left out "
                "(--to looks at them now)"
            )
        near = read_captures(folder, None, far, time_column=column)
        found = latest_of(near, column) if near.num_rows else None
        latest = far - 1 if found is None else found
    follows = start is None
    start, end = _bounds(session, earliest, latest, start, end, now, far)
    captures = read_captures(folder, start, end, time_column=column)
    if follows and isinstance(start, int) and task.time is not None:
        _warn_of_late(session, folder, task.time, start)
    if ahead and captures.num_rows:
        # Where the next look begins: what comes late has a time before now, too.
        end = _after(latest_of(captures, column) or latest)
    as_of = latest if isinstance(latest, int) else now
    return ServedWindow(captures=captures, start=start, end=end, as_of=as_of)


def _elsewhere(
    session: Session,
    deployment: Deployment,
    maker: Maker,
    start: Instant | None,
    end: Instant | None,
) -> ServedWindow:
    """What a server elsewhere captured: over the time of capture."""
    now = datetime.now(UTC)
    start, end = _bounds(session, _LONG_AGO, now, start, end, now)
    captures: pa.Table = session.funnel.owner(
        "read_captures", maker, deployment=deployment, start=start, end=end
    )
    return ServedWindow(captures=captures, start=start, end=end, as_of=now)


def _bounds(
    session: Session,
    earliest: Instant,
    latest: Instant,
    start: Instant | None,
    end: Instant | None,
    now: datetime,
    far: int | None = None,
) -> tuple[Instant, Instant]:
    """Where the window starts and ends, by default from where the last one ended."""
    periods = isinstance(latest, int)
    if start is None:
        last = session.ledger.reads.last_window_end(
            session.project, session.stack.name, session.stack.endpoint, now=now, far=far
        )
        start = _of_kind(last, latest) if last is not None else earliest
    if end is None:
        end = _after(latest)
    for side in (start, end):
        if isinstance(side, int) != periods:
            kind = "a period, such as 2018" if periods else "a time, such as 2018-01-01T00:00:00Z"
            msg = f"windows are over {'periods' if periods else 'times'} here: give {kind}"
            raise UsageError(msg)
    return start, end


def _warn_of_late(session: Session, folder: Path, time: str, start: int) -> None:
    """Say what came since the last look with a period that was looked at before: no look shows it.

    A period goes on while rows of it come. To look at it anew is somebody's decision: it is one
    more window over rows that are in one.
    """
    import pyarrow.compute as pc

    stack = session.stack
    seen = session.ledger.reads.windows(
        project=session.project, stack=stack.name, endpoint=stack.endpoint, limit=1
    )
    if not seen:
        return
    captures = read_captures(folder, datetime.fromisoformat(seen[0]["at"]), None)
    rows = named_as_sent(captures.filter(pc.invert(captures["mirror"])))
    if time not in rows.column_names:
        return
    late = rows.filter(pc.less(rows[time], start))
    if late.num_rows:
        session.reporter.warn(
            f"{late.num_rows:,} rows came since the last look with periods before {start}, where "
            f"it ended: --from {pc.min(late[time]).as_py()} looks at them"
        )


def _after(latest: Instant) -> Instant:
    return latest + 1 if isinstance(latest, int) else latest + timedelta(microseconds=1)


def _refuse_backwards(start: Instant | None, end: Instant | None) -> None:
    """That nothing was served in a window of no length must not be mistaken for a quiet one."""
    periods = isinstance(start, int) and isinstance(end, int) and start >= end
    times = isinstance(start, datetime) and isinstance(end, datetime) and start >= end
    if periods or times:
        msg = f"a window from {start} to {end} has nothing inside: its end lies outside of it"
        raise UsageError(msg, hint="give --to something after --from")


def _of_kind(recorded: int | str, like: Instant) -> Instant:
    if isinstance(like, int):
        return int(recorded) if isinstance(recorded, int) else like
    return datetime.fromisoformat(str(recorded)) if isinstance(recorded, str) else like
