"""Releases as the ledger has them. No other copy counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock.codec import decode
from interlock.errors import GateRefused
from interlock_hookspecs import Endpoint, Release

if TYPE_CHECKING:
    from interlock.ledger import Ledger


def verified_release(
    ledger: Ledger, release_id: str, endpoint: Endpoint, *, now: datetime | None = None
) -> Release:
    """The release, if it may be served at an endpoint now.

    Raises:
        GateRefused: the ledger has no such release, or it is revoked, expired, or another
            project's, stack's or endpoint's.
    """
    row = ledger.reads.release(release_id)
    if row is None:
        msg = f"the ledger has no release {release_id}"
        raise GateRefused(msg, hint="a model is released by review: interlock run")
    reason = unfit(row, endpoint, now or datetime.now(UTC))
    if reason:
        msg = f"release {release_id} {reason}"
        raise GateRefused(msg, hint="interlock show " + release_id)
    return decode(Release, row["body"])


def unfit(row: Mapping[str, Any], endpoint: Endpoint, now: datetime) -> str:
    """Why a release may not be served at an endpoint; empty where it may."""
    if row["revoked_at"] is not None:
        return f"was revoked by {row['revoked_by']}: {row['revoked_reason']}"
    if row["expires"] is not None and now >= _instant(row["expires"]):
        return f"expired at {row['expires']}"
    belongs = (row["project"], row["stack"], row["endpoint"])
    asked = (endpoint.project, endpoint.stack, endpoint.name)
    if belongs != asked:
        return f"is for {'/'.join(belongs)}, not for {'/'.join(asked)}"
    return ""


def _instant(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
