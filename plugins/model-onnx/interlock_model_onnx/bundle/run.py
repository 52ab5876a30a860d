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


def column(rows: list[dict[str, str]], name: str, tensor: str, null: str) -> Any:
    """A column as the model takes it, [n, 1]; an empty text is no value.

    Raises:
        ValueError: a row lacks it, or holds no number there. The value is not told.
    """
    texts = [row.get(name) for row in rows]
    if None in texts:
        raise ValueError(f"row {texts.index(None) + 1}: there is no {name!r}")
    if tensor == "tensor(string)":
        return np.array([[text or null] for text in texts], object)
    numbers = []
    for place, text in enumerate(texts, 1):
        try:
            numbers.append([float(NUMBERS.get(str(text).lower(), str(text)))])
        except ValueError:
            raise ValueError(f"row {place}: {name!r} is no number") from None
    return np.array(numbers, np.float64 if tensor == "tensor(double)" else np.float32)


def predict(rows: list[dict[str, str]], *, quantised: bool = False) -> list[dict[str, Any]]:
    """For each row the scores, and what is decided by them at the release's threshold.

    Raises:
        ValueError: the rows do not fit the model.
    """
    if not rows:
        return []
    about = json.loads((HERE / "schema.json").read_text(encoding="utf-8"))
    release = json.loads((HERE / "release.json").read_text(encoding="utf-8"))
    file = about["quantised"]["file"] if quantised else "model.onnx"
    if file is None:
        sys.exit(f"there is no quantised model: {about['quantised']['why']}")
    session = onnxruntime.InferenceSession(HERE / file, providers=["CPUExecutionProvider"])
    given = {
        field["input"]: column(rows, field["name"], field["tensor"], about["null"])
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


def main(words: list[str]) -> None:
    """Answer the rows of a file; what is wrong is one line and the exit code 1."""
    if files := changed():
        sys.exit(f"changed since this folder was made: {', '.join(files)}")
    options = [word for word in words if word.startswith("-")]
    named = [word for word in words if word not in options]
    if len(named) != 1 or set(options) - {"--quantised"}:
        sys.exit("usage: python run.py [--quantised] rows.csv > answers.csv")
    try:
        with Path(named[0]).open(newline="", encoding="utf-8-sig") as stream:
            answers = predict(list(csv.DictReader(stream)), quantised=bool(options))
    except OSError as error:
        sys.exit(f"{named[0]}: {error.strerror or error}")
    except (ValueError, csv.Error) as error:
        sys.exit(f"{named[0]}: {error}")
    if not answers:
        sys.exit(f"{named[0]}: there are no rows below a line of names")
    writer = csv.DictWriter(sys.stdout, answers[0])
    writer.writeheader()
    writer.writerows(answers)


if __name__ == "__main__":
    main(sys.argv[1:])
