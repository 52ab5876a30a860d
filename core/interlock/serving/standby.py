"""Back to the last good release while the ledger is away.

A server knows what it may go back to: it asked the ledger while that was there, and keeps the
release opened. Beside its log it notes which one that is. A command that finds no ledger writes an
order that names a release and nothing else; the server takes it only where it is the one that it
verified itself. So a file that somebody made opens nothing. What was done is recorded as soon as
the ledger is back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, encode
from interlock.ledger import Entry
from interlock.lifecycle.aliases import move_champion
from interlock.lifecycle.releases import record_refusal, unfit
from interlock.serving.process import order_path
from interlock_hookspecs import Actor, Deployment, Release, Target

if TYPE_CHECKING:
    from interlock.session import Session


@attrs.frozen(kw_only=True)
class Note:
    """What a server says that it may go back to.

    Attributes:
        deployment: whose server, with the address where it answers.
        release: what it would serve.
    """

    deployment: Deployment
    release: Release


@attrs.frozen(kw_only=True)
class Order:
    """That a server is to go back.

    Attributes:
        release: to which; it must be the one of its note.
        actor, at: who said so, and when.
    """

    release: str
    actor: Actor
    at: datetime


def write_note(folder: Path, deployment: Deployment, release: Release | None) -> None:
    """Note what a server may go back to; None for nothing."""
    path = folder / f"{deployment.id}.standby"
    if release is None:
        path.unlink(missing_ok=True)
        return
    _write(path, encode(Note(deployment=deployment, release=release)))


def notes(session: Session, folder: Path) -> Iterator[Note]:
    """What the servers of this stack's endpoint may go back to."""
    stack = session.stack
    for path in sorted(folder.glob("*.standby")):
        note = decode(Note, json.loads(path.read_bytes()))
        endpoint = note.deployment.endpoint
        found = (endpoint.project, endpoint.stack, endpoint.name)
        if found == (session.project, stack.name, stack.endpoint):
            yield note


def give_order(folder: Path, note: Note, actor: Actor) -> Path:
    """Tell a server to go back to what it noted; the path of the order."""
    path = order_path(folder, note.deployment.id)
    order = Order(release=note.release.id, actor=actor, at=datetime.now(UTC))
    _write(path, encode(order))
    return path


def read_order(folder: Path, deployment_id: str) -> Order | None:
    """The order that a server was given; None where there is none, or where it is none."""
    try:
        return decode(Order, json.loads(order_path(folder, deployment_id).read_bytes()))
    except FileNotFoundError:
        return None
    except Exception:  # noqa: BLE001  (a file that anybody may have made)
        drop_order(folder, deployment_id)
        return None


def drop_order(folder: Path, deployment_id: str) -> None:
    """Take an order away."""
    order_path(folder, deployment_id).unlink(missing_ok=True)


def record(session: Session, deployment: Deployment, order: Order, target: Target) -> None:
    """Write down what was done while the ledger was away: who went back, when, and from what.

    A release that was revoked or expired meanwhile is not gone back to.

    Raises:
        LedgerError: it is away again; nothing was written.
    """
    reads, endpoint, release = session.ledger.reads, deployment.endpoint, target.release
    row, now = reads.release(release.id), datetime.now(UTC)
    why = unfit(reads, row, endpoint, now) if row else "is not in the ledger"
    if why:
        reason = f"release {release.id} {why}"
        record_refusal(session, release.id, what="rollback", reason=reason)
        return
    live = reads.champion(endpoint.project, endpoint.stack, endpoint.name)
    back = live is None or live["id"] != release.id
    said = {
        "targets": encode((target,)),
        "release": release.id,
        "reason": "rollback" if back else "rollout",
        "offline": order.at.isoformat(),
    }
    entries = [Entry("deployment.targets", deployment.id, said)]
    rollout = reads.open_rollout(endpoint.project, endpoint.stack, endpoint.name)
    if rollout is not None:
        ended = {"outcome": "aborted", "reason": "rolled back while the ledger was away"}
        entries.append(Entry("rollout.ended", rollout["id"], ended))
    session.ledger.append_all(session.project, entries, actor=order.actor)
    move_champion(session, release)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)
