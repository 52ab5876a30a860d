"""The local server: what it answers, what is captured, how it starts and ends."""

import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import attrs
import pytest
from asking import INFER, ROW, held, outputs, wait_until

from interlock_hookspecs import (
    Deployment,
    Endpoint,
    Field,
    Signature,
    Unavailable,
)
from interlock_serving import ServerSettings, endpoint_status, serve_endpoint
from interlock_serving import status as status_of_endpoints

pytestmark = pytest.mark.real_backend


def test_a_row_is_scored_and_decided(client, logistic):
    """The answer holds the model's score, the decision, the release and the request's id."""
    status, value = client.infer(ROW, id="call-1")
    assert status == 200
    score = logistic(1.0).score(**ROW)
    assert value == {
        "model_name": "employment",
        "model_version": "release-1",
        "id": "call-1",
        "parameters": {"release": "release-1", "number": "1"},
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [1], "data": ["in work"]},
            {"name": "score", "datatype": "FP64", "shape": [1], "data": [pytest.approx(score)]},
        ],
    }


def test_the_releases_threshold_decides(serving, target, logistic):
    """The same score is decided otherwise under another release's threshold."""
    model = logistic(0.0)
    with serving(target(1, model, threshold=0.99)) as client:
        _, value = client.infer(ROW)
    assert outputs(value)["prediction"] == ["out of work"]


def test_nulls_are_missing_values(client, logistic):
    """A null is scored as missing where the model knows missing values."""
    _, value = client.infer({"age": 40, "income": None, "city": None})
    assert outputs(value)["score"] == [pytest.approx(logistic(1.0).score(age=40))]


def test_outputs_can_be_selected(client):
    """A request that names outputs gets these and no others."""
    _, value = client.infer(ROW, outputs=[{"name": "score"}])
    assert list(outputs(value)) == ["score"]


def test_request_ids_go_in_and_out(client, tensors):
    """The body's id wins over the header's; without either the server makes one."""
    body = {"inputs": tensors(ROW)}
    _, headers, value = client.call("POST", INFER, body, x_request_id="header-1")
    assert (headers["x-request-id"], value["id"]) == ("header-1", "header-1")
    body["id"] = "body-1"
    _, headers, value = client.call("POST", INFER, body, x_request_id="header-1")
    assert (headers["x-request-id"], value["id"]) == ("body-1", "body-1")
    del body["id"]
    made = {client.call("POST", INFER, body)[1]["x-request-id"] for _ in range(2)}
    assert len(made) == 2


def test_a_tensor_of_all_features_is_scored(serving, target, logistic):
    """One [n, k] tensor holds the features in the model's order, flat or nested."""
    inputs = (Field(name="age", type="int64"), Field(name="income", type="double"))
    outputs_ = (Field(name="score", type="double"),)
    signature = Signature(
        kind="binary", inputs=inputs, outputs=outputs_, classes=(0, 1), positive=1
    )
    model = logistic(0.0, signature=signature)
    wanted = [pytest.approx(model.score(age=age, income=2.5)) for age in (1, 3)]
    with serving(target(1, model)) as client:
        for data in ([1.0, 2.5, 3.0, 2.5], [[1, 2.5], [3, 2.5]]):
            tensor = {"name": "input", "datatype": "FP64", "shape": [2, 2], "data": data}
            _, _, value = client.call("POST", INFER, {"inputs": [tensor]})
            assert outputs(value)["score"] == wanted


def test_multiclass_and_regression_are_answered(serving, target):
    """Each kind's own outputs are in the metadata and in the answer."""
    import numpy as np
    import pyarrow as pa

    class Constant:
        def __init__(self, kind, outputs, classes):
            self.signature = Signature(
                kind=kind,
                inputs=(Field(name="age", type="int64"),),
                outputs=tuple(Field(name=name, type="double") for name in outputs),
                classes=classes,
            )

        def predict(self, rows):
            names = [field.name for field in self.signature.outputs]
            return pa.table({name: np.full(len(rows), 1.0 + i) for i, name in enumerate(names)})

    for model, wanted in (
        (Constant("regression", ["prediction"], ()), {"prediction": [1.0]}),
        (
            Constant("multiclass", ["score[3]", "score[7]"], (3, 7)),
            {"prediction": [7], "score[3]": [1.0], "score[7]": [2.0]},
        ),
    ):
        with serving(target(1, model)) as client:
            _, metadata = client.get("/v2/models/employment")
            status, value = client.infer({"age": 1})
        assert (status, outputs(value)) == (200, wanted)
        assert [output["name"] for output in metadata["outputs"]] == list(wanted)
        described = {output["name"]: output["datatype"] for output in metadata["outputs"]}
        assert described == {output["name"]: output["datatype"] for output in value["outputs"]}


