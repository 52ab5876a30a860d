"""Monitoring: windows of what was served, each looked at once unless something new came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, digest_of, encode
from interlock.errors import UsageError
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.endpoints import current_deployment, endpoint_of, model_of
from interlock.lifecycle.labels import all_labels, with_labels
from interlock.serving.capture import read_captures
from interlock.serving.host import captures_folder
from interlock_hookspecs import (
    Finding,
    Instant,
    Profile,
    Release,
    Task,
    Window,
    table_digest,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.session import Session


@attrs.frozen(kw_only=True)
class SeenWindow:
    """A window that was looked at.

    Attributes:
        id: of the record in the ledger.
        release: who answered.
        start, end: half-open.
        rows, labelled: how many rows were served, and how many have a label.
        findings: what was found.
        known: whether exactly this was looked at before, and the record of then is given.
    """

    id: str
    release: str
    start: Instant
    end: Instant
    rows: int
    labelled: int
    findings: tuple[Finding, ...]
    known: bool = False


def monitor_endpoint(
    session: Session,
    *,
    workspace: CoreWorkspace,
    start: Instant | None = None,
    end: Instant | None = None,
) -> list[SeenWindow]:
    """Look at a window of this stack's endpoint, one for each release that answered in it.

    The window is over the task's time column where requests carry it, else over the time of
    capture.

    Args:
        session: the opened stack.
        workspace: for the hooks.
        start: default: the end of the last window; before the first, the earliest row.
        end: default: after the latest row.

    Returns:
        Nothing where there was no traffic.
    """
    task = _task(session)
    served = _served(session)
    if served is None or not served.num_rows:
        return []
    clock = _clock(served, task)
    start, end, as_of = _bounds(session, served[clock], start, end)
    rows = _between(served, clock, start, end)
    labels = all_labels(session, task)
    return [
        _look(
            session,
            workspace,
            release_id,
            with_labels(part, labels, task),
            (start, end, as_of),
        )
        for release_id, part in _by_release(rows)
    ]


def _task(session: Session) -> Task:
    if session.stack.task is None:
        msg = f"{session.stack.file}: there is no [task]"
        raise UsageError(msg)
    return session.stack.task


def _served(session: Session) -> pa.Table | None:
    deployment = current_deployment(session)
    maker = deployment.maker if deployment else None
    elsewhere = deployment is not None and "pid" not in deployment.facts
    if deployment is not None and maker is not None and elsewhere:
        everything = (datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC))
        rows: pa.Table = session.funnel.owner(
            "read_captures", maker, deployment=deployment, start=everything[0], end=everything[1]
        )
        return rows
    folder = captures_folder(session, endpoint_of(session))
    if not folder.exists():
        return None
    return read_captures(folder, None, None)


def _clock(rows: pa.Table, task: Task) -> str:
    """The column that windows are over."""
    if task.time and task.time in rows.column_names and not rows[task.time].null_count:
        return task.time
    return "at"


def _bounds(
    session: Session, column: pa.ChunkedArray, start: Instant | None, end: Instant | None
) -> tuple[Instant, Instant, Instant]:
    """Start, end and what counts as now."""
    import pyarrow.compute as pc

    ends = pc.min_max(column)
    earliest, latest = ends["min"].as_py(), ends["max"].as_py()
    periods = isinstance(latest, int)
    if start is None:
        last = session.ledger.reads.last_window_end(
            session.project, session.stack.name, session.stack.endpoint
        )
        start = _same_kind(last, latest) if last is not None else earliest
    if end is None:
        end = latest + 1 if periods else latest + timedelta(microseconds=1)
    for given in (start, end):
        if isinstance(given, int) != periods:
            kind = "a period, such as 2018" if periods else "a time, such as 2018-01-01T00:00:00Z"
            msg = f"windows are over {'periods' if periods else 'times'} here: give {kind}"
            raise UsageError(msg)
    return start, max(start, end), latest if periods else datetime.now(UTC)


def _same_kind(text: int | str, like: Instant) -> Instant:
    return int(text) if isinstance(like, int) else datetime.fromisoformat(str(text))


def _between(rows: pa.Table, column: str, start: Instant, end: Instant) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = rows[column].type
    after = pc.greater_equal(rows[column], pa.scalar(start, kind))
    before = pc.less(rows[column], pa.scalar(end, kind))
    return rows.filter(pc.and_(after, before))


def _by_release(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow.compute as pc

    for release in sorted(pc.unique(rows["release"]).to_pylist()):
        yield release, rows.filter(pc.equal(rows["release"], release))


def _look(
    session: Session,
    workspace: CoreWorkspace,
    release_id: str,
    labelled: tuple[pa.Table, int],
    bounds: tuple[Instant, Instant, Instant],
) -> SeenWindow:
    rows, count = labelled
    start, end, as_of = bounds
    task = _task(session)
    row = session.ledger.reads.release(release_id)
    if row is None:
        msg = f"captures name {release_id}, which the ledger does not know"
        raise UsageError(msg, hint="interlock audit verify")
    release = decode(Release, row["body"])
    outputs = session.ledger.reads.stage_outputs(release.run, "validate") or {}
    profiles = decode(tuple[Profile, ...], outputs.get("profiles", []))
    window = Window(
        rows=rows,
        start=start,
        end=end,
        as_of=as_of,
        release=release_id,
        signature=model_of(session, release).signature,
        labelled=count,
    )
    key = _key(session, window, profiles)
    known = session.ledger.reads.window_by_key(session.project, key)
    if known is not None:
        return _recorded(known)
    findings = _findings(session, workspace, window, profiles, task)
    seen = SeenWindow(
        id=new_id("window"),
        release=release_id,
        start=start,
        end=end,
        rows=rows.num_rows,
        labelled=count,
        findings=findings,
    )
    record = encode(seen)
    payload = {**record, "key": key, "stack": release.stack, "endpoint": release.endpoint}
    session.ledger.append_all(session.project, [Entry("window.monitored", seen.id, payload)])
    return seen


def _key(session: Session, window: Window, profiles: tuple[Profile, ...]) -> str:
    """What went in: the rows with their labels, the window, the profiles, and who looks."""
    funnel = session.funnel
    return digest_of(
        {
            "release": window.release,
            "start": encode(window.start) if isinstance(window.start, int) else str(window.start),
            "end": encode(window.end) if isinstance(window.end, int) else str(window.end),
            "rows": table_digest(window.rows),
            "profiles": [profile.artifact.digest for profile in profiles],
            "makers": encode(
                (*funnel.makers("compare_window"), *funnel.makers("measure_performance"))
            ),
            # Whether labels are still awaited depends on what counts as now, to the day.
            "as_of": window.as_of if isinstance(window.as_of, int) else str(window.as_of.date()),
        }
    )


def _findings(
    session: Session,
    workspace: CoreWorkspace,
    window: Window,
    profiles: tuple[Profile, ...],
    task: Task,
) -> tuple[Finding, ...]:
    found: list[Any] = []
    watching = {maker.plugin for maker in session.funnel.makers("compare_window")}
    for profile in profiles:
        maker = profile.maker
        if maker is None:
            continue
        # The plugin that made the profile reads it; this stack's settings decide what alerts.
        owner = maker.plugin if maker.plugin in watching else maker
        found += session.funnel.owner(
            "compare_window", owner, profile=profile, window=window, task=task, ws=workspace
        )
    found += session.funnel.every("measure_performance", window=window, task=task)
    return tuple(found)


def _recorded(row: Any) -> SeenWindow:
    body = {name: row["body"][name] for name in attrs.fields_dict(SeenWindow)}
    return attrs.evolve(decode(SeenWindow, body), known=True)
