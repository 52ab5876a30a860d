"""A real server on loopback, and a small real model for it to serve."""

import contextlib
import http.client
import json
import logging
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest
from asking import ENDPOINT, tensors

from interlock_hookspecs import (
    Artifact,
    Field,
    InvalidInput,
    Model,
    OpenTarget,
    Release,
    Signature,
    Target,
)
from interlock_serving import ServerSettings

DIGEST = "sha256:" + "0" * 64
SIGNATURE = Signature(
    kind="binary",
    inputs=(
        Field(name="age", type="int64", nullable=False),
        Field(name="income", type="double", nullable=True),
        Field(name="city", type="string", nullable=True),
    ),
    outputs=(Field(name="score", type="double", nullable=False),),
    classes=("in work", "out of work"),
    positive="in work",
    id=Field(name="person", type="int64"),
    time=Field(name="year", type="int64"),
)


class Logistic:
    """A logistic model in numpy: the score is the logistic function of a sum of the features.

    Args:
        bias: what tells one model from another: the score of a row differs by it.
        signature: binary, with numeric and text features.
        seconds: how long a batch takes.
    """

    def __init__(self, bias=0.0, *, signature=SIGNATURE, seconds=0.0):
        self.bias = bias
        self.signature = signature
        self.seconds = seconds
        self.batches = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def score(self, *, age, income=None, city=None):
        """The score of one row, by the same formula in plain Python."""
        total = self.bias + age / 100 + (income or 0.0) / 1e5 + len(city or "") / 10
        return 1 / (1 + np.exp(-total))

    def predict(self, rows):
        self.batches.append(rows.num_rows)
        self.may_answer.wait()
        time.sleep(self.seconds)
        total = np.full(rows.num_rows, self.bias)
        for field in self.signature.inputs:
            column = rows[field.name]
            if field.type == "string":
                total += [len(value or "") / 10 for value in column.to_pylist()]
            else:
                scale = 100 if field.name == "age" else 1e5
                total += column.fill_null(0).to_numpy().astype(float) / scale
        if (total == 13.0).any():
            raise InvalidInput("the model takes no row that sums up to 13")
        if (total == 17.0).any():
            raise ZeroDivisionError
        scores = 1 / (1 + np.exp(-total))
        scores[total == 19.0] = np.nan
        return pa.table({"score": scores})


class Captures:
    """A capture sink that keeps what it is given in a list."""

    def __init__(self):
        self.all = []
        self.lost = 0

    def put(self, capture):
        self.all.append(capture)
        return True

    def put_batch(self, batch):
        self.all += batch.each()
        return True


class Feed:
    """A target feed that a test changes."""

    def __init__(self, targets=()):
        self.current = tuple(targets)
        self.problem = ""
        self.address = threading.Event()
        self.told = ""
        self._watchers = []

    def watch(self, changed):
        self._watchers.append(changed)

    def started(self, address):
        self.told = address
        self.address.set()

    def change(self, *targets):
        self.current = targets
        for changed in self._watchers:
            changed()


def target(number, predictor=None, *, weight=1.0, mirror=False, threshold=0.5):
    """An opened model behind a release, as core hands one over."""
    release = Release(
        id=f"release-{number}",
        run="run-1",
        project=ENDPOINT.project,
        stack=ENDPOINT.stack,
        endpoint=ENDPOINT.name,
        model=DIGEST,
        dossier=DIGEST,
        threshold=threshold,
        number=str(number),
        at=datetime(2026, 1, number, tzinfo=UTC),
    )
    predictor = predictor or Logistic(float(number))
    artifact = Artifact(digest=DIGEST, size=1, name="model.txt")
    model = Model(format="logistic", artifact=artifact, signature=predictor.signature)
    served = Target(release=release, model=model, weight=weight, mirror=mirror)
    return OpenTarget(target=served, predictor=predictor)


class Client:
    """A running endpoint, and how to talk to it."""

    def __init__(self, feed, captures, running):
        self.feed = feed
        self.captures = captures
        self.running = running
        address = urlsplit(feed.told)
        self.at = (address.hostname, address.port)

    def connect(self):
        """A connection that is closed at the end of the with-block."""
        return contextlib.closing(http.client.HTTPConnection(*self.at, timeout=60))

    def call(self, method, path, body=None, connection=None, **headers):
        """Status, headers and JSON of one request."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        opened = self.connect() if connection is None else contextlib.nullcontext(connection)
        with opened as link:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            link.request(method, path, body, named)
            response = link.getresponse()
            content = response.read()
            return response.status, response.headers, json.loads(content) if content else None

    def get(self, path):
        """Status and JSON of a GET."""
        status, _, value = self.call("GET", path)
        return status, value

    def here(self):
        """How many requests its only model has, or are waiting for it."""
        (model,) = self.running._app.router.models
        return model._scoring + len(model._queue)

    def until(self, condition):
        """Wait for what is to come about; a busy machine may take its time."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def infer(self, *rows, version=None, connection=None, **more):
        """Status and JSON of an inference over rows given as maps."""
        path = f"/v2/models/{ENDPOINT.name}{f'/versions/{version}' if version else ''}/infer"
        body = {"inputs": tensors(*rows), **more}
        status, _, value = self.call("POST", path, body, connection)
        return status, value


@contextlib.contextmanager
def serving(*targets, **settings):
    """An endpoint served from a thread of this process; it ended well when the block is left."""
    from interlock_serving.server import EndpointServer

    feed, captures = Feed(targets), Captures()
    failures = []
    running = EndpointServer(
        ServerSettings(**settings), ENDPOINT, feed, captures, logging.getLogger("test")
    )

    def run():
        try:
            running.run()
        except BaseException as error:
            failures.append(error)
            feed.address.set()
            raise

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        assert feed.address.wait(60)
        assert not failures
        client = Client(feed, captures, running)
        client.thread = thread
        yield client
    finally:
        running.stop()
        thread.join(60)
    assert not thread.is_alive()
    assert not failures


@pytest.fixture(name="serving", scope="session")
def _serving():
    return serving


@pytest.fixture(name="target", scope="session")
def _target():
    return target


@pytest.fixture(name="logistic")
def _logistic():
    return Logistic


@pytest.fixture
def wider():
    """A model that wants a feature which the others have not."""
    signature = Signature(
        kind="binary",
        inputs=(Field(name="age", type="double"), Field(name="height", type="double")),
        outputs=(Field(name="score", type="double"),),
        classes=(0, 1),
        positive=1,
    )
    return Logistic(signature=signature)


@pytest.fixture(name="tensors")
def _tensors():
    return tensors


@pytest.fixture
def client():
    """An endpoint with one release, for tests that change no setting."""
    with serving(target(1)) as running:
        yield running


@pytest.fixture(scope="module")
def shared():
    """An endpoint for a whole module, with small limits, so that it is tried again and again."""
    with serving(target(1), max_body=100_000, max_rows=50) as running:
        yield running


@pytest.fixture(scope="module")
def hasty():
    """An endpoint that waits for nobody, for a whole module: on a busy machine it cuts off all."""
    with serving(target(1), header_seconds=0.5, body_seconds=0.5) as running:
        yield running


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """An endpoint of two processes for a whole module."""
    from many_workers import endpoint

    folder = tmp_path_factory.mktemp("two")
    settings = {"metrics": True, "grpc_port": 0, "access_log": str(folder / "access.log")}
    # Nobody is replaced because the machine is busy: who is to go is killed.
    settings["silent_seconds"] = 3600
    with endpoint(folder, workers=2, **settings) as running:
        yield running
