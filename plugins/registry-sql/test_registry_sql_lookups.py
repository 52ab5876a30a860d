"""Lookups: through an index, and on a connection that is kept for the next."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text

from interlock_hookspecs import Artifact, Facts, Model, Signature, Unavailable, bytes_digest
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_registry_sql import SqlRegistry
from interlock_registry_sql.body import write_body
from interlock_registry_sql.lookups import BY_ALIAS, BY_DIGEST, BY_ID, BY_NUMBER
from interlock_registry_sql.schema import names, versions
from interlock_registry_sql.versions import newest

THREADS, EACH = 8, 25


def model_of(word: str) -> Model:
    return Model(
        format="skops",
        artifact=Artifact(digest=bytes_digest(word.encode()), size=9, name="model.skops"),
        signature=Signature(kind="binary", inputs=(), outputs=()),
    )


def put(registry: SqlRegistry, word: str) -> str:
    """Register a model; gives its number."""
    made = registry.register_version(
        "employment", f"version-{word}", model_of(word), Facts(), LocalWorkspace(Path("unused"))
    )
    return made.number


def number_of(registry: SqlRegistry, ref: str) -> str | None:
    found = registry.get_version("employment", ref)
    return None if found is None else found.number


def in_a_child(act: Any) -> Any:
    """What a forked child gives, as text."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(act()).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as told:
        return told.read()


def test_a_hundred_thousand_versions_are_looked_up_by_index(tmp_path: Path) -> None:
    """A reference or a page of a name with 100,000 versions reads an index, never the table."""
    registry = SqlRegistry(root=tmp_path)
    body, at = write_body(model_of("a"), Facts()), "2026-01-01T00:00:00+00:00"
    rows = [
        {"id": f"v{n}", "name": "big", "number": n, "digest": f"d{n}", "body": body, "at": at}
        for n in range(1, 100_001)
    ]
    with registry._open().writing() as connection:
        connection.execute(insert(names).values(name="big", next=100_001))
        connection.execute(insert(versions), rows)
    registry.set_alias("big", "champion", None, "50000")
    asked = [(BY_ALIAS, "champion"), (BY_DIGEST, "d7"), (BY_ID, "v7"), (BY_NUMBER, 7)]
    queries = [query.params(name="big", ref=ref) for query, ref in asked]
    with registry._open().reading() as connection:
        for query in (*queries, newest("big", 99_000)):
            written = query.compile(connection, compile_kwargs={"literal_binds": True})
            plan = connection.exec_driver_sql(f"explain query plan {written}").all()
            steps = [str(row[3]) for row in plan]
            assert all(step.startswith("SEARCH") and "INDEX" in step for step in steps), steps
    found = registry.get_version("big", "@champion")
    assert found is not None
    assert found.number == "50000"


def test_a_lookup_sees_what_another_process_wrote_meanwhile(registry: SqlRegistry) -> None:
    """The connection is kept, and nothing that it ever said."""
    put(registry, "a")
    registry.set_alias("employment", "champion", None, put(registry, "b"))
    assert number_of(registry, "@champion") == "2"
    other = SqlRegistry(url=registry.url, root=registry.root)
    other.set_alias("employment", "champion", "2", "1")
    assert number_of(registry, "@champion") == "1"
    other.set_alias("employment", "champion", "1", None)
    other.delete_version("employment", "2")
    assert number_of(registry, "@champion") is None
    assert number_of(registry, "2") is None


def test_lookups_share_one_connection_one_after_another(registry: SqlRegistry) -> None:
    """However many there are, and whatever they find."""
    put(registry, "a")
    kept = registry._open().kept
    for ref in ("1", "@champion", "version-a", "2") * 5:
        registry.get_version("employment", ref)
        assert len(kept._waiting) == 1
    first = kept._waiting[0].connection
    registry.get_version("employment", "1")
    assert kept._waiting[0].connection is first


def test_threads_look_up_at_once(registry: SqlRegistry) -> None:
    """None waits for another's connection, and the few that are kept are all whole."""
    for word in "abcd":
        put(registry, word)
    start = threading.Barrier(THREADS)

    def look_up(turn: int) -> list[str | None]:
        start.wait(60)
        return [number_of(registry, str(1 + (turn + n) % 4)) for n in range(EACH)]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(look_up, range(THREADS)))
    assert found == [[str(1 + (turn + n) % 4) for n in range(EACH)] for turn in range(THREADS)]
    assert 1 <= len(registry._open().kept._waiting) <= 4


def test_no_connection_crosses_a_fork(registry: SqlRegistry) -> None:
    """It is closed before; parent and child open their own, and both look up."""
    put(registry, "a")
    registry.get_version("employment", "1")
    kept = registry._open().kept
    assert len(kept._waiting) == 1

    def child() -> tuple[int, str | None, str | None]:
        there = len(kept._waiting)
        return there, number_of(registry, "1"), number_of(registry, "version-a")

    assert in_a_child(child) == "(0, '1', '1')"
    assert number_of(registry, "1") == "1"
    assert put(registry, "b") == "2"
    assert number_of(registry, "2") == "2"


def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    """A restored copy is what is asked from then on, not the file that was there before."""
    registry, copy = SqlRegistry(root=tmp_path), SqlRegistry(root=tmp_path / "copy")
    put(registry, "a")
    put(copy, "b")
    put(copy, "c")
    assert number_of(registry, "2") is None
    files = [folder / ".interlock" / "registry.db" for folder in (tmp_path, tmp_path / "copy")]
    with sqlite3.connect(files[1]) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    database.close()
    for rest in files[0].parent.glob("registry.db-*"):
        rest.unlink()
    files[1].replace(files[0])
    assert number_of(registry, "2") == "2"


def test_a_file_that_went_away_is_an_error(tmp_path: Path) -> None:
    """The kept connection would go on with what nobody else can see."""
    registry = SqlRegistry(root=tmp_path)
    put(registry, "a")
    assert number_of(registry, "1") == "1"
    for file in (tmp_path / ".interlock").iterdir():
        file.unlink()
    with pytest.raises(Unavailable, match="no such table"):
        number_of(registry, "1")


@pytest.mark.real_backend
def test_a_connection_that_the_server_ended_is_replaced(server: str) -> None:
    """A lookup changes nothing, so it is asked again on a new one."""
    registry = SqlRegistry(url=server)
    word = "ended"
    number = put(registry, word)
    assert number_of(registry, f"version-{word}") == number
    (waiting,) = registry._open().kept._waiting
    backend = waiting.connection.info.backend_pid
    with registry._open().writing() as connection:
        connection.execute(text("select pg_terminate_backend(:pid, 60000)"), {"pid": backend})
    assert number_of(registry, f"version-{word}") == number
    (waiting,) = registry._open().kept._waiting
    assert waiting.connection.info.backend_pid != backend
