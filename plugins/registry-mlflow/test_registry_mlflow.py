"""What a registration leaves in MLflow, and what people do there by hand."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import uuid
from pathlib import Path

import attrs
import pytest
from mlflow.entities.model_registry import RegisteredModelTag

from interlock_hookspecs import (
    Conflict,
    Facts,
    Field,
    InvalidInput,
    ModelVersion,
    NotFound,
    Unsupported,
)
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.happenings import event_of
from interlock_hookspecs.conformance.versions import NAME, listed, model_of, move, register
from interlock_model_skops import SkopsModel
from interlock_registry_mlflow import MlflowRegistry, lock
from interlock_registry_mlflow.files import get_folder

pytestmark = pytest.mark.real_backend

DATA = "sha256:" + "d" * 64


@pytest.fixture
def registry(mlflow_server, tmp_path) -> MlflowRegistry:
    return MlflowRegistry(
        uri=mlflow_server.url, prefix=f"{uuid.uuid4().hex}.", timeout=25.0, root=tmp_path
    )


@pytest.fixture
def ws(tmp_path) -> LocalWorkspace:
    return LocalWorkspace(tmp_path / "workspace")


def version_in(registry, number, name=NAME):
    """A version as MLflow has it."""
    backend = registry._open()
    return backend.registry.get_model_version(backend.written(name), number)


def test_lineage_is_in_tags_and_in_a_run_with_its_data(registry, ws):
    """A version names the run, the data and the code, and MLflow's run has the data as an input."""
    facts = Facts({"run": "run-1", "data": DATA, "code": "sha256:" + "c" * 64})
    made = registry.register_version(NAME, "version-1", model_of("a", ws), facts, ws)
    found = version_in(registry, made.number)
    kept = {key: found.tags[f"interlock.{key}"] for key in ("run", "data", "code", "id", "digest")}
    assert kept == {**facts, "id": "version-1", "digest": made.model.digest}
    run = registry._open().tracking.get_run(found.run_id)
    (dataset,) = run.inputs.dataset_inputs
    assert DATA in dataset.dataset.source
    assert run.info.status == "FINISHED"
    assert run.data.tags["interlock.run"] == "run-1"


def test_a_release_and_its_end_are_tags_of_the_version(registry, ws):
    """Whoever looks at MLflow sees which version was released; what is of no version is passed."""
    made, other = register(registry, "a", ws), register(registry, "b", ws)
    about = {"project": NAME, "subject": "release-7"}
    registry.on_event(event_of("release.made", {"record": {"model": made.model.digest}}, **about))
    assert version_in(registry, made.number).tags["interlock.release"] == "release-7"
    registry.on_event(event_of("release.revoked", {"reason": "drift"}, **about))
    assert version_in(registry, made.number).tags["interlock.revoked"] == "release-7"
    for payload in ({}, {"record": 3}, {"record": {"model": DATA}}, {"record": {"model": "' or"}}):
        registry.on_event(event_of("release.made", payload, project=NAME, subject="release-8"))
    registry.on_event(event_of("release.revoked", {}, project="no ' such", subject="it's"))
    assert "interlock.release" not in version_in(registry, other.number).tags
    assert registry.get_version(NAME, made.number).model == made.model


def test_versions_of_one_run_share_a_run_of_mlflows(registry, ws):
    """A run that is there already, a tracker's for example, is the run of the version."""
    tracking = registry._open().tracking
    facts = Facts({"run": "run-shared"})
    first = registry.register_version(NAME, "version-1", model_of("a", ws), facts, ws)
    second = registry.register_version(NAME, "version-2", model_of("b", ws), facts, ws)
    runs = {version_in(registry, made.number).run_id for made in (first, second)}
    assert len(runs) == 1
    assert tracking.get_run(runs.pop()).info.run_name == "run-shared"


def test_other_bytes_are_not_given_back(registry, ws, mlflow_server):
    """A file that was changed on the server is refused, whatever its name and size."""
    made = register(registry, "a", ws)
    (kept,) = (mlflow_server.folder / "files").rglob(f"{_model_id(registry, made)}/**/model.bin")
    kept.write_text("b")
    with pytest.raises(InvalidInput, match="are not the ones that were registered"):
        registry.fetch_version(made, ws)
    kept.unlink()
    with pytest.raises((InvalidInput, NotFound)):
        registry.fetch_version(made, ws)


def _model_id(registry, made):
    return version_in(registry, made.number).source.rpartition("/")[2]


