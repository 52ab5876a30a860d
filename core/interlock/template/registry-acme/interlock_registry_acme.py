"""A model registry in one SQLite file: replace the file by the service that you speak to."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from interlock_hookspecs import (
    Conflict,
    Facts,
    InvalidInput,
    Misfit,
    Model,
    ModelVersion,
    NotFound,
    Unavailable,
    VersionPage,
    from_plain,
    hookimpl,
    plugin,
    project_root,
    setting,
    to_plain,
)

TABLES = """
create table if not exists versions (
    name text, number integer, id text unique, digest text, body text, at text,
    deleted integer default 0, primary key (name, number)
);
create table if not exists aliases (
    name text, alias text, number integer, primary key (name, alias)
);
"""
COLUMNS = "id, name, number, body, at"
WAIT = 60  # seconds for the lock that another writer holds


@plugin(contract="1.0")
class AcmeRegistry:
    """Keeps versions and aliases; the bytes of a model stay in the artifact store."""

    file: str = setting(".interlock/acme.db", doc="the database, relative to the project's folder")
    root: Path = project_root()

    @hookimpl
    def register_version(
        self,
        name: str,
        id: str,  # noqa: A002  (the contract's own word)
        model: Model,
        facts: Facts,
    ) -> ModelVersion:
        refuse_unstorable(name)
        with self._transaction() as db:
            # The lock is held from here on, so that no other caller can take the number.
            known = db.execute(
                "select name, digest, deleted from versions where id = ?", [id]
            ).fetchone()
            if known is not None and known != (name, model.digest, 0):
                raise Conflict(
                    f"{id} stands for another version, or for one that was deleted",
                    expected=model.digest,
                    found=known[1],
                )
            found = one(db, "name = ? and digest = ?", name, model.digest)
            if found is not None:
                return attrs.evolve(found, existing=True)
            (last,) = db.execute(
                "select coalesce(max(number), 0) from versions where name = ?", [name]
            ).fetchone()
            at = datetime.now(UTC)
            db.execute(
                "insert into versions (name, number, id, digest, body, at) values (?,?,?,?,?,?)",
                [name, last + 1, id, model.digest, to_text(model, facts), at.isoformat()],
            )
        return ModelVersion(id=id, name=name, number=str(last + 1), model=model, facts=facts, at=at)

    @hookimpl
    def get_version(self, name: str, ref: str) -> ModelVersion | None:
        if not (is_text(name) and is_text(ref)):
            return None
        with self._transaction() as db:
            if ref.startswith("@"):
                pointed = "select number from aliases where name = ? and alias = ?"
                return one(db, f"name = ? and number = ({pointed})", name, name, ref[1:])
            return one(
                db,
                "name = ? and (digest = ? or id = ? or cast(number as text) = ?)",
                *(name, ref, ref, ref),
            )

    @hookimpl
    def list_versions(self, name: str, cursor: str | None, limit: int) -> VersionPage:
        below = 2**62 if cursor is None else number_of(cursor)
        if below is None:
            raise InvalidInput("the cursor is not one of this registry's: start without one")
        if not is_text(name):
            return VersionPage()
        with self._transaction() as db:
            items = several(db, "name = ? and number < ?", name, below, limit=limit + 1)
        more = len(items) > limit
        return VersionPage(items=items[:limit], cursor=items[limit - 1].number if more else None)

    @hookimpl
    def set_alias(self, name: str, alias: str, expected: str | None, number: str | None) -> None:
        refuse_unstorable(name)
        refuse_unstorable(alias)
        with self._transaction() as db:
            row = db.execute(
                "select number from aliases where name = ? and alias = ?", [name, alias]
            ).fetchone()
            found = None if row is None else str(row[0])
            if found != expected:
                raise Conflict(f"@{alias} is on {found}", expected=expected, found=found)
            db.execute("delete from aliases where name = ? and alias = ?", [name, alias])
            if number is not None:
                if one(db, "name = ? and cast(number as text) = ?", name, number) is None:
                    raise NotFound(f"{name} has no version {number}")
                db.execute("insert into aliases values (?, ?, ?)", [name, alias, int(number)])

    @hookimpl
    def delete_version(self, name: str, number: str) -> None:
        with self._transaction() as db:
            found = one(db, "name = ? and cast(number as text) = ?", name, number)
            if found is None:
                raise NotFound(f"{name} has no version {number}")
            if found.aliases:
                pointing = ", ".join(f"@{alias}" for alias in found.aliases)
                raise Conflict(f"{name} {number} is {pointing}", expected=None, found=pointing)
            # The row stays, and with it the number.
            db.execute("update versions set deleted = 1 where id = ?", [found.id])

    @hookimpl
    def find_misfits(self, version: ModelVersion) -> list[Misfit]:
        texts = {"name": version.name, **{f"alias {text!r}": text for text in version.aliases}}
        reason = "it is empty or holds a character that SQLite does not store"
        found = [Misfit(what=what, reason=reason) for what, text in texts.items() if unfit(text)]
        if not found:
            query = "select number from versions where id = ? and deleted"
            with self._transaction() as db:
                for number in db.execute(query, [version.id]):
                    deleted = f"it made version {number[0]}, which was deleted"
                    found.append(Misfit(what="id", reason=deleted))
        return found

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection that holds the lock; what was written is undone where the block raises."""
        path = self.root / self.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
            with contextlib.closing(db):
                db.executescript(TABLES)
                db.execute("begin immediate")
                yield db
                db.execute("commit")
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(f"registry-acme: {self.file} cannot be used: {error}") from error


