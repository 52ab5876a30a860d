"""Rollouts: what takes over an endpoint in steps, and how far it came."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ABOUT = ("stack", "endpoint", "release", "champion", "strategy", "status", "phase")
_SAID = ("reason", "at", "entered_at", "ended_at", "baseline", "body")


def texts(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def upgrade() -> None:
    op.create_table(
        "rollouts",
        *texts("project", "id", "short", nullable=False),
        *texts(*_ABOUT),
        sa.Column("step", sa.BigInteger()),
        *texts(*_SAID),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_rollouts"),
    )
    for column in ("endpoint", "release", "stack", "status"):
        op.create_index(f"ix_rollouts_project_{column}_id", "rollouts", ["project", column, "id"])
    op.create_index("ix_rollouts_project_id", "rollouts", ["project", "id"])
    op.create_index("ix_rollouts_short", "rollouts", ["short"])
