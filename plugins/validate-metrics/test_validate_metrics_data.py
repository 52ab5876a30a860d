"""validate-metrics on rows: what is counted, what raises a concern, what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from interlock_hookspecs import Check, InvalidInput, Task
from interlock_validate_metrics import Metrics
from interlock_validate_metrics.columns import encoded
from interlock_validate_metrics.leakage import feature_auc

TASK = Task(dataset="rows", target="y", id="id", kind="binary")
N = 400


def rows(**changed) -> pa.Table:
    """400 rows with an id, a number, a word and a balanced target; columns may be replaced."""
    rng = np.random.default_rng(0)
    columns = {
        "id": np.arange(N),
        "age": rng.integers(18, 90, N),
        "sex": np.array(["f", "m"])[rng.integers(0, 2, N)],
        "y": np.arange(N) % 2,
    }
    return pa.table(columns | changed)


def checks(table: pa.Table, task: Task = TASK, reference=None, **settings) -> dict[str, Check]:
    """The checks of some rows by their labels."""
    found = Metrics(**settings).check_data(table, task, reference)
    assert len({check.label for check in found}) == len(found)
    return {check.label: check for check in found}


def test_sound_rows_raise_no_concern() -> None:
    """Rows with nothing wrong are counted, and nobody is bothered."""
    found = checks(rows())
    assert found["rows"].value == N
    assert [check.concern for check in found.values() if check.concern] == []


def test_nulls_are_shares_by_column_and_the_worst() -> None:
    """Nulls and NaNs count alike; the check without a column is the worst column."""
    age = np.where(np.arange(N) % 4 == 0, np.nan, 30.0)
    age[1] = 31
    sex = pa.array([None if i % 2 else "f" for i in range(N)])
    found = checks(rows(age=age, sex=sex))
    assert (found["nulls[age]"].value, found["nulls[sex]"].value) == (0.25, 0.5)
    assert (found["nulls"].value, found["nulls"].facts["column"]) == (0.5, "sex")
    assert "50%" in found["nulls[sex]"].concern


def test_duplicate_rows_are_equal_in_every_column() -> None:
    """A row that came twice counts once; a null equals a null; the id makes a difference."""
    table = rows(age=pa.array([None] * N, pa.float64()), sex=pa.array([None] * N, pa.string()))
    twice = pa.concat_tables([table, table.slice(0, 3)])
    assert checks(twice)["duplicate_rows"].value == 3
    assert checks(table)["duplicate_rows"].value == 0
    without_id = checks(table.drop(["id"]), Task(dataset="d", target="y"))
    assert without_id["duplicate_rows"].value == N - 2


def test_duplicates_equal_a_count_by_dictionary() -> None:
    """The count of duplicates is that of Python's own sets, on columns of every type."""
    rng = np.random.default_rng(2)
    table = pa.table(
        {
            "a": rng.integers(0, 4, 3000),
            "b": pa.array(rng.integers(0, 3, 3000).astype(str)).dictionary_encode(),
            "c": np.where(rng.random(3000) < 0.3, np.nan, rng.integers(0, 3, 3000)),
            "d": rng.random(3000) < 0.5,
            "at": pa.array(rng.integers(0, 9, 3000) * 86_400_000_000, pa.timestamp("us", "UTC")),
            "y": rng.integers(0, 2, 3000),
        }
    )
    distinct = {tuple(str(value) for value in row.values()) for row in table.to_pylist()}
    found = checks(table, Task(dataset="d", target="y"))
    assert found["duplicate_rows"].value == 3000 - len(distinct)


def test_ids_that_are_not_unique_are_a_concern() -> None:
    """Ids that repeat or are missing are counted."""
    found = checks(rows(id=pa.array([None, 1, 1, *range(3, N)], pa.int64())))
    assert found["duplicate_ids[id]"].value == 2
    assert found["duplicate_ids[id]"].concern


def test_constant_columns_are_named() -> None:
    """A column that says the same of every row is named."""
    found = checks(rows(sex=["f"] * N, age=[7] * N))
    assert found["constant_columns"].value == 2
    assert found["constant_columns"].concern.startswith("age, sex")


def test_numbers_that_a_word_made_text_are_a_concern() -> None:
    """Each would be a category of its own; the concern repeats none of them."""
    numbers = [f"{place},{place % 7}" for place in range(N)]
    codes = [str(place % 9) for place in range(N)]
    found = checks(rows(income=["about 40", *numbers[1:]], schooling=codes, age=range(N)))
    assert found["numbers_as_text[income]"].value == (N - 1) / N
    assert found["numbers_as_text[income]"].concern.startswith("income is text, and ")
    assert "40" not in found["numbers_as_text[income]"].concern
    assert (found["numbers_as_text[schooling]"].value, found["numbers_as_text"].value) == (1, 1)
    assert not found["numbers_as_text[schooling]"].concern
    assert checks(rows(age=range(N)))["numbers_as_text"].value == 0


def test_texts_that_name_their_row_are_a_concern() -> None:
    """A name is no feature: what it says of its row it says of no other."""
    names = [f"person {place}" for place in range(N)]
    found = checks(rows(name=["person 1", *names[1:]], town=[f"town {p % 40}" for p in range(N)]))
    assert found["unique_text[name]"].value == (N - 2) / N
    assert "[task] exclude" in found["unique_text[name]"].concern
    assert (found["unique_text[town]"].value, found["unique_text[town]"].concern) == (0, "")


