"""The registry on real SQLite files and a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import traceback
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from interlock_hookspecs import (
    Artifact,
    Conflict,
    Facts,
    Field,
    InvalidInput,
    Model,
    ModelVersion,
    NotFound,
    Secret,
    Signature,
    Unavailable,
    Unsupported,
    bytes_digest,
)
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_registry_sql import SqlRegistry
from interlock_registry_sql.body import read_body, write_body
from interlock_registry_sql.database import open_database
from interlock_registry_sql.schema import schema

PROCESSES, EACH = 8, 20


def model_of(word: str) -> Model:
    signature = Signature(
        kind="binary",
        inputs=(Field(name="AGEP", type="int64", nullable=False),),
        outputs=(Field(name="score", type="double"),),
        classes=(0, 1),
        positive=1,
        id=Field(name="id", type="string"),
    )
    artifact = Artifact(digest=bytes_digest(word.encode()), size=9, name="model.skops")
    return Model(
        format="skops",
        artifact=artifact,
        signature=signature,
        requirements=("scikit-learn==1.9.1",),
        facts=Facts({"trees": 100}),
    )


def add(registry: SqlRegistry, word: str, name: str = "employment") -> ModelVersion:
    return registry.register_version(
        name=name,
        id=f"version-{bytes_digest(f'{name} {word}'.encode())}",
        model=model_of(word),
        facts=Facts({"run": f"run-{word}"}),
        ws=LocalWorkspace(Path("unused")),
    )


class TestSqlRegistry(RegistrySuite):
    """Every promise of the role, on each of the two databases."""

    @pytest.fixture
    def plugin(self, registry: SqlRegistry) -> SqlRegistry:
        return registry


def test_round_trip(registry: SqlRegistry) -> None:
    """A version comes back with the model, the facts and the id that went in."""
    made = add(registry, "a")
    assert (made.number, made.existing) == ("1", False)
    assert made.at is not None
    assert registry.get_version("employment", "1") == made
    assert made.model == model_of("a")
    assert made.facts == {"run": "run-a"}


def test_found_by_any_reference(registry: SqlRegistry) -> None:
    """Number, alias, digest and id find the same version; anything else finds none."""
    add(registry, "a")
    made = add(registry, "b")
    registry.set_alias("employment", "champion", None, "2")
    for ref in ("2", "@champion", made.model.digest, made.id):
        found = registry.get_version("employment", ref)
        assert found == attrs.evolve(made, aliases=("champion",))
    for ref in ("3", "02", "-1", "9" * 40, "@challenger", "@", "", "champion", "\0", "\ud800"):
        assert registry.get_version("employment", ref) is None
    assert registry.get_version("other", made.id) is None
    assert registry.get_version("\0", "1") is None


def test_same_registration_twice(registry: SqlRegistry) -> None:
    """The same id, or the digest under a new id, gives the version that exists."""
    first = add(registry, "a")
    again = add(registry, "a")
    other = _register(registry, "employment", "version-x", "a")
    assert (again.id, again.number, again.existing) == (first.id, "1", True)
    assert (other.id, other.number, other.existing) == (first.id, "1", True)
    assert add(registry, "b").number == "2"


def _register(registry: SqlRegistry, name: str, id: str, word: str) -> ModelVersion:  # noqa: A002  (the contract's own word)
    workspace = LocalWorkspace(Path("unused"))
    return registry.register_version(
        name=name, id=id, model=model_of(word), facts=Facts(), ws=workspace
    )


def test_id_of_another_model(registry: SqlRegistry) -> None:
    """An id that stands for another model, or another name, is a conflict and changes nothing."""
    _register(registry, "employment", "version-1", "a")
    for name, word in (("employment", "b"), ("other", "a")):
        with pytest.raises(Conflict, match="version-1 stands for employment 1 already"):
            _register(registry, name, "version-1", word)
    assert len(registry.list_versions("employment", None, 10).items) == 1
    assert registry.list_versions("other", None, 10).items == ()


def test_equal_models_under_two_names(registry: SqlRegistry) -> None:
    """One digest may be a version of two names; each counts its own numbers."""
    assert add(registry, "a", "north").number == "1"
    assert add(registry, "a", "south").number == "1"


def test_alias_moves_by_compare_and_set(registry: SqlRegistry) -> None:
    """An alias moves from the expected number only; the error carries both numbers."""
    add(registry, "a")
    add(registry, "b")
    registry.set_alias("employment", "champion", None, "1")
    registry.set_alias("employment", "champion", "1", "2")
    with pytest.raises(Conflict, match="@champion of employment is on version 2") as caught:
        registry.set_alias("employment", "champion", "1", "2")
    assert (caught.value.expected, caught.value.found) == ("1", "2")
    with pytest.raises(NotFound):
        registry.set_alias("employment", "champion", "2", "7")
    with pytest.raises(NotFound):
        registry.set_alias("nobody", "champion", None, "1")
    registry.set_alias("employment", "champion", "2", None)
    assert registry.get_version("employment", "@champion") is None


def test_deleted_number_stays_used(registry: SqlRegistry) -> None:
    """A deleted version is listed and found no more, and its number is not given again."""
    made = add(registry, "a")
    registry.delete_version("employment", "1")
    assert registry.list_versions("employment", None, 10).items == ()
    for ref in ("1", made.model.digest, made.id):
        assert registry.get_version("employment", ref) is None
    assert _register(registry, "employment", "version-new", "a").number == "2"
    with pytest.raises(Conflict, match="was deleted"):
        add(registry, "a")
    for number in ("1", "9", "x"):
        with pytest.raises(NotFound):
            registry.delete_version("employment", number)
    with pytest.raises(NotFound):
        registry.set_alias("employment", "champion", None, "1")


def test_aliased_version_is_not_deleted(registry: SqlRegistry) -> None:
    """A version that an alias points at stays, and the error names the alias."""
    add(registry, "a")
    registry.set_alias("employment", "champion", None, "1")
    with pytest.raises(Conflict, match="@champion"):
        registry.delete_version("employment", "1")
    assert registry.get_version("employment", "1") is not None


def test_pages_newest_first(registry: SqlRegistry) -> None:
    """Pages cover every version once, newest first, while others are registered in between."""
    for index in range(5):
        add(registry, str(index))
    numbers, cursor = [], None
    while True:
        page = registry.list_versions("employment", cursor, 2)
        numbers += [version.number for version in page.items]
        cursor = page.cursor
        if cursor is None:
            break
        add(registry, f"late-{len(numbers)}")
    assert numbers == ["5", "4", "3", "2", "1"]
    assert registry.list_versions("employment", None, 7).cursor is None


@pytest.mark.parametrize("cursor", ["", "2", "v1-2", "v1-2-00000000", "v1--1-aa", "\0", "v1-x-y"])
def test_foreign_cursor(registry: SqlRegistry, cursor: str) -> None:
    """A cursor that this listing never gave is refused, not guessed at."""
    with pytest.raises(InvalidInput, match="cursor"):
        registry.list_versions("employment", cursor, 2)


def test_cursor_of_another_name(registry: SqlRegistry) -> None:
    """A cursor belongs to one name; a page has at least one row."""
    for word in "abc":
        add(registry, word)
    cursor = registry.list_versions("employment", None, 1).cursor
    with pytest.raises(InvalidInput):
        registry.list_versions("other", cursor, 1)
    with pytest.raises(InvalidInput, match="limit is 0"):
        registry.list_versions("employment", None, 0)


@pytest.mark.parametrize(
    "name",
    ["Beschäftigung", "就业 🏗️", "'; drop table registry_versions; --", "a\n%_\\b", "x" * 500],
)
def test_hostile_names(registry: SqlRegistry, name: str) -> None:
    """A name is text and nothing else."""
    assert add(registry, "a", name).name == name
    registry.set_alias(name, "'\"@ü", None, "1")
    assert registry.get_version(name, "@'\"@ü") is not None


@pytest.mark.parametrize("name", ["", "x" * 501, "a\0b", "\ud800"])
def test_names_that_cannot_be_stored(registry: SqlRegistry, name: str) -> None:
    """A name that a database would cut or refuse is refused before, in one sentence."""
    with pytest.raises(InvalidInput, match="the name"):
        _register(registry, name, "version-1", "a")


def _register_many(registry: SqlRegistry, worker: int, start: object, found: object) -> None:
    start.wait()  # type: ignore[attr-defined]  # multiprocessing's Barrier has no public class
    numbers = [add(registry, f"{worker}-{index}").number for index in range(EACH)]
    found.put(numbers)  # type: ignore[attr-defined]  # likewise its queue


def test_many_processes_at_first_use(registry: SqlRegistry) -> None:
    """Processes that make the tables and register at once get consecutive distinct numbers."""
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(PROCESSES), context.SimpleQueue()
    workers = [
        context.Process(target=_register_many, args=(registry, worker, start, found))
        for worker in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    numbers = sorted(int(number) for _ in workers for number in found.get())
    assert numbers == list(range(1, PROCESSES * EACH + 1))


def _register_one(registry: SqlRegistry, start: object, found: object) -> None:
    start.wait()  # type: ignore[attr-defined]  # multiprocessing's Barrier has no public class
    version = add(registry, "same")
    found.put((version.number, version.existing))  # type: ignore[attr-defined]  # likewise


def test_one_id_from_many_processes(registry: SqlRegistry) -> None:
    """One registration asked for by many at once is made once."""
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(PROCESSES), context.SimpleQueue()
    workers = [
        context.Process(target=_register_one, args=(registry, start, found))
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    answers = [found.get() for _ in workers]
    assert {number for number, _ in answers} == {"1"}
    assert sorted(existing for _, existing in answers) == [False] + [True] * (PROCESSES - 1)


def test_survives_a_fork(registry: SqlRegistry) -> None:
    """A registry that was used before a fork works in the parent and in the child."""
    add(registry, "parent")
    child = multiprocessing.get_context("fork").Process(target=add, args=(registry, "child"))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert add(registry, "after").number == "3"


def test_relative_file_is_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path starts from the project's folder, wherever the process stands."""
    monkeypatch.chdir("/")
    add(SqlRegistry(root=tmp_path), "a")
    assert (tmp_path / ".interlock" / "registry.db").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:hunter2@127.0.0.1:1/registry",
        "postgresql://127.0.0.1:1/registry?password=hunter2&user=ana",
        "postgresql://ana:hunter2@127.0.0.1:x/registry",
        "mysql://ana:hunter2@127.0.0.1/registry",
        "hunter2",
    ],
)
def test_password_is_never_said(url: str) -> None:
    """A database that cannot be used is an error without the URL's password, traceback included."""
    with pytest.raises((Unavailable, InvalidInput, Unsupported)) as caught:
        SqlRegistry(url=url).get_version("employment", "1")
    told = "".join(traceback.format_exception(caught.value)) + repr(SqlRegistry(url=Secret(url)))
    assert "hunter2" not in told


