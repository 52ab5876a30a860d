"""What the tests of the server ask, and how they wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

ROW: Mapping[str, Any] = {"age": 40, "income": 30_000.0, "city": "Lowell"}
INFER = "/v2/models/employment/infer"


def tensors(*rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows given as maps as the protocol's inputs, one tensor a column."""
    datatypes = {"age": "INT64", "income": "FP64", "city": "BYTES", "person": "INT64"}
    return [
        {
            "name": name,
            "datatype": datatypes.get(name, "INT64"),
            "shape": [len(rows)],
            "data": [row[name] for row in rows],
        }
        for name in rows[0]
    ]


def outputs(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The outputs of an answer by name."""
    return {output["name"]: output["data"] for output in value["outputs"]}


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for what is to come about; a busy machine may take its time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline  # noqa: S101  (a test's own)
        time.sleep(0.005)


def model_threads() -> list[threading.Thread]:
    """The threads that models predict in."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("model-")]