def test_the_target_is_counted_by_class() -> None:
    """The balance is the share of the rarest class, and few rows of it are a concern."""
    found = checks(rows(y=[1] * 20 + [0] * (N - 20)))["target_balance"]
    assert found.value == 0.05
    assert found.facts["rows[1]"] == 20
    assert "20 rows" in found.concern


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("number", 1.0),
        ("reversed", 1.0),
        ("word", 1.0),
        ("missing", 1.0),
        ("noise", 0.5),
        ("name", 0.5),
    ],
)
def test_leakage_by_one_feature(column: str, value: float) -> None:
    """A copy of the target is found in any form; noise and words of one row each are not."""
    y = np.arange(N) // 7 % 2
    made = {
        "number": y * 3.0,
        "reversed": -y,
        "word": np.array(["late", "early"])[y],
        "missing": np.where(y == 1, np.nan, 5.0),
        "noise": np.random.default_rng(0).normal(size=N),
        "name": [f"n{i}" for i in range(N)],
    }
    found = checks(rows(age=pa.array(made[column]), y=y))
    assert found["single_feature_auc[age]"].value == pytest.approx(value, abs=0.05)
    assert bool(found["single_feature_auc[age]"].concern) == (value == 1.0)
    assert found["single_feature_auc"].value >= found["single_feature_auc[age]"].value


def test_a_numbers_auc_is_scikit_learns() -> None:
    """A number ranks as scikit-learn's ROC AUC ranks it, whichever way round."""
    rng = np.random.default_rng(3)
    y = rng.random(500) < 0.4
    values = np.round(rng.normal(size=500) - 0.7 * y, 1)
    column = encoded(pa.chunked_array([values]))
    assert feature_auc(column, y) == pytest.approx(1 - roc_auc_score(y, values))


def test_leakage_of_classes_and_of_numbers() -> None:
    """A class told by one feature, and a number repeated in one, are leaks too."""
    y = np.arange(N) % 3
    task = Task(dataset="d", target="y", id="id", kind="multiclass")
    found = checks(rows(y=y, sex=np.array(["a", "b", "b"])[y]), task)
    assert found["single_feature_auc[sex]"].value == pytest.approx(1.0)
    y = np.random.default_rng(0).normal(size=N)
    task = Task(dataset="d", target="y", id="id", kind="regression")
    assert checks(rows(y=y, age=y * 2), task)["single_feature_auc[age]"].value == 1.0


def test_without_a_reference_nothing_is_new() -> None:
    """A first model's rows are compared with nothing: 0, and the checks say so."""
    found = checks(rows())
    for name in ("new_columns", "missing_columns", "type_changes", "out_of_range"):
        assert found[name].value == 0
        assert "no champion" in found[name].reason


def test_what_is_new_against_the_reference() -> None:
    """Columns, types, ranges and categories that the champion's rows did not have are counted."""
    before = rows(age=np.full(N, 40), sex=pa.array(["f", "m"] * (N // 2)), gone=np.arange(N))
    before = before.set_column(2, "sex", before["sex"].dictionary_encode())
    now = rows(
        id=[f"{i}" for i in range(N)],
        age=[50] + [40] * (N - 1),
        sex=["x", "x"] + ["f", "m"] * (N // 2 - 1),
        fresh=np.arange(N),
    )
    found = checks(now, reference=before)
    assert found["missing_columns"].value == 1
    assert "gone" in found["missing_columns"].concern
    assert "fresh" in found["new_columns"].concern
    assert dict(found["type_changes"].facts) == {"id": "int64 -> string"}
    assert found["out_of_range[age]"].value == 1 / N
    assert found["unseen_categories[sex]"].value == 2 / N
    assert found["unseen_categories"].facts["column"] == "sex"


def test_a_category_that_no_row_of_the_reference_had_is_unseen() -> None:
    """A dictionary that lists a category does not mean that a row had it."""
    words = pa.array(["f", "m"] * (N // 2)).dictionary_encode()
    before = rows(sex=words).filter(pa.array(np.arange(N) % 2 == 0))
    assert checks(rows(sex=words), reference=before)["unseen_categories[sex]"].value == 0.5


def test_columns_of_lists_do_not_stop_the_rest() -> None:
    """A column that is neither number nor text has nulls, and no more is claimed of it."""
    found = checks(rows(age=pa.array([[1]] * N)), Task(dataset="d", target="y"))
    assert found["nulls[age]"].value == 0
    assert "single_feature_auc[age]" not in found
    assert found["duplicate_rows"].value is None


def test_rows_without_a_target_are_checked() -> None:
    """A task without a target has no target checks, and the others all the same."""
    found = checks(rows(), Task(dataset="d", id="id"))
    assert "target_balance" not in found
    assert found["rows"].value == N


@pytest.mark.parametrize(
    ("table", "task", "said"),
    [
        (rows().slice(0, 0), TASK, "no rows"),
        (rows().drop(["y"]), TASK, "no column 'y'"),
        (rows(y=pa.array([None, *[0, 1] * (N // 2 - 1), 1])), TASK, "null, NaN or infinite in 1"),
        (rows(y=[np.nan, *[0.0, 1.0] * (N // 2 - 1), 1.0]), TASK, "null, NaN or infinite in 1"),
        (rows(y=[1] * N), TASK, "one class"),
        (rows(y=np.arange(N) % 3), TASK, "3 classes"),
        (rows(y=["yes", "no"] * (N // 2)), TASK, "set .task. positive"),
        (rows(y=[3] * N), Task(dataset="d", target="y", kind="regression"), "the same in all"),
        (rows(y=["a", "b"] * 200), Task(dataset="d", target="y", kind="regression"), "numbers"),
    ],
)
def test_rows_that_cannot_serve_are_refused(table: pa.Table, task: Task, said: str) -> None:
    """No rows, no target, missing labels and a target of one class stop before a fit."""
    with pytest.raises(InvalidInput, match=said):
        checks(table, task)
