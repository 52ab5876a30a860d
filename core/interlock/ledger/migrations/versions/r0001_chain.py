"""The chain: events, their payloads, the heads, and the ledger's id."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def texts(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def counts(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def blobs(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=nullable) for name in names]


def index(table: str, *names: str, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{'_'.join(names)}", table, list(names), unique=unique)


def upgrade() -> None:
    op.create_table(
        "meta",
        *texts("id", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meta"),
    )
    op.create_table(
        "heads",
        *texts("project", nullable=False),
        *counts("sequence", nullable=False),
        *texts("digest", nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_heads"),
    )
    op.create_table(
        "events",
        *texts("project", nullable=False),
        *counts("sequence", nullable=False),
        *texts("id", "kind", "at", "actor", "subject", nullable=False),
        *texts("run"),
        *blobs("header", nullable=False),
        *texts("digest", nullable=False),
        *blobs("signature"),
        *texts("key_id"),
        sa.PrimaryKeyConstraint("project", "sequence", name="pk_events"),
    )
    index("events", "id", unique=True)
    index("events", "project", "kind", "sequence")
    index("events", "project", "run", "sequence")
    index("events", "project", "subject", "sequence")
    op.create_table(
        "payloads",
        *texts("project", nullable=False),
        *counts("sequence", nullable=False),
        *texts("event", nullable=False),
        *blobs("salt", "body"),
        *texts("erased_at", "reason"),
        sa.PrimaryKeyConstraint("project", "sequence", name="pk_payloads"),
    )