def test_a_real_sklearn_model_is_served(serving, target):
    """A fitted scikit-learn classifier answers over HTTP what it answers in process."""
    import numpy as np
    import pyarrow as pa
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    iris = load_iris()
    fitted = LogisticRegression(max_iter=500).fit(iris.data, iris.target)
    names = [f"x{i}" for i in range(4)]

    class Sklearn:
        signature = Signature(
            kind="multiclass",
            inputs=tuple(Field(name=name, type="double", nullable=False) for name in names),
            outputs=tuple(Field(name=f"score[{label}]", type="double") for label in range(3)),
            classes=(0, 1, 2),
        )

        def predict(self, rows):
            scores = fitted.predict_proba(np.column_stack([rows[name] for name in names]))
            return pa.table({f"score[{label}]": scores[:, label] for label in range(3)})

    tensor = {"name": "x", "datatype": "FP64", "shape": [150, 4], "data": iris.data.tolist()}
    with serving(target(1, Sklearn())) as client:
        _, _, value = client.call("POST", INFER, {"inputs": [tensor]})
    assert outputs(value)["prediction"] == fitted.predict(iris.data).tolist()
    assert outputs(value)["score[2]"] == fitted.predict_proba(iris.data)[:, 2].tolist()


def test_health_and_metadata(client):
    """Liveness, readiness and metadata are where the protocol has them."""
    assert client.get("/v2/health/live") == (200, {"live": True})
    status, ready = client.get("/v2/health/ready")
    assert (status, ready["ready"], ready["serving"]) == (200, True, ["release-1"])
    assert client.get("/v2")[1]["name"] == "interlock-serving"
    assert client.get("/v2/models/employment/ready") == (
        200,
        {"name": "employment", "ready": True},
    )
    assert client.get("/v2/models/employment/versions/1/ready")[0] == 200
    assert client.get("/v2/models/employment") == (
        200,
        {
            "name": "employment",
            "versions": ["release-1"],
            "platform": "logistic",
            "inputs": [
                {"name": "age", "datatype": "INT64", "shape": [-1]},
                {"name": "income", "datatype": "FP64", "shape": [-1]},
                {"name": "city", "datatype": "BYTES", "shape": [-1]},
            ],
            "outputs": [
                {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
                {"name": "score", "datatype": "FP64", "shape": [-1]},
            ],
        },
    )


def test_without_targets_it_lives_and_is_not_ready(serving):
    """An endpoint with nothing to serve says so with 503, and asks to try again."""
    with serving() as client:
        assert client.get("/v2/health/live")[0] == 200
        status, ready = client.get("/v2/health/ready")
        assert (status, ready["problem"]) == (503, "no release is served here")
        assert client.infer(ROW) == (503, {"error": "no release is served here"})
        assert client.get("/v2/models/employment")[0] == 503


def test_a_problem_of_the_feed_is_shown_and_does_no_harm(client):
    """While core says that the ledger is out of reach the endpoint stays ready and says why."""
    client.feed.problem = "the ledger cannot be reached"
    status, ready = client.get("/v2/health/ready")
    assert (status, ready["problem"]) == (200, "the ledger cannot be reached")
    assert client.infer(ROW)[0] == 200


def test_a_model_that_the_protocol_cannot_describe_is_refused_by_name(serving, target, logistic):
    """A column without a datatype keeps its model out, and readiness says which and why."""
    inputs = (Field(name="tags", type="list<string>"),)
    signature = Signature(kind="regression", inputs=inputs, outputs=())
    with serving(target(1, logistic(signature=signature))) as client:
        status, ready = client.get("/v2/health/ready")
    assert status == 503
    assert "release-1 cannot be served: the type list<string>" in ready["problem"]


def test_everything_answered_is_captured(client):
    """A capture holds the request's id, release, time, features, id and time, and the answer."""
    began = datetime.now(UTC)
    rows = [{**ROW, "person": person, "year": 2016} for person in (7, 8)]
    _, value = client.infer(*rows, id="call-1")
    wait_until(lambda: client.captures.all)
    (capture,) = client.captures.all
    assert (capture.request_id, capture.release, capture.mirror) == ("call-1", "release-1", False)
    assert began <= capture.at <= datetime.now(UTC)
    assert capture.rows.to_pylist() == rows
    assert capture.predictions.to_pydict() == outputs(value)


def test_stopping_answers_what_is_in_flight(serving, target, logistic):
    """Told to stop, the server takes no connection and answers the request that it has."""
    model = logistic(1.0)
    with serving(target(1, model)) as client:

        def refused():
            try:
                return client.get("/v2/health/live") is None
            except (ConnectionError, http.client.HTTPException):
                return True

        with held(client, model):
            client.running.stop()
            wait_until(refused)
        client.thread.join(60)
    assert len(client.captures.all) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_hook_and_the_process_goes_on(number):
    """After the signal serve_endpoint returns, so that core can write its last captures."""
    script = """
import logging, signal, types
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have it ignored
from interlock_serving import ServerSettings, endpoint_status, serve_endpoint
from interlock_hookspecs import Endpoint
class Feed:
    current, problem = (), ""
    def watch(self, changed): pass
    def started(self, address): print(address, flush=True)
ws = types.SimpleNamespace(log=logging.getLogger("test"))
endpoint = Endpoint(name="e", project="p", stack="s")
serve_endpoint(ServerSettings(), endpoint, Feed(), types.SimpleNamespace(lost=0), ws)
print("returned", flush=True)
"""
    server = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with server:
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        server.send_signal(number)
        assert server.stdout.readline() == "returned\n"
        assert server.wait(60) == 0


def test_an_address_of_another_machine_is_told_as_one(client):
    """It is the host that is to be set, and not the port."""
    endpoint = Endpoint(name="second", project="labour", stack="dev")
    workspace = SimpleNamespace(log=logging.getLogger("test"))
    settings = ServerSettings(host="203.0.113.9")  # of a block that is for documentation
    with pytest.raises(Unavailable, match="set host to an address of this machine"):
        serve_endpoint(settings, endpoint, client.feed, client.captures, workspace)


def test_a_taken_port_is_unavailable(client):
    """A port that another process has is a clear error that says what to set."""
    _, port = client.at
    endpoint = Endpoint(name="second", project="labour", stack="dev")
    workspace = SimpleNamespace(log=logging.getLogger("test"))
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}.*set another port"):
        serve_endpoint(ServerSettings(port=port), endpoint, client.feed, client.captures, workspace)


