"""What an MLmodel file may say, and what becomes of a pickle that the stack lets be opened."""

from __future__ import annotations

import json
import pickle

import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from interlock_hookspecs import InvalidInput, Unavailable, Unsupported
from interlock_registry_mlflow import MlflowRegistry
from interlock_registry_mlflow.importing import _inputs, _inside, _of_another
from interlock_registry_mlflow.pickles import to_skops

SPY = """(
    open({path!r}, "w").write(str(dict(__import__("os").environ))),
    __import__("sklearn.tree").tree.DecisionTreeClassifier(max_depth=2),
)[1]"""


class Runs:
    """A pickle that runs an expression when it is opened."""

    def __init__(self, text):
        self.text = text

    def __reduce__(self):
        return eval, (self.text,)


def pickled(folder, value):
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(value))
    return path


def test_a_pickle_is_opened_by_a_process_that_is_given_no_secret(tmp_path, monkeypatch):
    """What it runs sees nothing of Interlock's environment; what it makes is a skops file."""
    monkeypatch.setenv("LEDGER_URL", "postgresql://ana:hunter2@db.example/interlock")
    seen, made = tmp_path / "seen", tmp_path / "made"
    made.mkdir()
    path = to_skops(pickled(tmp_path, Runs(SPY.format(path=str(seen)))), made)
    fitted = skops.io.load(path)
    assert (type(fitted), fitted.max_depth) == (DecisionTreeClassifier, 2)
    assert "PATH" in seen.read_text()
    assert "hunter2" not in seen.read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("__import__('no_such_module')", "needs the module no_such_module: install it here"),
        ("1 / 0", "is not unpickled: ZeroDivisionError"),
        ("__import__('os')._exit(7)", "is not unpickled: exit code 7"),
    ],
)
def test_a_pickle_that_does_not_open_is_told_in_one_line(tmp_path, text, says):
    """Whatever it does, the error says what is missing, and repeats no word of the pickle's."""
    made = tmp_path / "made"
    made.mkdir()
    with pytest.raises(InvalidInput, match=r"^model\.pkl") as caught:
        to_skops(pickled(tmp_path, Runs(text)), made)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["../model.skops", "/etc/passwd", "", "a/../../b", "."])
def test_a_file_is_read_beside_its_description_only(path):
    """An MLmodel file names what lies beside it; any other path is refused."""
    with pytest.raises(InvalidInput, match="no file beside it"):
        _inside(path)
    assert _inside("model/model.skops") == "model/model.skops"


def test_of_several_flavours_the_one_that_runs_nothing_is_taken():
    """skops before ONNX before a pickle; where no serialisation is said, it is a pickle."""
    onnx, pickles = {"data": "model.onnx"}, {"pickled_model": "model.pkl"}
    archive = {"pickled_model": "model.skops", "serialization_format": "skops"}

    def chosen(**flavours):
        kept = _of_another({"flavors": flavours})
        return kept.format, kept.path, kept.pickled

    assert chosen(onnx=onnx, sklearn=archive) == ("skops", "model.skops", "")
    assert chosen(onnx=onnx, sklearn=pickles) == ("onnx", "model.onnx", "")
    assert chosen(sklearn=pickles) == ("skops", "model.pkl", "pickle")
    for about in ({}, {"flavors": []}, {"flavors": {"sklearn": {"pickled_model": 3}}}):
        with pytest.raises(Unsupported, match="Interlock opens sklearn and onnx"):
            _of_another(about)


@pytest.mark.parametrize("text", ["{", "3", '[{"name": 1}, 2]', "[" * 100_000])
def test_a_signature_that_is_none_is_refused(text):
    """One that says no names says no order; one that is malformed is an error, and no guess."""
    with pytest.raises(InvalidInput, match="not one of MLflow's"):
        list(_inputs({"signature": {"inputs": text}}))


def test_the_order_of_the_columns_is_the_signatures():
    """Where every column has a name."""
    columns = [{"name": "z", "type": "double"}, {"name": "x", "type": "double"}]
    assert list(_inputs({"signature": {"inputs": json.dumps(columns)}})) == ["z", "x"]
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
    for about in ({}, {"signature": {}}, {"signature": {"inputs": json.dumps(tensor)}}):
        assert list(_inputs(about)) == []


def test_other_sources_are_left_to_others_and_a_server_that_is_away_is_told():
    """The word is MLflow's."""
    assert MlflowRegistry().import_candidate("shelf:oak", (), None, None, None) is None
    away = MlflowRegistry(uri="http://127.0.0.1:9", attempts=1)
    with pytest.raises(Unavailable, match="start the MLflow server"):
        away.import_candidate("mlflow:oak/1", (), None, None, None)