def one(db: sqlite3.Connection, where: str, *values: Any) -> ModelVersion | None:
    """The version that a condition finds."""
    return next(iter(several(db, where, *values)), None)


def several(
    db: sqlite3.Connection, where: str, *values: Any, limit: int = 1
) -> tuple[ModelVersion, ...]:
    """The versions that a condition finds, newest first."""
    query = f"select {COLUMNS} from versions where deleted = 0 and ({where})"  # noqa: S608  (conditions are this module's)
    rows = db.execute(f"{query} order by number desc limit ?", [*values, limit]).fetchall()
    return tuple(version(db, *row) for row in rows)


def version(
    db: sqlite3.Connection,
    id: str,  # noqa: A002  (the contract's own word)
    name: str,
    number: int,
    body: str,
    at: str,
) -> ModelVersion:
    """The record of a row."""
    aliases = db.execute(
        "select alias from aliases where name = ? and number = ? order by alias", [name, number]
    ).fetchall()
    model, facts = from_text(body)
    return ModelVersion(
        id=id,
        name=name,
        number=str(number),
        model=model,
        facts=facts,
        aliases=tuple(alias for (alias,) in aliases),
        at=datetime.fromisoformat(at),
    )


def to_text(model: Model, facts: Facts) -> str:
    """A model and its facts as JSON."""
    return json.dumps({"model": to_plain(model), "facts": to_plain(facts)})


def from_text(text: str) -> tuple[Model, Facts]:
    """The model and its facts from that JSON."""
    value = json.loads(text)
    return from_plain(Model, value["model"]), Facts(value["facts"])


def number_of(text: str) -> int | None:
    """The number that a cursor holds; None for a text that is no number of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**62)) else None


def is_text(text: str) -> bool:
    """Whether SQLite stores a text as it is: UTF-8 without NUL."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def unfit(text: str) -> bool:
    """Whether a name or an alias cannot be stored as it is."""
    return not text or not is_text(text)


def refuse_unstorable(text: str) -> None:
    """Refuse a name or an alias that cannot be stored as it is."""
    if unfit(text):
        raise InvalidInput(f"{text!r} is empty or holds a character that SQLite does not store")
