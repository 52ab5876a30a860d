"""Clients of an endpoint: Open Inference Protocol requests, and load that counts failures."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import pyarrow as pa

ROWS_A_REQUEST = 1000
OTHERS_ANSWERS = ("prediction", "predicted_probability")
DATATYPES = {"double": "FP64", "int64": "INT64"}


def request_body(rows: pa.Table) -> bytes:
    """Rows as a request, one tensor a column; another model's answers stay at home."""
    inputs = []
    for name in rows.column_names:
        column = rows[name]
        if name in OTHERS_ANSWERS:
            continue
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        datatype = DATATYPES.get(str(column.type), "BYTES")
        data = column.to_pylist()
        inputs.append({"name": name, "datatype": datatype, "shape": [len(data)], "data": data})
    return json.dumps({"inputs": inputs}).encode()


def ask(address: str, body: bytes) -> dict[str, Any]:
    """One prediction request; its answer."""
    url = f"{address}/v2/models/employment/infer"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def send(address: str, rows: pa.Table) -> None:
    """Send rows from two clients at once, and say how long it took."""
    starts = range(0, rows.num_rows, ROWS_A_REQUEST)
    bodies = [request_body(rows.slice(start, ROWS_A_REQUEST)) for start in starts]
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as clients:
        for _ in clients.map(lambda body: ask(address, body), bodies):
            pass
    seconds = time.perf_counter() - started
    print(f"  {rows.num_rows:,} people scored in {len(bodies)} requests, {seconds:.1f} s")
    # Captures reach the disk within a second of the answer.
    time.sleep(1.2)


class Load:
    """Two clients that keep asking while something else happens.

    Attributes:
        answered: the release that gave each answer.
        failed: why each request that failed did.
    """

    def __init__(self, address: str, rows: pa.Table) -> None:
        self._address = address
        self._body = request_body(rows)
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._keep_asking) for _ in range(2)]
        self.answered: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for client in self._clients:
            client.join()

    def _keep_asking(self) -> None:
        while not self._stop.is_set():
            try:
                answer = ask(self._address, self._body)
            except (urllib.error.URLError, OSError) as error:
                self.failed.append(str(error))
            else:
                self.answered.append(answer["parameters"]["release"])
