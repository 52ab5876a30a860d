"""data-files: what is a source, what is refused, and that equal rows are one artifact."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import attrs
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, ipc

from interlock_data_files import Files
from interlock_data_files.snapshot import ROW_GROUP
from interlock_hookspecs import (
    Dataset,
    InvalidInput,
    NotFound,
    Secret,
    Task,
    Unsupported,
    file_digest,
    table_digest,
)
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.data import DataSuite

ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "zip": ["02139", None, ""],
        "pay": [1.5, None, float("nan")],
        "member": [True, False, None],
        "at": pa.array([datetime(2018, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
    }
)
TYPES = {"zip": "string", "pay": "double", "at": "timestamp[us, tz=UTC]"}
TASK = Task(dataset="rows", types=TYPES)


@pytest.fixture
def ws(tmp_path: Path) -> LocalWorkspace:
    """A workspace apart from the data."""
    return LocalWorkspace(tmp_path / "workspace")


def load(source: object, task: Task = TASK, **settings: object) -> Dataset:
    """What the plugin says of a source that is its own."""
    dataset = Files(**settings).load_dataset(str(source), task)
    assert dataset is not None
    return dataset


def fixed(source: object, ws: LocalWorkspace, task: Task = TASK, **settings: object) -> Dataset:
    """A source's snapshot."""
    done = Files(**settings).snapshot_dataset(load(source, task, **settings), ws)
    assert done is not None
    return done


def write(path: Path, rows: pa.Table = ROWS, **options: object) -> Path:
    """Rows as the file that the path's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        csv.write_csv(rows, path)
    elif path.suffix == ".arrow":
        with ipc.new_file(path, rows.schema) as writer:
            writer.write_table(rows)
    elif path.suffix == ".arrows":
        with ipc.new_stream(path, rows.schema) as writer:
            writer.write_table(rows)
    else:
        pq.write_table(rows, path, **options)
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv", "arrow", "arrows"])
def test_equal_rows_are_one_digest_and_one_artifact_in_every_format(
    ending: str, tmp_path: Path, ws: LocalWorkspace
) -> None:
    """Equal rows give one digest and one artifact, whatever they are stored in."""
    reference = fixed(write(tmp_path / "reference.parquet"), ws)
    found = fixed(write(tmp_path / f"rows.{ending}"), ws)
    assert (found.digest, found.artifact.digest) == (reference.digest, reference.artifact.digest)
    assert found.fields == reference.fields
    assert (
        found.digest == table_digest(pq.read_table(ws.locate(found.artifact))) == table_digest(ROWS)
    )


def test_storage_makes_no_difference(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Row groups, dictionaries, wide strings, metadata and reading batches leave no trace."""
    many = pa.table({"x": list(range(1000)), "c": ["a", "b", None, "d"] * 250})
    other = pa.table(
        {"x": many["x"], "c": many["c"].cast(pa.large_string()).dictionary_encode()}
    ).replace_schema_metadata({"pandas": "{}"})
    plain = fixed(write(tmp_path / "a.parquet", many), ws, batch_rows=7)
    encoded = fixed(write(tmp_path / "b.parquet", other, row_group_size=33), ws)
    assert plain.artifact.digest == encoded.artifact.digest
    assert plain.digest == encoded.digest


