"""What follows from the events: runs, checks, releases and all else that is listed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def texts(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def counts(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def numbers(*names: str, nullable: bool = True) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Double(), nullable=nullable) for name in names]


def index(table: str, *names: str, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{'_'.join(names)}", table, list(names), unique=unique)


def upgrade() -> None:
    _runs()
    _governance()
    _serving()


def _runs() -> None:
    op.create_table(
        "runs",
        *texts("project", "id", "short", nullable=False),
        *texts(
            "stack",
            "until",
            "status",
            "stage",
            "actor",
            "started_at",
            "finished_at",
            "model",
            "dataset",
            "dossier",
            "version",
            "release",
            "message",
        ),
        *counts("exit_code"),
        *texts("inputs"),
        *counts("pid", "started"),
        *texts("host", "boot", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_runs"),
    )
    index("runs", "project", "actor", "id")
    index("runs", "project", "id")
    index("runs", "project", "model", "id")
    index("runs", "project", "stack", "actor", "id")
    index("runs", "project", "stack", "id")
    index("runs", "project", "stack", "status", "id")
    index("runs", "project", "status", "id")
    index("runs", "short")
    op.create_table(
        "stages",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "stage"),
        *counts("attempt"),
        *texts("status", "inputs", "outputs", "of", "started_at", "finished_at"),
        *numbers("seconds"),
        *texts("message"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_stages"),
    )
    index("stages", "project", "id")
    index("stages", "project", "stage", "inputs", "sequence")
    index("stages", "run", "stage", "sequence")
    index("stages", "short")
    op.create_table(
        "datasets",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "source"),
        *counts("rows"),
        *texts("at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_datasets"),
    )
    index("datasets", "project", "id")
    index("datasets", "project", "run", "id")
    index("datasets", "short")
    op.create_table(
        "candidates",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "model", "data", "estimator", "origin", "at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_candidates"),
    )
    index("candidates", "project", "id")
    index("candidates", "project", "model", "id")
    index("candidates", "project", "run", "id")
    index("candidates", "short")
    op.create_table(
        "checks",
        *texts("project", "run", "phase", nullable=False),
        *counts("ordinal", nullable=False),
        *texts("model", "key", "maker"),
        *numbers("value", "low", "high"),
        *counts("n", "version"),
        *texts("body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("run", "phase", "ordinal", "project", name="pk_checks"),
    )
    op.create_table(
        "profiles",
        *texts("project", "run", nullable=False),
        *counts("ordinal", nullable=False),
        *texts("name", "maker", "artifact"),
        *counts("rows"),
        *texts("body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("run", "ordinal", "project", name="pk_profiles"),
    )


def _governance() -> None:
    op.create_table(
        "versions",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "name", "number", "model", "status", "origin", "at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_versions"),
    )
    index("versions", "project", "id")
    index("versions", "project", "model", "id")
    index("versions", "project", "name", "id")
    index("versions", "project", "run", "id")
    index("versions", "project", "status", "id")
    index("versions", "short")
    op.create_table(
        "aliases",
        *texts("project", "name", "alias", nullable=False),
        *texts("version", "number", "model", "previous", "at"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("project", "name", "alias", name="pk_aliases"),
    )
    op.create_table(
        "reviews",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "dossier", "outcome", "reasons", "at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_reviews"),
    )
    index("reviews", "project", "dossier", "id")
    index("reviews", "project", "id")
    index("reviews", "project", "outcome", "id")
    index("reviews", "project", "run", "id")
    index("reviews", "short")
    op.create_table(
        "verdicts",
        *texts("project", "review", nullable=False),
        *counts("ordinal", nullable=False),
        *texts("decision", "subject", "check", "reason", "maker", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("review", "ordinal", "project", name="pk_verdicts"),
    )
    op.create_table(
        "approvals",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "dossier", "decision", "reason", "actor", "verified"),
        *counts("self_approved"),
        *texts("at", "expires", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_approvals"),
    )
    index("approvals", "project", "actor", "id")
    index("approvals", "project", "dossier", "id")
    index("approvals", "project", "id")
    index("approvals", "project", "run", "id")
    index("approvals", "short")
    op.create_table(
        "releases",
        *texts("project", "id", "short", nullable=False),
        *texts("run", "stack", "endpoint", "model", "dossier"),
        *numbers("threshold"),
        *texts("number", "at", "expires", "revoked_at", "revoked_reason", "revoked_by", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_releases"),
    )
    index("releases", "project", "dossier", "id")
    index("releases", "project", "endpoint", "id")
    index("releases", "project", "id")
    index("releases", "project", "model", "id")
    index("releases", "project", "run", "id")
    index("releases", "project", "stack", "id")
    index("releases", "short")


def _serving() -> None:
    op.create_table(
        "deployments",
        *texts("project", "id", "short", nullable=False),
        *texts(
            "stack",
            "endpoint",
            "status",
            "release",
            "live",
            "address",
            "reason",
            "message",
            "at",
            "targets",
            "body",
        ),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_deployments"),
    )
    index("deployments", "project", "endpoint", "id")
    index("deployments", "project", "id")
    index("deployments", "project", "stack", "id")
    index("deployments", "project", "status", "id")
    index("deployments", "short")
    op.create_table(
        "labels",
        *texts("project", "id", "short", nullable=False),
        *texts("digest", "source"),
        *counts("rows", "matched"),
        *texts("at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_labels"),
    )
    index("labels", "project", "digest", "id")
    index("labels", "project", "id")
    index("labels", "short")
    op.create_table(
        "windows",
        *texts("project", "id", "short", nullable=False),
        *texts("release", "stack", "endpoint", "start", "end", "key"),
        *counts("rows", "labelled", "alerts"),
        *texts("at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_windows"),
    )
    index("windows", "project", "endpoint", "id")
    index("windows", "project", "id")
    index("windows", "project", "key", "id")
    index("windows", "project", "release", "id")
    index("windows", "short")
    op.create_table(
        "findings",
        *texts("project", "id", "short", nullable=False),
        *texts("window", "release", "name", "subject", "status"),
        *numbers("value", "threshold"),
        *counts("n"),
        *texts("maker", "at", "body"),
        *counts("sequence", nullable=False),
        sa.PrimaryKeyConstraint("id", "project", name="pk_findings"),
    )
    index("findings", "project", "id")
    index("findings", "project", "release", "id")
    index("findings", "project", "status", "id")
    index("findings", "project", "window", "id")
    index("findings", "short")
