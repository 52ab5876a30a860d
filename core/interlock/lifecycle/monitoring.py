"""Monitoring: windows of what was served, each looked at once unless something new came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, digest_of, encode
from interlock.errors import UsageError
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.labels import all_labels, with_labels
from interlock.lifecycle.releases import model_of, outputs_behind
from interlock.lifecycle.windows import ServedWindow, served_window
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
    task = session.task
    served = served_window(session, task, start, end)
    if served is None:
        return []
    labels = all_labels(session, task)
    return [
        _look(session, workspace, release_id, with_labels(rows, labels, task), served)
        for release_id, rows in served.by_release()
    ]


def _look(
    session: Session,
    workspace: CoreWorkspace,
    release_id: str,
    labelled: tuple[pa.Table, int],
    served: ServedWindow,
) -> SeenWindow:
    rows, count = labelled
    task = session.task
    window, profiles = window_of(
        session, release_id, labelled, start=served.start, end=served.end, as_of=served.as_of
    )
    key = _key(session, window, profiles)
    known = session.ledger.reads.window_by_key(session.project, key)
    if known is not None:
        return _recorded(known)
    findings = findings_of(session, workspace, window, profiles, task)
    seen = SeenWindow(
        id=new_id("window"),
        release=release_id,
        start=served.start,
        end=served.end,
        rows=rows.num_rows,
        labelled=count,
        findings=findings,
    )
    record = encode(seen)
    stack = session.stack
    payload = {**record, "key": key, "stack": stack.name, "endpoint": stack.endpoint}
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
                (*funnel.inputs("compare_window"), *funnel.inputs("measure_performance"))
            ),
            # Whether labels are still awaited depends on what counts as now, to the day.
            "as_of": window.as_of if isinstance(window.as_of, int) else str(window.as_of.date()),
        }
    )


def window_of(
    session: Session,
    release_id: str,
    labelled: tuple[pa.Table, int],
    *,
    start: Instant,
    end: Instant,
    as_of: Instant,
) -> tuple[Window, tuple[Profile, ...]]:
    """A window of what one release answered, and the profiles that it is compared with.

    Args:
        session: the opened stack.
        release_id: who answered.
        labelled: its rows with what labels there are, and how many those are.
        start, end, as_of: as a `Window` has them.

    Raises:
        UsageError: the ledger does not know the release.
    """
    rows, count = labelled
    row = session.ledger.reads.release(release_id)
    if row is None:
        msg = f"captures name {release_id}, which the ledger does not know"
        raise UsageError(msg, hint="interlock audit verify")
    release = decode(Release, row["body"])
    profiles = outputs_behind(session, release).get("profiles", [])
    window = Window(
        rows=rows,
        start=start,
        end=end,
        as_of=as_of,
        release=release_id,
        signature=model_of(session, release).signature,
        labelled=count,
    )
    return window, decode(tuple[Profile, ...], profiles)


def findings_of(
    session: Session,
    workspace: CoreWorkspace,
    window: Window,
    profiles: tuple[Profile, ...],
    task: Task,
) -> tuple[Finding, ...]:
    """What the stack's monitors find in a window."""
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
