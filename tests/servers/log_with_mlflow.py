"""Register models with MLflow's own API and nothing else; used by a test.

python log_with_mlflow.py TRACKING_URI PREFIX ROWS.parquet TREE.onnx
"""

import sys

import mlflow
import onnx
import pandas as pd
from mlflow.models import infer_signature
from sklearn.tree import DecisionTreeClassifier

NEEDED = ["scikit-learn"]
TYPES = ["sklearn.tree._tree.Tree"]


class Constant(mlflow.pyfunc.PythonModel):
    """What MLflow keeps as a pickle, and is no estimator."""

    def predict(self, model_input: pd.DataFrame) -> list[float]:
        """Say a half of every row."""
        return [0.5] * len(model_input)


def main(uri: str, prefix: str, path: str, converted: str) -> None:
    """Log one model in each way, each the champion of its name."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(f"{prefix}outside")
    rows = pd.read_parquet(path)
    # Neither in the order of the rows' columns nor of the alphabet.
    columns = rows[["z", "x"]]
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(columns, rows["y"])
    about = {"signature": infer_signature(columns, rows["y"]), "pip_requirements": NEEDED}
    client = mlflow.MlflowClient()
    with mlflow.start_run():
        for word in ("skops", "cloudpickle"):
            mlflow.sklearn.log_model(
                tree, name=word, registered_model_name=f"{prefix}{word}",
                serialization_format=word, skops_trusted_types=TYPES, **about
            )  # fmt: skip
        mlflow.onnx.log_model(
            onnx.load(converted), name="onnx", registered_model_name=f"{prefix}onnx", **about
        )
        mlflow.pyfunc.log_model(
            name="constant", python_model=Constant(), registered_model_name=f"{prefix}constant",
            pip_requirements=NEEDED
        )  # fmt: skip
    for word in ("skops", "cloudpickle", "onnx", "constant"):
        client.set_registered_model_alias(f"{prefix}{word}", "champion", 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