def test_files_of_a_store_that_cannot_be_reached_say_what_to_install(registry, tmp_path):
    """MLflow's client of a bucket needs a library of its own, which it does not bring."""
    with pytest.raises(Unsupported, match=r"files at gs:// need google.*install it, or start"):
        get_folder(registry._open(), "gs://bucket/model", tmp_path)


def test_a_folder_comes_back_whole(registry, ws):
    """A folder keeps its files, hidden and empty ones too; a name that MLflow refuses is named."""
    folder = ws.scratch() / "tree"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "weiß (1).txt").write_text("x")
    (folder / ".hidden").write_bytes(b"")
    model = attrs.evolve(model_of("a", ws), artifact=ws.keep(folder))
    made = registry.register_version(NAME, "version-1", model, Facts(), ws)
    assert registry.fetch_version(made, ws).digest == model.digest
    (folder / "a#b.txt").write_text("x")
    model = attrs.evolve(model, artifact=ws.keep(folder))
    with pytest.raises(InvalidInput, match=r"takes no file '.*a#b\.txt'"):
        registry.register_version(NAME, "version-2", model, Facts(), ws)


def test_the_id_of_a_deleted_version_stays_used(registry, ws):
    """A deleted version's id registers nothing again; its model comes back under a new one."""
    made = register(registry, "a", ws)
    registry.delete_version(NAME, made.number)
    with pytest.raises(Conflict, match="was deleted"):
        register(registry, "a", ws)
    again = register(registry, "a", ws, key="version-new")
    assert (again.number, again.existing) == ("2", False)


def test_an_attempt_that_was_cut_off_is_taken_up(registry, ws):
    """Files that were copied before a kill are used by the next attempt, and not copied twice."""
    backend = registry._open()
    register(registry, "a", ws)
    written = backend.written(NAME)
    (experiment,) = (backend.tracking.get_experiment_by_name(written).experiment_id,)
    # As after a kill between the copy and the version: MLflow has the one and not the other.
    backend.registry.delete_registered_model(written)
    again = register(registry, "a", ws)
    models = backend.tracking.search_logged_models([experiment])
    assert len(models) == 1
    assert (again.number, again.existing) == ("1", False)


def test_a_version_from_outside_is_shown_and_fetched(registry, ws, tmp_path):
    """What somebody registered in MLflow is listed with its bytes, and an alias on it is seen."""
    made = register(registry, "a", ws)
    backend = registry._open()
    source = version_in(registry, made.number)
    given = {"run_id": source.run_id, "model_id": _model_id(registry, made)}
    backend.registry.create_model_version(backend.written(NAME), source.source, **given)
    backend.registry.set_registered_model_alias(backend.written(NAME), "champion", 2)
    outside = registry.get_version(NAME, "@champion")
    assert (outside.number, outside.aliases) == ("2", ("champion",))
    assert (outside.model.format, outside.facts["origin"]) == ("mlflow", "external")
    assert outside == registry.get_version(NAME, outside.id)
    assert [version.number for version in listed(registry)] == ["2", "1"]
    assert registry.fetch_version(outside, ws).digest == outside.model.digest
    assert outside.model.digest != made.model.digest


def test_an_alias_moved_by_hand_is_a_conflict(registry, ws):
    """The error carries the number that somebody set in MLflow."""
    for word in "ab":
        register(registry, word, ws)
    move(registry, None, "1")
    backend = registry._open()
    backend.registry.set_registered_model_alias(backend.written(NAME), "champion", 2)
    with pytest.raises(Conflict, match="on version 2, not on version 1") as caught:
        move(registry, "1", None)
    assert (caught.value.expected, caught.value.found) == ("1", "2")


def test_the_lock_of_a_dead_writer_is_broken(registry, ws, monkeypatch):
    """A writer that died with the lock holds nobody up for longer than its lease."""
    monkeypatch.setattr(lock, "LEASE", 2.0)
    backend = registry._open()
    register(registry, "a", ws)
    held = leave_held(backend, backend.written(NAME))
    assert register(registry, "b", ws).number == "2"
    assert not backend.registry.search_registered_models(f"name = '{held}'")


def leave_held(backend, name):
    """Take a name's lock, and die."""
    held = lock.lock_name(name)
    tags = [RegisteredModelTag("interlock.holder", uuid.uuid4().hex)]
    backend.registry.create_registered_model(held, tags=tags)
    return held