def test_the_status_of_a_running_endpoint(client):
    """Asked for, the status names the releases that are served."""
    deployment = Deployment(
        id="deployment-1",
        endpoint=Endpoint(name="employment", project="labour", stack="dev"),
        address=client.feed.told,
    )
    status = endpoint_status(ServerSettings(), deployment)
    assert (status.live, status.ready, status.serving) == (True, True, ("release-1",))
    other = attrs.evolve(
        deployment, endpoint=Endpoint(name="employment", project="labour", stack="prod")
    )
    status = endpoint_status(ServerSettings(), other)
    assert (status.live, status.detail.split(" at ")[0]) == (False, "another server answers")


def test_the_status_of_a_dead_endpoint(monkeypatch):
    """An endpoint that is gone, silent, or no such server is not live, and no exception."""
    monkeypatch.setattr(status_of_endpoints, "_SECONDS", 2.0)
    endpoint = Endpoint(name="employment", project="labour", stack="dev")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host, port = silent.getsockname()
        addresses = [f"http://{host}:{port}", "", "http://127.0.0.1:1"]
        for address in addresses:
            deployment = Deployment(id="deployment-1", endpoint=endpoint, address=address)
            began = time.monotonic()
            status = endpoint_status(ServerSettings(), deployment)
            assert (status.live, status.ready, bool(status.detail)) == (False, False, True)
            assert time.monotonic() - began < 40


@pytest.mark.parametrize("setting", ["max_body", "queue_rows", "header_seconds", "port"])
def test_settings_out_of_range_are_refused_without_their_value(setting):
    """A limit below its range is refused when the plugin is made; the value is not printed."""
    with pytest.raises(ValueError, match=setting) as raised:
        ServerSettings(**{setting: -4321})
    assert "4321" not in str(raised.value)
