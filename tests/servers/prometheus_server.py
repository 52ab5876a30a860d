"""A stand-in of Prometheus' HTTP API, as far as the counts of Seldon's agents are asked of it."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest


class Prometheus:
    """A stand-in of Prometheus' HTTP API: the two queries of counts of Seldon's agents.

    Attributes:
        counts: by (Model, code).
        started: when the agent that counts a Model was started, in seconds since 1970.
        broken: what is answered instead, where it is to answer something else.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.started: dict[str, float] = {}
        self.broken: tuple[int, bytes] | None = None
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query).get("query", [""])[0]
                code, raw = stand_in.broken or stand_in.answer(parts.path, query)
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: str) -> tuple[int, bytes]:
        """A status code and a body, as Prometheus gives them for an instant query."""
        selector = r'seldon_model_infer_total\{model=~"(?P<names>[-a-z0-9|]+)"\}'
        counted = re.fullmatch(rf"sum by \(model, code\) \({selector}\)", query)
        started = re.fullmatch(
            rf"max by \(model\) \(0 \* {selector} \+ on \(instance, job\) group_left \(\) "
            r"process_start_time_seconds\)",
            query,
        )
        found = counted or started
        if path != "/api/v1/query" or found is None:
            said = {"status": "error", "errorType": "bad_data", "error": f"parse error: {query}"}
            return 400, json.dumps(said).encode()
        names = found["names"].split("|")
        if counted:
            series = [
                ({"model": model, "code": code}, count)
                for (model, code), count in self.counts.items()
                if model in names
            ]
        else:
            series = [
                ({"model": model}, start) for model, start in self.started.items() if model in names
            ]
        result = [
            {"metric": labels, "value": [time.time(), f"{value}"]} for labels, value in series
        ]
        said = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return 200, json.dumps(said).encode()


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    """A Prometheus of a test's own."""
    found = Prometheus()
    try:
        yield found
    finally:
        with contextlib.suppress(OSError):
            found.stop()
