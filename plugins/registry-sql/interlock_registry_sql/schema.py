"""The tables, their version, and how many processes make them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
)

from interlock_hookspecs import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCHEMA_VERSION = 1
"""Of the tables below. A change of theirs is another version, and comes with its migration."""

metadata = MetaData()

schema = Table("registry_schema", metadata, Column("version", Integer, primary_key=True))

names = Table(
    "registry_names",
    metadata,
    Column("name", Text, primary_key=True),
    # Kept apart from the versions, so that a deleted version's number stays used.
    Column("next", BigInteger, nullable=False),
)

versions = Table(
    "registry_versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("deleted_at", Text),
    ForeignKeyConstraint(["name"], ["registry_names.name"]),
)
Index("registry_versions_number", versions.c.name, versions.c.number, unique=True)
# A digest that was deleted may come again, as a new version.
_LIVE = versions.c.deleted_at.is_(None)
_digests = Index(
    "registry_versions_digest",
    versions.c.name,
    versions.c.digest,
    unique=True,
    sqlite_where=_LIVE,
)

aliases = Table(
    "registry_aliases",
    metadata,
    Column("name", Text, nullable=False),
    Column("alias", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "alias"),
    ForeignKeyConstraint(
        ["name", "number"], ["registry_versions.name", "registry_versions.number"]
    ),
)
Index("registry_aliases_number", aliases.c.name, aliases.c.number)

_ADVISORY_LOCK = 0x696E7465726C6F63  # "interloc": held while the tables are made
_LOCK = "select pg_advisory_xact_lock(:key)"


def prepare(engine: Engine, place: str) -> None:
    """Make the tables where there are none; leave them alone where they are ours.

    Raises:
        Unsupported: they are of a version that this plugin does not know.
    """
    with engine.begin() as connection:
        found = _version(connection)
    if found is None:
        with engine.execution_options(writes=True).begin() as connection:
            # CREATE TABLE IF NOT EXISTS alone fails on PostgreSQL where two run it at once.
            if connection.dialect.name == "postgresql":
                connection.execute(text(_LOCK), {"key": _ADVISORY_LOCK})
                # Not said with the index above: naming PostgreSQL imports its dialect, 30 ms.
                _digests.dialect_options["postgresql"]["where"] = _LIVE
            found = _version(connection)
            if found is None:
                metadata.create_all(connection)
                connection.execute(insert(schema).values(version=SCHEMA_VERSION))
                found = SCHEMA_VERSION
    if found != SCHEMA_VERSION:
        msg = (
            f"registry-sql: the tables in {place} are of version {found}, this plugin's of "
            f"{SCHEMA_VERSION}: install the interlock-registry-sql that wrote them, or a newer one"
        )
        raise Unsupported(msg)


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema.name):
        return None
    return connection.execute(select(schema.c.version)).scalar()
