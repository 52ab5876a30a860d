"""A life in another model format: what is judged is what is served."""

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.real_backend
TREE = 'estimator = "sklearn.tree.DecisionTreeClassifier"\nparameters = { max_depth = 3 }'


def test_an_onnx_model_is_reviewed_and_served(project, ask):
    """With format = "onnx" the run releases and serves the ONNX file, with the same scores."""
    answers = []
    for format_of in ("skops", "onnx"):
        made = project(bounds='"metrics.roc_auc" = ">= 0.6"')
        made.edit(TREE, f'format = "{format_of}"')
        made("run", "--until", "deploy")
        features = pq.read_table(made.folder / "rows.parquet").slice(0, 5).drop_columns(["y", "id"])
        answers.append(ask(made.endpoint, features))
    (status, skops), (again, onnx) = answers
    assert status == again == 200
    assert onnx["score"] == pytest.approx(skops["score"], abs=1e-9)
    assert onnx["prediction"] == skops["prediction"]
