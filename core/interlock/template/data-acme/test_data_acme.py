"""data-acme describes a source, fixes its rows, and leaves other sources alone."""

import attrs
import pyarrow.parquet as pq
import pytest

from interlock_data_acme import AcmeData
from interlock_hookspecs import InvalidInput, NotFound, Task, file_digest, table_digest
from interlock_hookspecs.conformance import LocalWorkspace

ROWS = '{"id": "a", "x": 1.5, "y": 0}\n{"id": "ß", "x": null, "y": 1}\n'


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(ROWS, encoding="utf-8")
    return path


def task_of(source, **more):
    return Task(**{"dataset": str(source), "id": "id", "target": "y", **more})


def load(source, **more):
    return AcmeData().load_dataset(str(source), task_of(source, **more))


def fixed(source, folder, **more):
    return AcmeData().snapshot_dataset(load(source, **more), LocalWorkspace(folder))


def test_a_source_is_described(source):
    """Columns and types are the file's; nothing is counted or kept yet."""
    found = load(source)
    fields = [(field.name, field.type, field.nullable) for field in found.fields]
    assert fields == [("id", "string", False), ("x", "double", True), ("y", "int64", False)]
    assert (found.rows, found.digest, found.artifact) == (None, None, None)


def test_rows_are_fixed_under_their_digests(source, tmp_path):
    """The artifact holds exactly the rows, and the digests are those of rows and file."""
    found = fixed(source, tmp_path / "one")
    table = pq.read_table(LocalWorkspace(tmp_path / "one").locate(found.artifact))
    assert found.rows == table.num_rows == 2
    assert found.digest == table_digest(table)
    assert found.files[0].digest == file_digest(source)
    assert table["id"].to_pylist() == ["a", "ß"]


def test_equal_rows_are_equal_bytes(source, tmp_path):
    """Fixed again elsewhere, the same rows have the same digests."""
    one, two = (fixed(source, tmp_path / name) for name in ("one", "two"))
    assert (one.digest, one.artifact) == (two.digest, two.artifact)


def test_the_task_says_what_the_source_cannot(source, tmp_path):
    """A type of [task.types] is the column's, when it is described and when it is fixed."""
    found = fixed(source, tmp_path / "one", types={"y": "double"})
    assert {field.name: field.type for field in found.fields}["y"] == "double"


def test_another_source_is_left_to_others(source, tmp_path):
    """What does not end as this plugin's sources do is answered with None."""
    assert load(tmp_path / "rows.csv") is None
    other = attrs.evolve(load(source), format="csv")
    assert AcmeData().snapshot_dataset(other, LocalWorkspace(tmp_path / "one")) is None


def test_a_missing_source_is_not_found(tmp_path):
    """The source is this plugin's and nothing is there."""
    with pytest.raises(NotFound, match=r"gone\.jsonl"):
        load(tmp_path / "gone.jsonl")


@pytest.mark.parametrize("text", ["not json", '{"id": 1}\n{"id": [1]}', '{"id": "a"}'])
def test_rows_that_cannot_be_read_are_refused_without_quoting_them(source, text):
    """No JSON, a column of two types, or a column of the task that is missing."""
    source.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load(source)
    assert "not json" not in str(caught.value)


def test_a_source_that_changed_meanwhile_is_refused(source, tmp_path):
    """What is fixed is what was described."""
    found = load(source)
    source.write_text('{"id": "a", "x": 1.5}\n')
    with pytest.raises(InvalidInput, match="changed since"):
        AcmeData().snapshot_dataset(found, LocalWorkspace(tmp_path / "one"))
