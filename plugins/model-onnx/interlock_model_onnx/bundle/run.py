"""Predict with the model in this folder, from rows of a CSV file to answers as CSV.

python run.py [--quantised] rows.csv > answers.csv    needs onnxruntime and numpy, nothing else
"""

import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
NUMBERS = {"true": 1.0, "false": 0.0, "": np.nan}


def changed() -> list[str]:
    """The files that are not as they were when this folder was made."""
    lines = (HERE / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = [line.split("  ", 1) for line in lines]
    return [f for s, f in sums if hashlib.sha256((HERE / f).read_bytes()).hexdigest() != s]


def column(texts: list[str], tensor: str, null: str) -> Any:
    """The texts of a column as the model takes them, [n, 1]; an empty one is no value."""
    if tensor == "tensor(string)":
        return np.array([[text or null] for text in texts], object)
    kind = np.float64 if tensor == "tensor(double)" else np.float32
    return np.array([[float(NUMBERS.get(text.lower(), text))] for text in texts], kind)


def predict(rows: list[dict[str, str]], *, quantised: bool = False) -> list[dict[str, Any]]:
    """For each row the scores, and what is decided by them at the release's threshold."""
    about = json.loads((HERE / "schema.json").read_text(encoding="utf-8"))
    release = json.loads((HERE / "release.json").read_text(encoding="utf-8"))
    file = about["quantised"]["file"] if quantised else "model.onnx"
    if file is None:
        sys.exit(f"there is no quantised model: {about['quantised']['why']}")
    session = onnxruntime.InferenceSession(HERE / file, providers=["CPUExecutionProvider"])
    given = {
        field["input"]: column([row[field["name"]] for row in rows], field["tensor"], about["null"])
        for field in about["inputs"]
    }
    found = np.asarray(session.run(None, given)[-1], np.float64).reshape(len(rows), -1)
    values = found[:, [out["column"] for out in about["outputs"]]]
    answers = [dict(zip([o["name"] for o in about["outputs"]], row, strict=True)) for row in values]
    for answer, row in zip(answers, values, strict=True):
        if about["kind"] == "binary":
            negative = next(label for label in about["classes"] if label != about["positive"])
            answer["prediction"] = about["positive"] if row[0] >= release["threshold"] else negative
        elif about["kind"] == "multiclass":
            answer["prediction"] = about["classes"][int(np.argmax(row))]
    return answers


if __name__ == "__main__":
    if files := changed():
        sys.exit(f"changed since this folder was made: {', '.join(files)}")
    with Path(sys.argv[-1]).open(newline="", encoding="utf-8") as stream:
        answers = predict(list(csv.DictReader(stream)), quantised="--quantised" in sys.argv)
    writer = csv.DictWriter(sys.stdout, answers[0] if answers else [])
    writer.writeheader()
    writer.writerows(answers)
