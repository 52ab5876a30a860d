"""The requests that servers are asked with: the same rows in each of the forms that they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import orjson

NAME = "bench"
FEATURES = 16
TEXTS = 8
"""Of a model of mixed columns, how many hold texts: the first."""
PATH = f"/v2/models/{NAME}/infer"

Asked = tuple[str, Mapping[str, str], bytes]
"""Path, headers and body."""


def features() -> tuple[str, ...]:
    """The names of a request's columns."""
    return tuple(f"x{number}" for number in range(FEATURES))


def _matrix(rows: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, FEATURES))


def _tensor(rows: int) -> Asked:
    """One tensor of all features, as every server of the protocol takes it."""
    tensor = {
        "name": "input",
        "datatype": "FP64",
        "shape": [rows, FEATURES],
        "data": _matrix(rows).ravel().tolist(),
    }
    return PATH, {"content-type": "application/json"}, orjson.dumps({"inputs": [tensor]})


def _named(rows: int) -> Asked:
    """A tensor a column."""
    inputs = [
        {"name": name, "datatype": "FP64", "shape": [rows], "data": column.tolist()}
        for name, column in zip(features(), _matrix(rows).T, strict=True)
    ]
    return PATH, {"content-type": "application/json"}, orjson.dumps({"inputs": inputs})


def texts(rows: int) -> list[list[str]]:
    """The columns of texts of a model of mixed columns."""
    words = np.array(["never", "once", "now and then", "often", "always"])
    drawn = np.random.default_rng(1).integers(len(words), size=(TEXTS, rows))
    return [words[places].tolist() for places in drawn]


def _mixed(rows: int) -> Asked:
    """A tensor a column, of which half hold texts."""
    columns = [*texts(rows), *_matrix(rows).T[TEXTS:].tolist()]
    inputs = [
        {
            "name": name,
            "datatype": "BYTES" if place < TEXTS else "FP64",
            "shape": [rows],
            "data": column,
        }
        for place, (name, column) in enumerate(zip(features(), columns, strict=True))
    ]
    return PATH, {"content-type": "application/json"}, orjson.dumps({"inputs": inputs})


def _binary(rows: int) -> Asked:
    """The tensor as bytes behind the JSON, and the answer likewise."""
    content = _matrix(rows).tobytes()
    tensor = {
        "name": "input",
        "datatype": "FP64",
        "shape": [rows, FEATURES],
        "parameters": {"binary_data_size": len(content)},
    }
    head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(head)),
    }
    return PATH, headers, head + content


def _mlflow(rows: int) -> Asked:
    """As ``mlflow models serve`` takes rows of named columns."""
    split = {"columns": features(), "data": _matrix(rows).tolist()}
    headers = {"content-type": "application/json"}
    return "/invocations", headers, orjson.dumps({"dataframe_split": split})


def _plain(rows: int) -> Asked:
    """As the hand-written endpoint takes them."""
    split = {"columns": features(), "data": _matrix(rows).tolist()}
    return "/invocations", {"content-type": "application/json"}, orjson.dumps(split)


def _rows(path: str) -> Callable[[int], Asked]:
    """As services of one's own take rows: a matrix under a name."""

    def asked(rows: int) -> Asked:
        body = orjson.dumps({"rows": _matrix(rows).tolist()})
        return path, {"content-type": "application/json"}, body

    return asked


BODIES: Mapping[str, Callable[[int], Asked]] = {
    "tensor": _tensor,
    "named": _named,
    "mixed": _mixed,
    "binary": _binary,
    "mlflow": _mlflow,
    "plain": _plain,
    "bentoml": _rows("/infer"),
    "litserve": _rows("/predict"),
}


def http(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request's bytes."""
    lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body
