"""A model registry in SQLite or PostgreSQL, in tables of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    Facts,
    Misfit,
    Model,
    ModelVersion,
    Secret,
    VersionPage,
    Workspace,
    hookimpl,
    plugin,
    project_root,
    setting,
)

if TYPE_CHECKING:
    from interlock_registry_sql.database import Database

DEFAULT_URL = "sqlite:///.interlock/registry.db"


@plugin(contract="1.0")
class SqlRegistry:
    """Keeps versions and aliases; the bytes of a model stay in the artifact store."""

    url: str | Secret[str] = setting(
        DEFAULT_URL,
        doc="the database: sqlite:///FILE, relative to the project's folder, or postgresql://...",
    )
    root: Path = project_root()
    _database: Database | None = attrs.field(init=False, default=None, repr=False)

    @hookimpl
    def register_version(
        self,
        name: str,
        id: str,  # noqa: A002  (the contract's own word)
        model: Model,
        facts: Facts,
        ws: Workspace,
    ) -> ModelVersion:
        from interlock_registry_sql.versions import register

        with self._open().writing() as connection:
            version = register(connection, name=name, id=id, model=model, facts=facts)
        if version.existing:
            ws.log.info("%s has this model already, as version %s", name, version.number)
        return version

    @hookimpl
    def get_version(self, name: str, ref: str) -> ModelVersion | None:
        from interlock_registry_sql.lookups import find

        return find(self._open(), name, ref)

    @hookimpl
    def list_versions(self, name: str, cursor: str | None, limit: int) -> VersionPage:
        from interlock_registry_sql.versions import page

        with self._open().reading() as connection:
            return page(connection, name, cursor, limit)

    @hookimpl
    def set_alias(self, name: str, alias: str, expected: str | None, number: str | None) -> None:
        from interlock_registry_sql.aliases import move

        with self._open().writing() as connection:
            move(connection, name=name, alias=alias, expected=expected, number=number)

    @hookimpl
    def delete_version(self, name: str, number: str) -> None:
        from interlock_registry_sql.versions import delete

        with self._open().writing() as connection:
            delete(connection, name, number)

    @hookimpl
    def find_misfits(self, version: ModelVersion) -> list[Misfit]:
        from interlock_registry_sql.names import misfits

        texts = [("name", version.name), ("id", version.id)]
        texts += [("alias", alias) for alias in version.aliases]
        found = [found for what, text in texts for found in misfits(text, what)]
        if not found:
            from interlock_registry_sql.versions import spent

            with self._open().reading() as connection:
                found += spent(connection, version)
        return found

    def _open(self) -> Database:
        if self._database is None:
            from interlock_registry_sql.database import open_database

            self._database = open_database(self.url, self.root)
        return self._database