def test_two_that_break_a_lock_break_it_once(registry, monkeypatch):
    """Of several who watched the same dead writer one has the lock at a time."""
    monkeypatch.setattr(lock, "LEASE", 2.0)
    backend = registry._open()
    inside, most, name = [], [], uuid.uuid4().hex

    def work():
        with lock.locked(backend, name):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    leave_held(backend, name)
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 6


def test_a_file_that_its_opener_refuses_is_kept_and_not_loadable(registry, ws, tmp_path):
    """A model that Interlock itself would not open is registered, and MLflow is told no loader."""
    model = attrs.evolve(model_of("a", ws), format="skops")
    ws = LocalWorkspace(tmp_path / "workspace", openers={"skops": SkopsModel()})
    made = registry.register_version(NAME, "version-1", model, Facts(), ws)
    assert registry.fetch_version(made, ws).digest == model.digest
    backend = registry._open()
    uri = backend.registry.get_model_version_download_uri(backend.written(NAME), made.number)
    get_folder(backend, uri, tmp_path)
    assert "flavors: {}" in (tmp_path / "MLmodel").read_text()


def test_a_record_longer_than_a_tag_comes_back(registry, ws):
    """A signature of a thousand columns is kept in several tags."""
    model = model_of("a", ws)
    wide = tuple(Field(name=f"column {place}", type="double") for place in range(1000))
    model = attrs.evolve(model, signature=attrs.evolve(model.signature, inputs=wide))
    made = registry.register_version(NAME, "version-1", model, Facts(), ws)
    assert registry.get_version(NAME, made.number).model == model


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
def test_thousands_of_versions_are_paged(mlflow_database, tmp_path, ws):
    """Pages of a thousand and less cover 2,501 versions once, newest first."""
    shutil.copyfile(mlflow_database, tmp_path / "mlflow.db")
    registry = MlflowRegistry(uri="sqlite:///mlflow.db", root=tmp_path)
    register(registry, "a", ws)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        for table in ("model_versions", "model_version_tags"):
            columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
            copied = ", ".join("n" if name == "version" else name for name in columns)
            database.execute(
                "with recursive numbers(n) as (select 2 union all select n + 1 from numbers "
                f"where n < 2501) insert into {table} select {copied} from {table}, numbers"
            )
    database.close()
    numbers, cursor = [], None
    while True:
        page = registry.list_versions(NAME, cursor, 5000)
        numbers += [int(version.number) for version in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert numbers == list(range(2501, 0, -1))


def test_what_does_not_fit_is_told_before(registry, ws):
    """A name, an id or an alias that MLflow would cut is named, and nothing is asked of it.

    Of one that fits it is asked whether its id stands for a version that was deleted.
    """
    model = model_of("a", ws)
    version = ModelVersion(
        id="v" * 501, name="n" * 240, number="1", model=model, aliases=["Ä" * 80]
    )
    away = MlflowRegistry(uri="http://127.0.0.1:9", prefix="p" * 20)
    found = away.find_misfits(version=version)
    assert [misfit.what.partition(" ")[0] for misfit in found] == ["name", "id", "alias"]
    fitting = attrs.evolve(version, id="v", name="n", aliases=["Ä ✓"])
    assert registry.find_misfits(version=fitting) == []
    made = register(registry, "a", ws)
    registry.delete_version(NAME, made.number)
    (gone,) = registry.find_misfits(version=made)
    assert (gone.what, gone.reason) == ("id", "it made a version that was deleted")


@pytest.mark.parametrize("uri", ["postgresql://a/b", "file:///tmp", "sqlite:///", "mlflow", ""])
def test_another_kind_of_address_is_refused(uri, tmp_path):
    """Neither a server nor a file: the error says what to write."""
    with pytest.raises(InvalidInput, match="sqlite:///FILE"):
        MlflowRegistry(uri=uri, root=tmp_path).get_version(NAME, "1")


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
def test_a_database_of_something_else_is_left_alone(tmp_path):
    """A file that is no database is an error, and stays as it is."""
    path = Path(tmp_path, "notes.db")
    path.write_text("not a database, but long enough to be looked at " * 20)
    from interlock_hookspecs import Unavailable

    with pytest.raises(Unavailable, match=r"notes\.db"):
        MlflowRegistry(uri="sqlite:///notes.db", root=tmp_path).get_version(NAME, "1")
    assert path.read_text().startswith("not a database")
