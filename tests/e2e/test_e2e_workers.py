"""A life with several server processes: released to all, captured by all, one killed, all ended."""

import http.client
import json
import os
import signal
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.real_backend
BUSY = 300.0


def readiness(endpoint):
    url = urlsplit(endpoint["address"])
    link = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    try:
        link.request("GET", "/v2/health/ready")
        return json.loads(link.getresponse().read())
    finally:
        link.close()


def test_an_endpoint_of_two_processes(project, ask, rows, until):
    """Every answer is captured, whichever worker gave it; undeployed, none is left."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write("\n[stack.dev.deploy-local]\nworkers = 2\n")
    made("run", "--until", "deploy")
    endpoint = made.endpoint

    def workers_known():
        """All of them, once each knows of the other: any may answer."""
        told = {tuple(readiness(endpoint)["workers"]) for _ in range(20)}
        return told.pop() if len(told) == 1 else ()

    until(lambda: len(workers_known()) == 2, BUSY)
    # What rotates logs may send it; no server here has a terminal that could go.
    workers = workers_known()
    for pid in (endpoint["body"]["facts"]["pid"], workers[0]):
        os.kill(pid, signal.SIGHUP)
    victim = workers[0]
    features = rows.drop_columns(["y"])
    for start in range(0, 40, 2):
        assert ask(endpoint, features.slice(start, 2))[0] == 200
    assert workers_known() == workers
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in (pids := readiness(endpoint)["workers"]) and len(pids) == 2, BUSY)
    until(lambda: made.endpoint["now"] == "answers", BUSY)
    for start in range(40, 80, 2):
        assert ask(endpoint, features.slice(start, 2))[0] == 200
    made("undeploy")
    with pytest.raises(OSError, match=r"refused|reset"):
        readiness(endpoint)
    files = list((made.folder / ".interlock" / "captures").rglob("captures-*.parquet"))
    captured = {name for file in files for name in pq.read_table(file)["id"].to_pylist()}
    # What the killed one had not written yet is lost; what came after it is not.
    assert captured >= set(range(40, 80))


def test_workers_that_cannot_start_say_why(project):
    """The error has what a worker said, and not only that it ended; the listing keeps it."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write('\n[stack.dev.deploy-local]\nworkers = 2\naccess_log = "gone/access.log"\n')
    said = made("run", "--until", "deploy", expect=1)
    assert "gone/access.log: No such file or directory" in said.err
    endpoint = made.endpoint
    assert endpoint["now"] == "failed"
    assert "gone/access.log: No such file or directory" in endpoint["detail"]
    assert made("undeploy").out == "small is ended.\n"
