"""Versions: registered once, listed newest first, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from interlock_hookspecs import (
    Conflict,
    Facts,
    InvalidInput,
    Misfit,
    Model,
    ModelVersion,
    NotFound,
    VersionPage,
)
from interlock_registry_sql.body import write_body
from interlock_registry_sql.lookups import BY_DIGEST, BY_ID, record, record_of
from interlock_registry_sql.names import as_number, is_storable, lock, lock_or_make, storable
from interlock_registry_sql.schema import aliases, names, versions

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROW = (
    versions.c.id,
    versions.c.name,
    versions.c.number,
    versions.c.body,
    versions.c.at,
)
_TAG_BYTES = 4


def register(
    connection: Connection,
    *,
    name: str,
    id: str,  # noqa: A002  (the contract's own word)
    model: Model,
    facts: Facts,
) -> ModelVersion:
    """The version that the id or the digest has already, else a new one with the next number."""
    storable(name, "name")
    storable(id, "id")
    number = lock_or_make(connection, name)
    known = _by_id(connection, name, id, model) or _by_digest(connection, name, model)
    if known is not None:
        return known
    at = datetime.now(UTC)
    row = {
        "id": id,
        "name": name,
        "number": number,
        "digest": model.digest,
        "body": write_body(model, facts),
        "at": at.isoformat(timespec="microseconds"),
    }
    try:
        connection.execute(insert(versions).values(row))
    except IntegrityError as error:
        # The name is locked: only another name's registration can have taken the id meanwhile.
        msg = f"{id} stands for a version of another name: register with a new id"
        raise Conflict(msg, expected=None, found=id) from error
    connection.execute(update(names).where(names.c.name == name).values(next=number + 1))
    return ModelVersion(id=id, name=name, number=str(number), model=model, at=at, facts=facts)


def page(connection: Connection, name: str, cursor: str | None, limit: int) -> VersionPage:
    """Up to ``limit`` versions below the cursor's number, newest first.

    Raises:
        InvalidInput: the cursor is no page's of this name, or the limit under 1.
    """
    if limit < 1:
        msg = f"limit is {limit}: expected 1 or more"
        raise InvalidInput(msg)
    below = None if cursor is None else _below(name, cursor)
    if not is_storable(name):
        return VersionPage()
    rows = connection.execute(newest(name, below).limit(limit + 1)).all()
    items = _records(connection, name, rows[:limit])
    more = len(rows) > limit
    return VersionPage(items=items, cursor=_cursor(name, rows[limit - 1].number) if more else None)


def delete(connection: Connection, name: str, number: str) -> None:
    """Mark a version as gone. Its row stays, and with it its number and its id.

    Raises:
        NotFound: there is no such version.
        Conflict: an alias still points at it.
    """
    wanted = as_number(number)
    if wanted is None or not is_storable(name) or not lock(connection, name):
        raise _no_version(name, number)
    pointing = connection.scalars(
        select(aliases.c.alias)
        .where(aliases.c.name == name, aliases.c.number == wanted)
        .order_by(aliases.c.alias)
    ).all()
    if pointing:
        found = ", ".join(f"@{alias}" for alias in pointing)
        msg = f"{name} {number} is {found}: move the alias first"
        raise Conflict(msg, expected=None, found=found)
    gone = connection.execute(
        update(versions)
        .where(versions.c.name == name, versions.c.number == wanted)
        .where(versions.c.deleted_at.is_(None))
        .values(deleted_at=datetime.now(UTC).isoformat(timespec="microseconds"))
    )
    if not gone.rowcount:
        raise _no_version(name, number)


def newest(name: str, below: int | None) -> Select[Any]:
    """The rows of a name under a number, newest first."""
    query = select(*_ROW).where(versions.c.name == name, versions.c.deleted_at.is_(None))
    if below is not None:
        query = query.where(versions.c.number < below)
    return query.order_by(versions.c.number.desc())


def _by_id(
    connection: Connection,
    name: str,
    id: str,  # noqa: A002  (the contract's own word)
    model: Model,
) -> ModelVersion | None:
    """The version that the id made, which must be this one.

    Raises:
        Conflict: the id made another, or one that was deleted.
    """
    columns = [versions.c[name] for name in ("name", "number", "digest", "deleted_at")]
    row = connection.execute(select(*columns).where(versions.c.id == id)).first()
    if row is None:
        return None
    if (row.name, row.digest) != (name, model.digest):
        msg = f"{id} stands for {row.name} {row.number} already: register with a new id"
        raise Conflict(msg, expected=model.digest, found=row.digest)
    if row.deleted_at is not None:
        msg = f"{id} made {name} {row.number}, which was deleted: register with a new id"
        raise Conflict(msg, expected=model.digest, found=None)
    return record_of(connection.execute(BY_ID, {"name": name, "ref": id}).all(), existing=True)


def spent(connection: Connection, version: ModelVersion) -> list[Misfit]:
    """That a version's id made another one here, or one that was deleted; nothing else."""
    columns = [versions.c[name] for name in ("name", "number", "digest", "deleted_at")]
    row = connection.execute(select(*columns).where(versions.c.id == version.id)).first()
    if row is None:
        return []
    if (row.name, row.digest) != (version.name, version.model.digest):
        return [Misfit(what="id", reason=f"it stands for {row.name} {row.number} here")]
    if row.deleted_at is not None:
        return [Misfit(what="id", reason=f"it made version {row.number} here, which was deleted")]
    return []


def _by_digest(connection: Connection, name: str, model: Model) -> ModelVersion | None:
    found = connection.execute(BY_DIGEST, {"name": name, "ref": model.digest})
    return record_of(found.all(), existing=True)


def _records(
    connection: Connection, name: str, rows: Sequence[Row[Any]]
) -> tuple[ModelVersion, ...]:
    if not rows:
        return ()
    numbers = [row.number for row in rows]
    pointing: dict[int, list[str]] = {}
    # A range, not a list: a page may be longer than the parameters that a database takes.
    for number, alias in connection.execute(
        select(aliases.c.number, aliases.c.alias).where(
            aliases.c.name == name, aliases.c.number.between(min(numbers), max(numbers))
        )
    ):
        pointing.setdefault(number, []).append(alias)
    return tuple(
        record(
            row.id,
            row.name,
            row.number,
            row.body,
            row.at,
            pointing=pointing.get(row.number, ()),
        )
        for row in rows
    )


def _no_version(name: str, number: str) -> NotFound:
    return NotFound(f"{name} has no version {number}")


def _cursor(name: str, number: int) -> str:
    """The number with a tag of it and the name, so that another listing's cursor is noticed."""
    content = f"{number}:{name}".encode("utf-8", "surrogatepass")
    return f"v1-{number}-{hashlib.blake2b(content, digest_size=_TAG_BYTES).hexdigest()}"


def _below(name: str, cursor: str) -> int:
    _, _, rest = cursor.partition("-")
    number = as_number(rest.partition("-")[0])
    if number is None or cursor != _cursor(name, number):
        msg = f"the cursor is not one of the versions of {name}: start again without one"
        raise InvalidInput(msg)
    return number
