"""data-files on CSV: what its columns are, and what is not guessed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interlock_data_files import Files
from interlock_hookspecs import Dataset, InvalidInput, Task
from interlock_hookspecs.conformance import LocalWorkspace


@pytest.fixture
def ws(tmp_path: Path) -> LocalWorkspace:
    """A workspace apart from the data."""
    return LocalWorkspace(tmp_path / "workspace")


def load(source: Path, task: Task, **settings: object) -> Dataset:
    """What the plugin says of a source that is its own."""
    dataset = Files(**settings).load_dataset(str(source), task)
    assert dataset is not None
    return dataset


def fixed(source: Path, ws: LocalWorkspace, task: Task, **settings: object) -> Dataset:
    """A source's snapshot."""
    done = Files(**settings).snapshot_dataset(load(source, task, **settings), ws)
    assert done is not None
    return done


def test_a_column_of_nulls_takes_its_type_from_the_other_file(
    tmp_path: Path, ws: LocalWorkspace
) -> None:
    """A file that holds nothing in a column says nothing of its type."""
    (tmp_path / "a.csv").write_text("x,y\n1,\n")
    (tmp_path / "b.csv").write_text("x,y\n1,7\n")
    done = fixed(tmp_path / "*.csv", ws, Task(dataset="x"))
    assert [field.type for field in done.fields] == ["int64", "int64"]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """A file of no bytes is named and said to be empty."""
    (tmp_path / "a.csv").touch()
    with pytest.raises(InvalidInput, match=r"a\.csv .*empty"):
        load(tmp_path / "a.csv", Task(dataset="x"))


def test_stated_types_hold_for_csv(tmp_path: Path) -> None:
    """A CSV's columns have the types that the task states."""
    (tmp_path / "a.csv").write_text("x,day,at\n1,2018-01-01,2018-01-01T00:00:00Z\n")
    types = {"x": "double", "day": "date32", "at": "timestamp[us, tz=UTC]", "elsewhere": "int8"}
    found = load(tmp_path / "a.csv", Task(dataset="x", types=types, time="at"))
    assert [field.type for field in found.fields] == ["double", "date32[day]", types["at"]]


def test_leading_zeros_stay(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Codes that look like numbers and begin with a zero are read as text."""
    (tmp_path / "a.csv").write_text("zip,n\n02139,0\n90210,10\n")
    done = fixed(tmp_path / "a.csv", ws, Task(dataset="x"))
    assert [field.type for field in done.fields] == ["string", "int64"]
    assert pq.read_table(ws.locate(done.artifact))["zip"].to_pylist() == ["02139", "90210"]


def test_a_word_for_null_among_numbers_is_not_guessed(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Numbers with NA between them are refused until the settings say what NA is."""
    (tmp_path / "a.csv").write_text("n\n1\nn/a\n? \n")
    with pytest.raises(InvalidInput, match=r'null_values = \["", "\? ", "n/a"\]'):
        load(tmp_path / "a.csv", Task(dataset="x"))
    (tmp_path / "a.csv").write_text("n\n1\nNA\n")
    with pytest.raises(
        InvalidInput, match=r"column 'n' holds numbers and 'NA': .*\[\"\", \"NA\"\]"
    ):
        load(tmp_path / "a.csv", Task(dataset="x"))
    done = fixed(tmp_path / "a.csv", ws, Task(dataset="x"), null_values=("", "NA"))
    assert (done.fields[0].type, done.fields[0].nullable) == ("int64", True)


def test_a_value_that_does_not_fit_is_named_by_column_only(
    tmp_path: Path, ws: LocalWorkspace
) -> None:
    """A late value of another type names its column, and does not print itself."""
    rows = "1,1\n" * 1_500_000
    (tmp_path / "a.csv").write_text(f"n,late\n{rows}1,hunter2\n")
    with pytest.raises(InvalidInput, match=r"a\.csv: column 'late' is read as int64") as caught:
        fixed(tmp_path / "a.csv", ws, Task(dataset="x"))
    assert "hunter2" not in str(caught.value)


def test_compressed_and_tab_separated_text(tmp_path: Path, ws: LocalWorkspace) -> None:
    """The ending says compression and delimiter; a line break may stand in quotes."""
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(b'x\ty\n1\t"two\nlines"\n'))
    done = fixed(tmp_path / "a.tsv.gz", ws, Task(dataset="x"))
    assert pq.read_table(ws.locate(done.artifact)).to_pylist() == [{"x": 1, "y": "two\nlines"}]


def test_the_format_may_be_stated(tmp_path: Path, ws: LocalWorkspace) -> None:
    """A file without a telling ending is read as the settings say; a delimiter too."""
    (tmp_path / "export.dat").write_text("x;y\n1;2\n")
    assert Files().load_dataset(str(tmp_path / "export.dat"), Task(dataset="x")) is None
    done = fixed(tmp_path / "export.dat", ws, Task(dataset="x"), format="csv", delimiter=";")
    assert [field.name for field in done.fields] == ["x", "y"]


@pytest.mark.parametrize(("sign", "word"), [(";", ";"), ("|", "|"), ("\t", r"\t")])
def test_another_delimiter_is_told_from_one_column(tmp_path: Path, sign: str, word: str) -> None:
    """Half of Europe's spreadsheets write semicolons; a comma that is stated is believed."""
    (tmp_path / "a.csv").write_text(f"x{sign}y\n1{sign}2\n")
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path / "a.csv", Task(dataset="x"))
    said = f'a.csv has one column, with "{word}" in its name: say delimiter = "{word}"'
    assert said in str(caught.value)
    found = Files(delimiter=",").load_dataset(str(tmp_path / "a.csv"), Task(dataset="x"))
    assert found is not None
    assert len(found.fields) == 1


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Another encoding is named as what it is, in the header and below it."""
    for text in ("x,caf\u00e9\n1,2\n", "x,y\n1,caf\u00e9\n"):
        (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
        with pytest.raises(InvalidInput, match="not UTF-8"):
            load(tmp_path / "a.csv", Task(dataset="x"))


def test_an_empty_field_is_null_and_an_empty_text_is_not(
    tmp_path: Path, ws: LocalWorkspace
) -> None:
    """Quotes tell an empty text from no value; a byte order mark is no part of a name."""
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfx,y\n1,""\n2,\n')
    done = fixed(tmp_path / "a.csv", ws, Task(dataset="x"))
    assert pq.read_table(ws.locate(done.artifact)).to_pylist() == [
        {"x": 1, "y": ""},
        {"x": 2, "y": None},
    ]


def test_a_stated_type_that_does_not_fit_names_its_column(tmp_path: Path) -> None:
    """A value in the first rows that the stated type cannot hold is found while loading."""
    (tmp_path / "a.csv").write_text("x,y\n1,hunter2\n")
    with pytest.raises(InvalidInput, match="column 'y' is read as int64") as caught:
        load(tmp_path / "a.csv", Task(dataset="x", types={"y": "int64"}))
    assert "hunter2" not in str(caught.value)


def test_columns_that_changed_are_refused(tmp_path: Path, ws: LocalWorkspace) -> None:
    """Files of a glob may order their columns as they like; a missing one is named."""
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n4,3\n")
    done = fixed(tmp_path / "*.csv", ws, Task(dataset="x"))
    assert pq.read_table(ws.locate(done.artifact)).to_pydict() == {"x": [1, 3], "y": [2, 4]}
    (tmp_path / "b.csv").write_text("x\n3\n")
    with pytest.raises(InvalidInput, match=r"'y' is in .*a\.csv and not in .*b\.csv"):
        load(tmp_path / "*.csv", Task(dataset="x"))
