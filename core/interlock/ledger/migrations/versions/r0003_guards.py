"""Triggers: an event is never changed or removed, and a payload only erased."""

from __future__ import annotations

from alembic import op

from interlock.ledger.guards import install

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    install(op.get_bind())
