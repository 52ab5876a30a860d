"""The servers that bench_serving.py asks: ours with a real model, and the floor.

``python serving_servers.py floor FOLDER`` or ``serving_servers.py MODEL CAPTURES FOLDER`` says its
port in a line and serves until its standard input ends. CAPTURES is ``on``, ``off`` or ``canary``,
which is on and has one request in twenty for a second release.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from serving_requests import FEATURES, NAME, TEXTS, features, texts

CANARY = 0.05


def serve_floor(told: Callable[[int], None]) -> None:
    """What no Python server goes under: uvicorn, orjson both ways, no check and no model."""
    import uvicorn

    async def app(_: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        inputs = orjson.loads(body)["inputs"]
        rows = inputs[0]["shape"][0]
        content = orjson.dumps(
            {
                "model_name": NAME,
                "outputs": [
                    {
                        "name": "prediction",
                        "datatype": "INT64",
                        "shape": [rows],
                        "data": [1] * rows,
                    },
                    {"name": "score", "datatype": "FP64", "shape": [rows], "data": [0.5] * rows},
                ],
            }
        )
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    told(listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


class Feed:
    """A target feed whose targets stay."""

    problem = ""

    def __init__(self, targets: tuple[Any, ...], told: Callable[[int], None]) -> None:
        self.current = targets
        self._told = told

    def watch(self, changed: Callable[[], None]) -> None:
        """Nothing changes."""

    def started(self, address: str) -> None:
        """Pass the port on."""
        self._told(int(address.rpartition(":")[2]))


class NoCaptures:
    """A sink that drops what it is given."""

    lost = 0

    def put(self, _: Any) -> bool:
        """Drop it."""
        return True

    def put_batch(self, _: Any) -> bool:
        """Drop them."""
        return True


def fitted(word: str) -> Any:
    """A fitted estimator, the same in every process."""
    from sklearn.compose import make_column_transformer
    from sklearn.datasets import make_classification
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), slice(0, TEXTS)),
        (StandardScaler(), slice(TEXTS, FEATURES)),
    )
    made = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(100, max_depth=8, random_state=0),
        "boosting": HistGradientBoostingClassifier(early_stopping=False, random_state=0),
        "mixed": make_pipeline(prepare, LogisticRegression()),
    }
    rows, labels = make_classification(20_000, FEATURES, n_informative=8, random_state=0)
    if word == "mixed":
        rows = rows.astype(object)
        rows[:, :TEXTS] = np.array(texts(len(rows)), object).T
    return made[word].fit(rows, labels)


def serve_ours(word: str, captures: str, folder: Path, told: Callable[[int], None]) -> None:
    """A model that was converted to ONNX, behind deploy-local, or two releases of it."""
    from interlock.serving.capture import CaptureWriter
    from interlock_deploy_local import LocalServer
    from interlock_hookspecs import Endpoint, Field, OpenTarget, Release, Signature, Target
    from interlock_hookspecs.conformance.workspace import LocalWorkspace
    from interlock_model_onnx import OnnxModel

    signature = Signature(
        kind="binary",
        inputs=tuple(
            Field(name=name, type="string" if word == "mixed" and place < TEXTS else "double")
            for place, name in enumerate(features())
        ),
        outputs=(Field(name="score", type="double", nullable=False),),
        classes=(0, 1),
        positive=1,
    )
    onnx = OnnxModel()
    ws = LocalWorkspace(folder, openers={"onnx": onnx})
    model = onnx.write_model("onnx", fitted(word), signature, ws)

    def target_of(number: int, weight: float) -> OpenTarget:
        release = Release(
            id=f"release-{number}",
            run=f"run-{number}",
            project=NAME,
            stack=NAME,
            endpoint=NAME,
            model=model.digest,
            dossier=model.digest,
            threshold=0.5,
            number=str(number),
            at=datetime(2026, 1, number, tzinfo=UTC),
        )
        target = Target(release=release, model=model, weight=weight)
        return OpenTarget(target=target, predictor=onnx.open_model(model, ws))

    weights = (1 - CANARY, CANARY) if captures == "canary" else (1.0,)
    targets = tuple(target_of(number, weight) for number, weight in enumerate(weights, 1))
    writer = CaptureWriter(folder / "captures")
    endpoint = Endpoint(name=NAME, project=NAME, stack=NAME)
    sink = NoCaptures() if captures == "off" else writer
    LocalServer().serve_endpoint(endpoint, Feed(targets, told), sink, ws)
    writer.close()


def main() -> None:
    """Serve until the parent is gone."""

    def told(port: int) -> None:
        print(port, flush=True)

    def end_with_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    match sys.argv[1:]:
        case ["floor", _]:
            serve_floor(told)
        case [word, captures, folder]:
            serve_ours(word, captures, Path(folder), told)


if __name__ == "__main__":
    main()