def test_every_nan_is_the_same_nan(tmp_path: Path, ws: LocalWorkspace) -> None:
    """A NaN has many bit patterns, and none of them is a difference."""
    bits = (0x7FF8000000000000, 0xFFF8000000000001)
    rows = [pa.table({"x": np.array([pattern], np.uint64).view(np.float64)}) for pattern in bits]
    first, second = (fixed(write(tmp_path / f"{i}.arrow", rows[i]), ws) for i in (0, 1))
    assert (first.digest, first.artifact) == (second.digest, second.artifact)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1], pa.timestamp("s")),
        pa.array([0], pa.date64()),
        pa.array([1], pa.time32("s")),
        pa.array([1], pa.duration("us")),
        pa.array([[1, None], None], pa.large_list(pa.int8())),
        pa.array([{"a": "x"}, None]).cast(pa.struct([("a", pa.large_string())])),
        pa.array([None, None], pa.null()),
        pa.array([1, None], pa.decimal128(9, 2)),
        pa.array([b"x"], pa.large_binary()),
        pa.array([1.5, None], pa.float16()),
        pa.array([1, 1, 2]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_an_artifact_read_back_has_the_digest_on_record(
    column: pa.Array, tmp_path: Path, ws: LocalWorkspace
) -> None:
    """What Parquet would change on the way is changed before the digest is taken."""
    done = fixed(write(tmp_path / "rows.arrow", pa.table({"x": column})), ws)
    back = pq.read_table(ws.locate(done.artifact))
    assert table_digest(back) == done.digest


def test_files_of_a_glob_are_read_by_name(tmp_path: Path, ws: LocalWorkspace) -> None:
    """The order of rows is that of the files' names, not of the disk."""
    for name in ("c", "a", "b"):
        write(tmp_path / f"{name}.parquet", pa.table({"x": [name]}))
    done = fixed(tmp_path / "*.parquet", ws)
    assert pq.read_table(ws.locate(done.artifact))["x"].to_pylist() == ["a", "b", "c"]
    assert [Path(file.path).name for file in done.files] == ["a.parquet", "b.parquet", "c.parquet"]
    assert [file.digest for file in done.files] == [file_digest(Path(f.path)) for f in done.files]


def test_a_folder_is_its_data_files(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Hidden files, markers and other endings in a folder are no rows."""
    write(tmp_path / "data" / "sub" / "a.parquet")
    (tmp_path / "data" / "_SUCCESS").touch()
    (tmp_path / "data" / "README.md").touch()
    done = fixed(tmp_path / "data", ws)
    assert [Path(file.path).name for file in done.files] == ["a.parquet"]


def test_an_fsspec_address_is_read_once(ws: LocalWorkspace, tmp_path: Path) -> None:
    """An address gives the rows and the file digest that the local file gives."""
    local = write(tmp_path / "a.parquet")
    fsspec.filesystem("memory").pipe("/bucket/a.parquet", local.read_bytes())
    remote = fixed("memory://bucket/a.parquet", ws)
    assert remote.digest == fixed(f"file://{local}", ws).digest
    assert remote.files[0].digest == file_digest(local)
    assert load("memory://bucket/*.parquet").files[0].path == "memory:///bucket/a.parquet"


def test_a_missing_driver_says_what_to_install() -> None:
    """An address whose driver is not installed is ours, and the error says what to install."""
    with pytest.raises(Unsupported, match="install"):
        load("oci://key:hunter2@bucket/a.parquet")


def test_credentials_of_an_address_are_not_shown() -> None:
    """An error names an address without its user, password and query."""
    with pytest.raises(NotFound) as caught:
        load("memory://ana:hunter2@none/a.parquet?token=hunter2", storage_options={})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Files(storage_options={"key": Secret("hunter2")}))


@pytest.mark.parametrize(
    "source", ["feast:customers", "delta://lake/a", "/nowhere/a.xlsx", "iceberg:x.y"]
)
def test_another_plugins_source_is_passed_on(source: str) -> None:
    """What is no file of ours is answered with None."""
    assert Files().load_dataset(source, TASK) is None


@pytest.mark.parametrize("source", ["caf\udce9/a.csv", "caf\udce9", "*/a.csv", "."])
def test_a_name_that_is_not_utf8_is_refused(source: str, tmp_path: Path) -> None:
    """What is read and recorded has names in UTF-8; the message shows the bytes, and what to do."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "a.csv").write_text("id\n1\n")
    with pytest.raises(InvalidInput, match=r"caf\\xe9.*: the name is not UTF-8: rename what has"):
        load(tmp_path / source)


def test_a_delta_table_is_passed_on(tmp_path: Path) -> None:
    """A Delta table's folder holds Parquet files that are not its rows."""
    write(tmp_path / "a.parquet")
    (tmp_path / "_delta_log").mkdir()
    assert Files().load_dataset(str(tmp_path), TASK) is None


def test_another_plugins_dataset_is_passed_on(ws: LocalWorkspace) -> None:
    """A dataset of a format that is not ours is answered with None."""
    assert Files().snapshot_dataset(Dataset(source="feast:x", format="feast"), ws) is None


def test_nothing_there_is_not_found(tmp_path: Path) -> None:
    """A path, a glob and an address that nothing stands behind are named."""
    for source in (tmp_path / "a.parquet", tmp_path / "*.csv", "memory://none/a.csv", tmp_path):
        with pytest.raises(NotFound, match=Path(str(source)).name.replace("*", r"\*")):
            load(source)


@pytest.mark.parametrize("ending", ["parquet", "csv", "arrow"])
def test_a_changed_type_names_file_column_and_both_types(ending: str, tmp_path: Path) -> None:
    """A column that changed its type between files is refused, and all four are said."""
    write(tmp_path / f"a.{ending}", pa.table({"x": [1]}))
    write(tmp_path / f"b.{ending}", pa.table({"x": [1.5]}))
    with pytest.raises(InvalidInput, match=r"'x'.*int64.*a\..*double.*b\."):
        load(tmp_path / f"*.{ending}", Task(dataset="x"))


def test_a_column_that_one_file_lacks_is_named(tmp_path: Path) -> None:
    """Files of one dataset have the same columns."""
    write(tmp_path / "a.parquet", pa.table({"x": [1], "y": [1]}))
    write(tmp_path / "b.parquet", pa.table({"x": [1]}))
    with pytest.raises(InvalidInput, match=r"'y' is in .*a.parquet and not in .*b.parquet"):
        load(tmp_path / "*.parquet")


@pytest.mark.parametrize("ending", ["parquet", "arrow", "arrows", "csv"])
def test_a_damaged_file_is_named(ending: str, tmp_path: Path, ws: LocalWorkspace) -> None:
    """A truncated or overwritten file is refused by name, while loading or while reading."""
    rows = pa.table({"x": list(range(5000)), "y": ["text"] * 5000})
    path = write(tmp_path / f"rows.{ending}", rows)
    whole = path.read_bytes()
    spoilt = {"csv": whole + b"1,2,3,4\n", "arrows": whole[: len(whole) * 2 // 3]}
    path.write_bytes(spoilt.get(ending, whole[: len(whole) // 2]))
    with pytest.raises(InvalidInput, match=rf"rows\.{ending}"):
        fixed(path, ws)


def test_a_file_overwritten_inside_is_named(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Pages that were overwritten behind an intact footer are found while they are read."""
    path = write(tmp_path / "rows.parquet", pa.table({"x": [f"{i}" for i in range(5000)]}))
    spoilt = bytearray(path.read_bytes())
    spoilt[20:2000] = b"\xff" * 1980
    path.write_bytes(spoilt)
    with pytest.raises(InvalidInput, match=r"rows\.parquet"):
        fixed(path, ws)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_text_that_is_not_utf8_is_refused(ending: str, tmp_path: Path, ws: LocalWorkspace) -> None:
    """A text column whose bytes are no text is found here, not where somebody reads it."""
    spoilt = pa.array([b"caf\xe9"]).view(pa.string())
    with pytest.raises(InvalidInput, match=rf"rows\.{ending}"):
        fixed(write(tmp_path / f"rows.{ending}", pa.table({"x": spoilt})), ws)


@pytest.mark.parametrize("ending", ["parquet", "csv", "arrow"])
def test_no_rows_is_refused(ending: str, tmp_path: Path, ws: LocalWorkspace) -> None:
    """A file with columns and no rows is no dataset."""
    with pytest.raises(InvalidInput, match="no rows"):
        fixed(write(tmp_path / f"a.{ending}", ROWS.slice(0, 0)), ws)


@pytest.mark.parametrize("source", ["a.parquet", "*.parquet"])
def test_a_source_that_changed_is_refused(source: str, tmp_path: Path, ws: LocalWorkspace) -> None:
    """A file replaced, or added, between load and snapshot is refused."""
    write(tmp_path / "a.parquet")
    described = load(tmp_path / source)
    write(tmp_path / source.replace("*", "b"), ROWS.slice(0, 2))
    with pytest.raises(InvalidInput, match="changed since"):
        Files().snapshot_dataset(described, ws)


def test_a_source_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, ws: LocalWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file replaced under the reader is refused, although every batch could be read."""
    path = write(tmp_path / "a.csv", ROWS)
    described = load(path)
    monkeypatch.setattr(ws, "progress", lambda *_: write(path, ROWS.slice(0, 1)))
    with pytest.raises(InvalidInput, match="changed since"):
        Files().snapshot_dataset(described, ws)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_naive_time_column_is_refused(ending: str, tmp_path: Path) -> None:
    """A time column without a zone is refused; another column may be naive."""
    rows = pa.table({"seen": pa.array([datetime(2018, 1, 1)], pa.timestamp("ms"))})  # noqa: DTZ001  (naive on purpose)
    path = write(tmp_path / f"a.{ending}", rows)
    assert load(path, Task(dataset="x")).fields[0].type.startswith("timestamp")
    with pytest.raises(InvalidInput, match=r"'seen' has no time zone.*2018-01-01T00:00:00Z"):
        load(path, Task(dataset="x", time="seen"))


def test_a_stated_type_that_the_file_contradicts_is_refused(tmp_path: Path) -> None:
    """A Parquet file says its types itself; the task cannot say otherwise."""
    path = write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    with pytest.raises(InvalidInput, match=r"int64 .*says string"):
        load(path, Task(dataset="x", types={"x": "string"}))


def test_a_misspelt_type_has_a_suggestion(tmp_path: Path) -> None:
    """A type that does not exist is refused with the nearest that does."""
    with pytest.raises(InvalidInput, match="did you mean 'string'"):
        load(write(tmp_path / "a.csv"), Task(dataset="x", types={"zip": "strin"}))


def test_a_file_without_ending_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    """Parquet and Arrow files need no ending."""
    write(tmp_path / "a.parquet").rename(tmp_path / "rows")
    assert load(tmp_path / "rows").format == "parquet"


def test_mixed_and_partitioned_folders_are_refused(tmp_path: Path) -> None:
    """A folder that cannot be read as it is meant is refused, and a glob suggested."""
    write(tmp_path / "mixed" / "a.parquet")
    write(tmp_path / "mixed" / "a.csv")
    write(tmp_path / "parts" / "year=2015" / "a.parquet")
    for folder in ("mixed", "parts"):
        with pytest.raises(InvalidInput, match="by a glob"):
            load(tmp_path / folder)


def test_duplicate_and_unstorable_columns_are_refused(tmp_path: Path) -> None:
    """Two columns of one name, and a type that no snapshot holds, are named."""
    (tmp_path / "a.csv").write_text("x,x\n1,2\n")
    with pytest.raises(InvalidInput, match="two columns are named 'x'"):
        load(tmp_path / "a.csv", Task(dataset="x"))
    odd = pa.table({"m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))})
    with pytest.raises(InvalidInput, match="'m' is map"):
        load(write(tmp_path / "a.arrow", odd))


def test_memory_stays_at_a_row_group(tmp_path: Path, ws: LocalWorkspace) -> None:
    """A snapshot of 64 MB of rows allocates a fraction of them at a time."""
    column = pa.array(range(2_000_000), pa.int64())
    path = write(tmp_path / "big.parquet", pa.table(dict.fromkeys("abcd", column)))
    rows = 4 * column.nbytes
    del column
    pool, before = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        done = fixed(path, ws)
    finally:
        pa.set_memory_pool(before)
    assert done.rows == 2_000_000
    assert pool.max_memory() < rows / 3
    groups = pq.ParquetFile(ws.locate(done.artifact)).metadata
    assert groups.row_group(0).num_rows == ROW_GROUP


def test_a_snapshot_is_recorded_without_the_stamp(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Two snapshots of the same bytes are equal records, whenever the file was written."""
    path = write(tmp_path / "a.parquet")
    first = fixed(path, ws)
    path.write_bytes(path.read_bytes())
    assert fixed(path, ws) == first
    assert attrs.asdict(first)["facts"] == {}


def test_progress_is_said(tmp_path: Path, ws: LocalWorkspace) -> None:
    """A long snapshot says how far it is."""
    fixed(write(tmp_path / "a.parquet"), ws)
    assert ws.messages == [f"snapshot of {tmp_path / 'a.parquet'}"]


class TestFiles(DataSuite):
    """Every promise of a plugin that reads data, in the format that says its types itself."""

    @pytest.fixture
    def plugin(self) -> Files:
        return Files()


class TestFilesOfCsv(TestFiles):
    """Every promise, in a format that says nothing of types."""

    ending = ".csv"
    cannot = {  # noqa: RUF012  (as the suite has it)
        "test_rows_pass_through_in_batches": "Arrow reads a CSV up to 32 blocks of 4 MiB ahead, "
        "which is as much for a file of any size"
    }
