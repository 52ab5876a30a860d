"""The tables: the chain, which is the truth, and the projections, which follow from it.

Times are text in UTC with microseconds, JSON is canonical text: what is compared byte for byte in
a verification is stored without a conversion. Ids are ordered by time, so a listing's page is a
range of an index that ends in the id.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"}
)


def _needed(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in names]


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, Text) for name in names]


def _counts(*names: str) -> list[Column[Any]]:
    return [Column(name, BigInteger) for name in names]


def _numbers(*names: str) -> list[Column[Any]]:
    return [Column(name, Double) for name in names]


def _sequence() -> Column[Any]:
    return Column("sequence", BigInteger, nullable=False)


def _table(name: str, key: tuple[str, ...], *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns, PrimaryKeyConstraint(*key))


def _index(table: Table, *names: str, unique: bool = False) -> None:
    Index(None, *(table.c[name] for name in names), unique=unique)


meta = _table("meta", ("id",), *_needed("id"))

heads = _table("heads", ("project",), *_needed("project"), _sequence(), *_needed("digest"))

events = _table(
    "events",
    ("project", "sequence"),
    *_needed("project"),
    _sequence(),
    *_needed("id", "kind", "at", "actor", "subject"),
    *_texts("run"),
    Column("header", LargeBinary, nullable=False),
    *_needed("digest"),
    Column("signature", LargeBinary),
    *_texts("key_id"),
)
_index(events, "id", unique=True)
_index(events, "project", "kind", "sequence")
_index(events, "project", "subject", "sequence")
_index(events, "project", "run", "sequence")

payloads = _table(
    "payloads",
    ("project", "sequence"),
    *_needed("project"),
    _sequence(),
    *_needed("event"),
    Column("salt", LargeBinary),
    Column("body", LargeBinary),
    *_texts("erased_at", "reason"),
)


def _listed(name: str, *columns: Column[Any], by: tuple[str, ...] = ()) -> Table:
    """A projection of things with ids: listed newest first, filtered by some columns."""
    table = _table(
        name, ("id", "project"), *_needed("project", "id", "short"), *columns, _sequence()
    )
    _index(table, "short")
    _index(table, "project", "id")
    for column in by:
        _index(table, "project", column, "id")
    return table


runs = _listed(
    "runs",
    *_texts("stack", "until", "status", "stage", "actor", "started_at", "finished_at", "model"),
    *_texts("dataset", "dossier", "version", "release", "message"),
    *_counts("exit_code"),
    *_texts("inputs"),
    *_counts("pid", "started"),
    *_texts("host", "boot", "body"),
    by=("status", "stack", "actor", "model"),
)
# The command asks within a stack: a status that is rare there is found at once all the same.
_index(runs, "project", "stack", "status", "id")
_index(runs, "project", "stack", "actor", "id")
stages = _listed(
    "stages",
    *_texts("run", "stage"),
    *_counts("attempt"),
    *_texts("status", "inputs", "outputs", "of", "started_at", "finished_at"),
    *_numbers("seconds"),
    *_texts("message"),
)
_index(stages, "run", "stage", "sequence")
_index(stages, "project", "stage", "inputs", "sequence")
_listed("datasets", *_texts("run", "source"), *_counts("rows"), *_texts("at", "body"), by=("run",))
_listed(
    "candidates",
    *_texts("run", "model", "data", "estimator", "origin", "at", "body"),
    by=("run", "model"),
)
_table(
    "checks",
    ("run", "phase", "ordinal", "project"),
    *_needed("project", "run", "phase"),
    Column("ordinal", BigInteger, nullable=False),
    *_texts("model", "key", "maker"),
    *_numbers("value", "low", "high"),
    *_counts("n", "version"),
    *_texts("body"),
    _sequence(),
)
_table(
    "profiles",
    ("run", "ordinal", "project"),
    *_needed("project", "run"),
    Column("ordinal", BigInteger, nullable=False),
    *_texts("name", "maker", "artifact"),
    *_counts("rows"),
    *_texts("body"),
    _sequence(),
)
_listed(
    "versions",
    *_texts("run", "name", "number", "model", "status", "origin", "at", "body"),
    by=("run", "name", "model", "status"),
)
_table(
    "aliases",
    ("project", "name", "alias"),
    *_needed("project", "name", "alias"),
    *_texts("version", "number", "model", "previous", "at"),
    _sequence(),
)
_listed(
    "reviews",
    *_texts("run", "dossier", "outcome", "reasons", "at", "body"),
    by=("run", "dossier", "outcome"),
)
_table(
    "verdicts",
    ("review", "ordinal", "project"),
    *_needed("project", "review"),
    Column("ordinal", BigInteger, nullable=False),
    *_texts("decision", "subject", "check", "reason", "maker", "body"),
    _sequence(),
)
_listed(
    "approvals",
    *_texts("run", "dossier", "decision", "reason", "actor", "verified"),
    *_counts("self_approved"),
    *_texts("at", "expires", "body"),
    by=("run", "dossier", "actor"),
)
_listed(
    "releases",
    *_texts("run", "stack", "endpoint", "model", "dossier"),
    *_numbers("threshold"),
    *_texts("number", "at", "expires", "revoked_at", "revoked_reason", "revoked_by", "body"),
    by=("run", "stack", "endpoint", "model", "dossier"),
)
_listed(
    "deployments",
    *_texts("stack", "endpoint", "status", "release", "live", "address", "reason", "message"),
    *_texts("at", "targets", "body"),
    by=("stack", "endpoint", "status"),
)
_listed(
    "rollouts",
    *_texts("stack", "endpoint", "release", "champion", "strategy", "status", "phase"),
    *_counts("step"),
    *_texts("reason", "at", "entered_at", "ended_at", "baseline", "body"),
    by=("stack", "endpoint", "release", "status"),
)
_listed(
    "labels",
    *_texts("digest", "source"),
    *_counts("rows", "matched"),
    *_texts("at", "body"),
    by=("digest",),
)
_listed(
    "windows",
    *_texts("release", "stack", "endpoint", "start", "end", "key"),
    *_counts("rows", "labelled", "alerts"),
    *_texts("at", "body"),
    by=("release", "endpoint", "key"),
)
_listed(
    "findings",
    *_texts("window", "release", "name", "subject", "status"),
    *_numbers("value", "threshold"),
    *_counts("n"),
    *_texts("maker", "at", "body"),
    by=("window", "release", "status"),
)

CHAIN = frozenset({"meta", "heads", "events", "payloads"})
"""The tables that are no projection."""

PROJECTIONS = {name: table for name, table in metadata.tables.items() if name not in CHAIN}
"""The tables that follow from the events, by name."""

KEYS = {
    name: tuple(column.name for column in table.primary_key if column.name != "project")
    for name, table in PROJECTIONS.items()
}
"""The key of each projection within its project."""

COLUMNS = {
    name: (
        *KEYS[name],
        *(column for column in table.columns.keys() if column not in ("project", *KEYS[name])),  # noqa: SIM118  (columns, no dict)
    )
    for name, table in PROJECTIONS.items()
}
"""The columns of each projection but its project, the key first."""
