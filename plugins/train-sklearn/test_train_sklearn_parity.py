"""Writing a model in a format that is not scikit-learn's own."""

import attrs
import numpy as np
import pyarrow as pa
import pytest

from interlock_hookspecs import Model, Task, Unsupported, hookimpl, plugin
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_train_sklearn import SklearnTrainer

ROWS = pa.table(
    {
        "x": np.linspace(0, 1, 200),
        "word": ["a", "b", None, "c"] * 50,
        "y": (np.linspace(0, 1, 200) > 0.4).astype(int),
    }
)
TASK = Task(dataset="rows", target="y", kind="binary", positive=1)


@attrs.frozen
class Shifted:
    """What was fitted, opened again, with every score moved."""

    fitted: object
    signature: object
    by: float

    def predict(self, rows):
        matrix = np.empty((rows.num_rows, 2), object)
        for place, field in enumerate(self.signature.inputs):
            matrix[:, place] = rows[field.name].to_pylist()
        scores = self.fitted.predict_proba(matrix)[:, 1] + self.by
        return pa.table({"score": scores})


@plugin(contract="1.0")
class Kept:
    """A format that keeps the object itself in memory, and answers with a shift."""

    by: float = 0.0
    made: object = None

    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        self.made = fitted
        path = ws.scratch() / "model.txt"
        path.write_text("in memory", encoding="utf-8")
        return Model(format=format, artifact=ws.keep(path), signature=signature)

    @hookimpl
    def open_model(self, model, ws):
        return Shifted(self.made, model.signature, self.by)


def fit(tmp_path, by):
    ws = LocalWorkspace(tmp_path, openers={"kept": Kept(by=by)})
    return SklearnTrainer(format="kept").fit_candidate(ROWS, TASK, ws)


def test_another_format_that_answers_alike_is_taken(tmp_path):
    """A model in another format is a candidate where its answers are the estimator's."""
    assert fit(tmp_path, 1e-6).model.format == "kept"


@pytest.mark.parametrize(("by", "why"), [(1e-3, "scores by up to 0.001"), (-0.9, "labels differ")])
def test_another_format_that_answers_otherwise_is_refused(tmp_path, by, why):
    """Where a score is off, or a label another, the numbers are said and there is no candidate."""
    with pytest.raises(Unsupported, match=why):
        fit(tmp_path, by)
