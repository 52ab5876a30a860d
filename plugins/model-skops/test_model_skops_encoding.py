"""Columns of text, nulls and truth values, encoded on their way into a pipeline."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from interlock_hookspecs import Field, InvalidInput, Signature
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path, openers={"skops": SkopsModel()})


def mixed(rows=60):
    place = np.arange(rows)
    city = [None if at % 7 == 0 else ("Lowell", "Boston", "Salem")[at % 3] for at in place]
    return pa.table(
        {
            "age": pa.array([None if at % 5 == 0 else float(at) for at in place], pa.float64()),
            "city": pa.array(city).dictionary_encode(),
            "flag": pa.array([at % 2 == 0 for at in place]),
        }
    )


def mixed_model(steps=1):
    inputs = (
        Field(name="age", type="double"),
        Field(name="city", type="string"),
        Field(name="flag", type="bool"),
    )
    first = ColumnTransformer(
        [
            (
                "categories",
                OrdinalEncoder(
                    categories=[np.array(["Salem", "Lowell", "Boston"], object)],
                    handle_unknown="use_encoded_value",
                    unknown_value=np.nan,
                ),
                [1],
            ),
            ("numbers", "passthrough", [0, 2]),
        ]
    )
    table = mixed()
    matrix = np.column_stack(
        [
            table["age"].to_numpy().astype(object),
            np.array(table["city"].to_pylist(), object),
            table["flag"].to_numpy().astype(float).astype(object),
        ]
    )
    target = np.arange(60) % 3 == 0
    more = [SimpleImputer(keep_empty_features=True)] * (steps - 1)
    fitted = make_pipeline(first, *more, DecisionTreeClassifier(random_state=0)).fit(
        matrix, target.astype(int)
    )
    outputs = (Field(name="score", type="double"),)
    signature = Signature(kind="binary", inputs=inputs, outputs=outputs, classes=(0, 1), positive=1)
    return fitted, signature, matrix, table


@pytest.mark.parametrize("steps", [1, 2])
def test_encoding_from_arrow_equals_scikit_learns(ws, steps):
    """Categories, nulls and unknown values come out as from the pipeline, many rows or one."""
    fitted, signature, matrix, table = mixed_model(steps)
    predictor = ws.open_model(ws.write_model("skops", fitted, signature))
    expected = fitted.predict_proba(matrix)[:, 1]
    assert predictor.predict(table)["score"].to_pylist() == expected.tolist()
    for place in range(10):
        one = predictor.predict(table.slice(place, 1))["score"].to_pylist()
        assert one == [expected[place]]


def test_an_unknown_category_counts_as_missing(ws):
    """A string that training never saw is scored as null is."""
    fitted, signature, _, table = mixed_model()
    predictor = ws.open_model(ws.write_model("skops", fitted, signature))
    scores = [
        predictor.predict(table.slice(3, 1).set_column(1, "city", pa.array([city], pa.string())))
        for city in ("Atlantis", None)
    ]
    assert scores[0].equals(scores[1])


def test_strings_reach_another_pipeline_as_objects(ws):
    """A pipeline of another shape is given floats and strings in one object matrix."""
    fitted, signature, matrix, table = mixed_model()
    first = ColumnTransformer(
        [
            ("names", OneHotEncoder(handle_unknown="ignore"), [1]),
            ("numbers", SimpleImputer(), [0, 2]),
        ]
    )
    target = np.arange(60) % 3 == 0
    fitted = make_pipeline(first, LogisticRegression()).fit(matrix, target.astype(int))
    predictor = ws.open_model(ws.write_model("skops", fitted, signature))
    assert (
        predictor.predict(table)["score"].to_pylist() == fitted.predict_proba(matrix)[:, 1].tolist()
    )


def test_a_number_for_text_is_named(ws):
    """A column of numbers is no column of categories."""
    fitted, signature, _, rows = mixed_model()
    predictor = ws.open_model(ws.write_model("skops", fitted, signature))
    with pytest.raises(InvalidInput, match="'city' is int64, the model takes string"):
        predictor.predict(rows.set_column(1, "city", pa.array(range(len(rows)))))
