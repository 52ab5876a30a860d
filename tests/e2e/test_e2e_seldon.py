"""A life behind Seldon: one word swapped, a real MLServer, and nothing else is otherwise."""

import contextlib
import http.client
import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.real_backend
BUSY = 300.0
LIKE = ("--set", "train-sklearn.parameters.min_samples_leaf=2")
STRICT = ("--set", "task.threshold=0.999")
CANARY = """
[stack.dev.rollout]
strategy = "canary"
steps = [0.5]
window = 0
min_requests = 20
[stack.dev.rollout.bounds]
"rollout.error_rate" = "<= 0.05"
"rollout.agreement" = ">= 0.85"
"""
WORKERS = "\n[stack.dev.deploy-seldon]\nworkers = 2\n"
HASTY = "\n[stack.dev.deploy-seldon]\nanswer_seconds = 5\nsilent_seconds = 10\n"


@pytest.fixture(autouse=True)
def on_path(monkeypatch, mlserver_command):
    """MLServer is found as a user's is: by its name."""
    path = os.pathsep.join([str(mlserver_command.parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)


def configured(project, text):
    with (project.folder / "interlock.toml").open("a") as file:
        file.write(text)


def captured(project):
    """How many answers each release has on record."""
    files = (project.folder / ".interlock" / "captures").rglob("captures-*.parquet")
    return Counter(name for file in files for name in pq.read_table(file)["release"].to_pylist())


def mlserver_of(pid):
    """The MLServer that a server process has started, from behind its keeper."""
    for keeper in psutil.Process(pid).children():
        if any("keeper.py" in word for word in keeper.cmdline()):
            return next(iter(keeper.children()), None)
    return None


def asked(link, endpoint, row):
    """One request over a connection: its status, and the release that answered."""
    datatypes = {"id": "INT64", "group": "BYTES"}
    inputs = [
        {"name": name, "datatype": datatypes.get(name, "FP64"), "shape": [1], "data": [value]}
        for name, value in row.items()
    ]
    link.request("POST", f"/v2/models/{endpoint['endpoint']}/infer", json.dumps({"inputs": inputs}))
    answer = link.getresponse()
    said = json.loads(answer.read())
    again = answer.headers["retry-after"]
    return answer.status, said.get("model_version", said.get("error")), again


def connected(endpoint):
    url = urlsplit(endpoint["address"])
    return contextlib.closing(http.client.HTTPConnection(url.hostname, url.port, timeout=BUSY))


def send(project, rows, count):
    """Ask about so many rows, one a request: which release answered how many."""
    endpoint = project.endpoint
    with connected(endpoint) as link:
        asked_for = rows.drop_columns(["y"]).slice(0, count).to_pylist()
        return Counter(asked(link, endpoint, row)[1] for row in asked_for)


def test_swapping_the_server_is_one_word(project, ask, rows, until):
    """Answers, captures, monitor, a canary that is good, one that is bad, and the way back."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.5"')
    made("run")
    features = rows.drop_columns(["y"]).slice(0, 50)
    before = ask(made.endpoint, features)
    local = made.endpoint["address"]
    made.edit('deploy = "local"', 'deploy = "seldon"')
    made("run")
    endpoint = made.endpoint
    assert endpoint["body"]["maker"]["plugin"] == "deploy-seldon"
    with pytest.raises(OSError, match=r"refused"), connected({"address": local}) as link:
        link.connect()
    # Numbers and a text among the features: label by label and bit by bit.
    assert ask(endpoint, features) == before
    until(lambda: captured(made).total() == 100)
    made("monitor")
    first = endpoint["release"]
    configured(made, CANARY)
    made("run", *LIKE)
    second = made.listed("rollout", "status", "--limit", 1)[0]["release"]
    assert send(made, rows, 200).keys() == {first, second}
    until(lambda: made.listed("rollout", "advance")["status"] == "promoted")
    assert send(made, rows, 10) == {second: 10}
    made("run", *STRICT)
    assert len(send(made, rows, 200)) == 2
    assert "rolled-back" in made("rollout", "watch", "--every", "0.1", expect=5).out
    assert send(made, rows, 10) == {second: 10}
    made("rollback")
    assert send(made, rows, 10) == {first: 10}
    scored = mlserver_of(made.endpoint["body"]["facts"]["pid"])
    made("undeploy")
    psutil.wait_procs([scored], BUSY)
    assert not scored.is_running()
    made("audit", "verify")


def test_workers_swap_under_load_and_survive_an_mlserver_that_is_killed(project, rows, until):
    """No request fails in a swap, none is answered wrongly, and nothing outlives the server."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.5"')
    configured(made, WORKERS)
    made.edit('deploy = "local"', 'deploy = "seldon"')
    made("run", "--until", "deploy")
    endpoint, over = made.endpoint, threading.Event()
    seen = []

    def load():
        row = rows.drop_columns(["y"]).slice(0, 1).to_pylist()[0]
        with connected(endpoint) as link:
            while not over.is_set():
                seen.append(asked(link, endpoint, row))

    callers = [threading.Thread(target=load) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        first = endpoint["release"]
        made("run", *LIKE, "--until", "deploy")
        second = made.endpoint["release"]
        until(lambda: seen[-1][1] == second, BUSY)
        made("rollback")
        until(lambda: seen[-1][1] == first, BUSY)
        assert {status for status, _, _ in seen} == {200}
        assert {release for _, release, _ in seen} == {first, second}
        server = psutil.Process(made.endpoint["body"]["facts"]["pid"])
        scored = mlserver_of(server.pid)
        before = len(seen)
        scored.send_signal(signal.SIGKILL)
        until(lambda: any(status == 503 for status, _, _ in seen[before:]), BUSY)
        until(lambda: seen[-1][0] == 200, BUSY)
    finally:
        over.set()
        for caller in callers:
            caller.join(BUSY)
    assert {status for status, _, _ in seen[before:]} == {200, 503}
    assert {again for status, _, again in seen if status == 503} == {"1"}
    # The server is killed where it stands: its workers end, and the MLServer that they asked.
    scored, family = mlserver_of(server.pid), server.children(recursive=True)
    assert scored in family
    server.kill()
    _, left = psutil.wait_procs(family, BUSY)
    assert left == []


def test_an_mlserver_that_hangs_is_replaced(project, ask, rows, until):
    """Nobody waits for it, readiness says why, and the next one answers as it did."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.5"')
    configured(made, HASTY)
    made.edit('deploy = "local"', 'deploy = "seldon"')
    made("run", "--until", "deploy")
    endpoint, features = made.endpoint, rows.drop_columns(["y"]).slice(0, 20)
    status, before = until(lambda: (said := ask(endpoint, features))[0] == 200 and said, BUSY)
    facts = endpoint["body"]["facts"]
    hanging = mlserver_of(facts["pid"])
    hanging.suspend()
    with connected(endpoint) as link:
        status, why, again = asked(link, endpoint, features.to_pylist()[0])
    assert (status, again) == (503, "1")
    assert "no answer within 5 s" in why or "MLServer" in why
    now = until(lambda: (said := made.endpoint)["now"] == "live" and said, BUSY)
    assert "MLServer" in now["detail"] or "is late" in now["detail"]
    until(lambda: ask(endpoint, features) == (200, before), BUSY)
    until(lambda: made.endpoint["now"] == "answers", BUSY)
    assert not hanging.is_running()
    assert mlserver_of(facts["pid"]).is_running()
    assert " and is killed" in Path(facts["log"]).read_text()
    made("undeploy")
