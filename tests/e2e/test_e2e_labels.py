"""Labels that do not fit: refused at the door, and what is in is never in the way of the others."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interlock.errors import UsageError
from interlock.lifecycle.classes import refuse_unknown
from interlock.lifecycle.labels import with_labels
from interlock_hookspecs import Task

ROWS = 40


@pytest.fixture
def served(project, ask, rows, until):
    """An endpoint that answered rows, and what monitoring says of all of them."""
    made = project()
    made("run", "--until", "deploy")
    assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, ROWS))[0] == 200

    def window():
        found = made.listed("monitor", "--from", "2000-01-01")
        return found[0] if found and found[0]["rows"] == ROWS else None

    until(window)
    made.window = window
    return made


def deliver(made, ids, labels, **expected):
    pq.write_table(pa.table({"id": ids, "y": labels}), made.folder / "labels.parquet")
    return made("labels", "add", "labels.parquet", **expected)


@pytest.mark.parametrize("labels", [["yes", "no"], [0.5, 1.0]])
def test_labels_that_are_no_targets_are_refused(served, labels):
    """Before anything is kept, in one line, without a value of a row."""
    said = deliver(served, [0, 1], labels, expect=2)
    kind = pa.array(labels).type
    assert f"labels.parquet: 'y' is {kind}, and int64 in the rows of this project" in said.err
    assert "yes" not in said.err
    assert served.listed("labels", "list") == []


def test_labels_that_are_no_classes_are_refused(served):
    """With their rows, and the classes that there are; what is none of them is not told."""
    said = deliver(served, [0, 1, 2, 3], [1, 77, None, 78], expect=2)
    assert "labels.parquet: 'y' is no class in rows 2, 4; classes: 0, 1\n" in said.err
    assert "a new class is known once interlock run has trained on it" in said.err
    assert "77" not in said.err
    assert served.listed("labels", "list") == []
    assert served.window()["labelled"] == 0
    deliver(served, [0, 1, 2, 3], [1, 0, None, 0])
    assert served.window()["labelled"] == 3


def test_many_labels_that_are_no_classes_are_counted():
    """The first rows are named; a regression has no classes, and any number is a label."""
    labels = pa.chunked_array([["a", "b"], ["c"] * 1500])
    with pytest.raises(UsageError, match=r"rows 3, 4, 5, 6, 7 and 1,495 more; classes: 'a', 'b'"):
        refuse_unknown(labels, ("a", "b"), "f: 'y'")
    refuse_unknown(labels, (), "f: 'y'")


def test_rows_without_a_label_are_no_labels(served):
    """They are counted apart, and say nothing of a label that came before, nor of rows without id.

    A table of all cases, sent again each night, has no label where none came.
    """
    said = deliver(served, [0, 1, 2, None], [1, None, None, 1])
    assert said.out.startswith("1 labels added. 3 rows have no label or no id, and are left out.")
    deliver(served, [0, 1, 2], [None, 0, None])
    assert [row["rows"] for row in served.listed("labels", "list")] == [1, 1]
    assert served.window()["labelled"] == 2
    again = deliver(served, [0, 1, 2], [None, 0, None])
    assert "These 1 labels were added before; nothing changed. 2 rows have no label" in again.out
    none = deliver(served, [3, 4], pa.nulls(2, pa.int64()))
    assert none.out.startswith("0 labels added. 2 rows have no label")


def test_rows_without_an_id_join_nobody():
    """A label without an id is no label of all answers without one."""
    task = Task(dataset="rows.parquet", id="id", target="y", kind="binary", positive=1)
    rows = pa.table({"id": pa.array([None, 7], pa.int64()), "x": [1.0, 2.0]})
    joined, count = with_labels(rows, pa.table({"id": [7, 8], "y": [1, 0]}), task)
    assert (joined["y"].to_pylist(), count) == ([None, 1], 1)


@pytest.mark.parametrize("labels", [["1", "0"], [1.0, 0.0], [True, False]])
def test_labels_that_say_the_same_in_another_type_are_kept(served, labels):
    """A spreadsheet writes 1.0 or "1" for what the rows have as 1."""
    deliver(served, [0, 1], labels)
    assert served.window()["labelled"] == 2


def test_ids_of_another_type_join_where_they_say_the_same(served):
    """And those that name no row are in nobody's way: a delivery is never taken back."""
    deliver(served, [0, 1], [0, 1])
    deliver(served, ["2", "nobody"], [0, 1])
    assert served.window()["labelled"] == 3


def test_a_delivery_that_was_kept_before_and_does_not_fit_is_left_aside(served):
    """A ledger may have one: the others are joined, and it is named."""
    deliver(served, [0, 1], [0, 1])
    from interlock.lifecycle import labels

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "_target_type", lambda *_: None)
        patch.setattr(labels, "known_classes", lambda *_: ())
        deliver(served, [2, 3], ["yes", "no"])
    assert served.window()["labelled"] == 2
    said = served("monitor", "--from", "2000-01-01", expect=None)
    assert "is left aside: " in said.err
    assert "'y' is string, and int64" in said.err


def test_hashed_ids_are_no_labels_ids_and_no_error():
    """Where ids are hashed as they are captured, labels with plain ids join nothing."""
    rows = pa.table({"id": ["c0ffee", "7"], "x": [1.0, 2.0]})
    task = Task(dataset="rows.parquet", id="id", target="y", kind="binary", positive=1)
    labels = pa.table({"id": [7, 8], "y": [1, 0]})
    joined, count = with_labels(rows, labels, task)
    assert (joined["y"].to_pylist(), count) == ([None, 1], 1)
