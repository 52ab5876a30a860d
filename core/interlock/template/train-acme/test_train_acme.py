"""train-acme fits, writes and opens a model whose scores are the shares of the classes."""

import pyarrow as pa
import pytest

from interlock_hookspecs import InvalidInput, Model, Task, Unsupported
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_train_acme import FORMAT, AcmeFormat, AcmeTrainer

ROWS = pa.table({"id": ["a", "b", "c", "d"], "x": [1, 2, 3, 4], "y": [0, 0, 0, 1]})
TASK = Task(dataset="rows", id="id", target="y", kind="binary")


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path, openers={FORMAT: AcmeFormat()})


def fitted(ws, rows=ROWS, task=TASK):
    return AcmeTrainer(smoothing=0.0).fit_candidate(rows, task, ws)


def test_a_candidate_answers_with_the_share_of_the_positive_class(ws):
    """One row in four is positive: every row is scored a quarter."""
    made = fitted(ws)
    assert (made.rows, made.model.format) == (4, FORMAT)
    assert [field.name for field in made.model.signature.inputs] == ["x"]
    answers = ws.open_model(made.model).predict(ROWS.drop_columns(["y"]))
    assert answers.to_pydict() == {"score": [0.25] * 4}


def test_every_class_has_a_score(ws):
    """The scores of several classes are named by the class, and sum to one."""
    rows = pa.table({"x": [1, 2, 3, 4], "y": ["b", "a", "b", "c"]})
    made = fitted(ws, rows, Task(dataset="rows", target="y", kind="multiclass"))
    answers = ws.open_model(made.model).predict(rows.slice(0, 1))
    assert answers.to_pydict() == {"score[a]": [0.25], "score[b]": [0.5], "score[c]": [0.25]}


def test_the_same_rows_give_the_same_model(ws):
    """Fitted again, also with the rows in chunks, the model has the same digest."""
    chunked = pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(1)])
    assert fitted(ws).model == fitted(ws, chunked).model


@pytest.mark.parametrize("values", [[None] * 4, [0] * 4, [0, 1, 2, 2], [0, 2, 0, 2]])
def test_a_target_that_cannot_be_learnt_is_refused(ws, values):
    """No label, one class, a third class, or classes without the positive one."""
    rows = ROWS.set_column(2, "y", pa.array(values, pa.int64()))
    with pytest.raises(InvalidInput, match="y "):
        fitted(ws, rows)


def test_a_missing_column_is_said(ws):
    """Rows without the target, or a request without a feature, are refused by name."""
    with pytest.raises(InvalidInput, match="'y'"):
        fitted(ws, ROWS.drop_columns(["y"]))
    with pytest.raises(InvalidInput, match="'x'"):
        ws.open_model(fitted(ws).model).predict(ROWS.select(["id"]))


def test_a_file_of_something_else_is_refused(ws):
    """What is no list of shares opens no predictor, and what is none is not written."""
    path = ws.scratch() / "model.json"
    path.write_text('{"shares": "many"}')
    made = Model(format=FORMAT, artifact=ws.keep(path), signature=fitted(ws).model.signature)
    with pytest.raises(InvalidInput, match=r"model\.json"):
        ws.open_model(made)
    with pytest.raises(Unsupported, match="object"):
        ws.write_model(FORMAT, object(), made.signature)
