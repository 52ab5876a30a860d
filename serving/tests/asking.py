"""What the tests of the server ask, and how they wait."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from interlock_hookspecs import Endpoint

ROW: Mapping[str, Any] = {"age": 40, "income": 30_000.0, "city": "Lowell"}
MODEL = "/v2/models/employment"
INFER = f"{MODEL}/infer"
ENDPOINT = Endpoint(name="employment", project="labour", stack="dev")


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


@contextlib.contextmanager
def held(client: Any, model: Any) -> Iterator[concurrent.futures.Future[Any]]:
    """A request that the model works on until it may answer, at the latest when the block ends."""
    model.may_answer.clear()
    batches = len(model.batches)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.infer, ROW)
        try:
            wait_until(lambda: len(model.batches) > batches)
            yield answer
        finally:
            model.may_answer.set()
        assert answer.result(60)[0] == 200  # noqa: S101, PLR2004  (a test's own)
