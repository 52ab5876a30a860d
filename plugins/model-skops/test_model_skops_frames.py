"""Estimators that were fitted to a frame elsewhere, and name its columns."""

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from interlock_hookspecs import Field, InvalidInput, Model, Signature
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel

TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
ESTIMATORS = [
    TREE,
    HistGradientBoostingClassifier(max_iter=5),
    make_pipeline(StandardScaler(), TREE),
    VotingClassifier([("tree", TREE), ("line", LogisticRegression())], voting="soft"),
]


def signature_of(names):
    return Signature(
        kind="binary",
        inputs=tuple(Field(name=name, type="double") for name in names),
        outputs=(Field(name="score", type="double"),),
        classes=(0, 1),
        positive=1,
    )


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_a_file_is_held_to_the_columns_that_it_names(tmp_path, estimator):
    """In their order, and no others; it is given a matrix, and no call of it warns."""
    ws = LocalWorkspace(tmp_path, openers={"skops": SkopsModel()})
    columns = dict(zip("ba", np.random.default_rng(0).normal(size=(2, 200)), strict=True))
    frame = pd.DataFrame(columns)
    fitted = estimator.fit(frame, (frame["b"] > 0).astype(int))
    path = ws.scratch() / "model.skops"
    skops.io.dump(fitted, path)
    model = Model(format="skops", artifact=ws.keep(path), signature=signature_of("ba"))
    found = ws.open_model(model).predict(pa.table(columns))["score"].to_numpy()
    # A frame lies in memory by columns, a matrix by rows: sums may differ in their last bit.
    assert np.allclose(found, fitted.predict_proba(frame)[:, 1], rtol=1e-12, atol=0)
    for names in ("ab", "bc", "b"):
        other = attrs.evolve(model, signature=signature_of(names))
        with pytest.raises(InvalidInput, match="it was fitted to the columns b, a"):
            ws.open_model(other)