def test_secret_host_is_never_said() -> None:
    """Of a URL from the environment an error names nothing."""
    url = Secret("postgresql://ana@127.0.0.1:1/registry")
    with pytest.raises(Unavailable, match="the database that `url` names cannot be used") as caught:
        SqlRegistry(url=url).list_versions("employment", None, 1)
    assert "127.0.0.1" not in str(caught.value)


def test_file_that_is_no_database(tmp_path: Path) -> None:
    """A file of something else is left as it is, and the error says which."""
    (tmp_path / "notes.db").write_text("not a database, but long enough to be looked at " * 20)
    with pytest.raises(Unavailable, match=r"notes\.db .*file is not a database"):
        add(SqlRegistry(url="sqlite:///notes.db", root=tmp_path), "a")
    assert (tmp_path / "notes.db").read_text().startswith("not a database")


def test_tables_of_a_newer_plugin(tmp_path: Path) -> None:
    """Tables of another version are refused, both versions named."""
    registry = SqlRegistry(root=tmp_path)
    with registry._open().writing() as connection:
        connection.execute(update(schema).values(version=2))
    with pytest.raises(Unsupported, match="of version 2, this plugin's of 1"):
        add(SqlRegistry(root=tmp_path), "a")


def test_durable_settings(tmp_path: Path) -> None:
    """A commit survives a crash of the machine: WAL, synchronous=FULL, a minute's patience."""
    with open_database("sqlite:///r.db", tmp_path).reading() as connection:
        read = [
            connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert read == ["wal", 2, 60_000]


@given(st.lists(st.one_of(st.integers(), st.text(), st.booleans()), max_size=4, unique=True))
def test_body_round_trip(classes: list[int | str | bool]) -> None:
    """Any model's classes come back from JSON with value and type."""
    model = model_of("a")
    model = attrs.evolve(model, signature=attrs.evolve(model.signature, classes=classes))
    read, _ = read_body(write_body(model, Facts({"a": None, "b": 0.5})))
    assert read == model
    assert [type(label) for label in read.signature.classes] == [type(c) for c in classes]
