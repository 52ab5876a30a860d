"""An endpoint of several processes: one address, one status, and a killed worker is replaced."""

import contextlib
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rpc_client import channel

from interlock_hookspecs import Unsupported
from interlock_serving import ServerSettings, merged, serve_endpoint

pytestmark = pytest.mark.real_backend

HERE = Path(__file__).parent
INFER = "/v2/models/employment/infer"
ROW = {"age": 40, "income": 30_000.0, "city": "Lowell"}
SCRIPT = """
import json, logging, os, sys, threading, time, types
from pathlib import Path
import conftest
from interlock_serving import ServerSettings, serve_endpoint

folder = Path(sys.argv[1])
settings = json.loads(sys.argv[2])
held = settings.pop("held", False)

class Model(conftest.Logistic):
    def predict(self, rows):
        if held:
            (folder / "working").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        return super().predict(rows)

class Feed(conftest.Feed):
    command = (sys.executable, *sys.orig_argv[1:])

    def started(self, address):
        (folder / "started.tmp").write_text(f"{os.getpid()} {address}")
        (folder / "started.tmp").rename(folder / "started")

    def follow(self):
        while True:
            number = int((folder / "release").read_text())
            if not self.current or self.current[0].target.release.number != str(number):
                self.change(conftest.target(number, Model(float(number))))
            time.sleep(0.01)

class Captures:
    lost = 0
    handle = os.open(folder / "captures", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def put_batch(self, batch):
        for request_id in batch.request_ids:
            os.write(self.handle, f"{request_id} {batch.release}\\n".encode())
        return True

# A worker that is started while the folder is closed waits before it listens.
while (folder / "closed").exists():
    time.sleep(0.01)
feed = Feed()
threading.Thread(target=feed.follow, daemon=True).start()
ws = types.SimpleNamespace(log=logging.getLogger("test"))
serve_endpoint(ServerSettings(**settings), conftest.ENDPOINT, feed, Captures(), ws)
"""


class Endpoint:
    """An endpoint of several processes, and how to ask it."""

    def __init__(self, folder, process, count):
        self.count = count
        self.folder = folder
        self.process = process
        self.address = None

    def connect(self):
        return contextlib.closing(http.client.HTTPConnection(*self.address, timeout=60))

    def get(self, path="/v2/health/ready"):
        with self.connect() as link:
            link.request("GET", path)
            return link.getresponse().read().decode()

    def infer(self, link, name=None):
        link.request("POST", INFER, json.dumps({"inputs": tensors(ROW), "id": name}))
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())

    @property
    def ready(self):
        return json.loads(self.get())

    @property
    def workers(self):
        return self.ready["workers"]

    @property
    def asked(self):
        return counted(self.ready)

    def swap(self):
        """Serve another release, which is counted from nothing."""
        number = int((self.folder / "release").read_text()) + 1
        self.serve(number)
        self.settle()
        self.until(lambda: self.ready["serving"] == [f"release-{number}"])
        return f"release-{number}"

    def settle(self):
        """Wait until each worker knows of the others."""
        knowing = set()

        def settled():
            said = self.ready
            if len(said["workers"]) == self.count and said["ready"]:
                knowing.add(said["pid"])
            return knowing >= set(said["workers"]) and said["workers"]

        return self.until(settled)

    def serve(self, number):
        temporary = self.folder / "release.tmp"
        temporary.write_text(str(number))
        temporary.rename(self.folder / "release")

    def until(self, condition):
        deadline = time.monotonic() + 120
        while not (found := condition()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found


def counted(ready):
    return sum(each["requests"] for each in ready["traffic"])


def tensors(row):
    types = {"age": "INT64", "income": "FP64", "city": "BYTES"}
    return [
        {"name": name, "datatype": types[name], "shape": [1], "data": [value]}
        for name, value in row.items()
    ]


@contextlib.contextmanager
def endpoint(folder, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serve.py").write_text(SCRIPT)
    path = os.pathsep.join([str(HERE), *sys.path])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, folder / "serve.py", folder, json.dumps(settings)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
        )
    running = Endpoint(folder, process, settings.get("workers", 1))
    running.serve(1)
    try:
        started = folder / "started"
        running.until(lambda: started.exists() or process.poll() is not None)
        if started.exists():
            pid, address = started.read_text().split()
            assert int(pid) == process.pid
            host, port = address.removeprefix("http://").split(":")
            running.address = host, int(port)
            # Each worker has said to the supervisor, and it to the others, what it serves.
            running.settle()
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(120)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    settings = {"metrics": True, "grpc_port": 0, "access_log": str(folder / "access.log")}
    with endpoint(folder, workers=2, **settings) as running:
        yield running


def alive(pid):
    """Whether a process runs; one that nobody has collected yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_status_tells_of_all_workers(two):
    """Two processes, neither of them the one that was started; what they counted is added up."""
    release, workers = two.swap(), two.settle()
    captured = two.folder / "captures"
    lines = len(captured.read_text().splitlines())
    assert len(set(workers)) == 2
    assert two.process.pid not in workers
    for number in range(30):
        with two.connect() as link:
            assert two.infer(link, f"call-{number}")[0] == 200
    two.until(lambda: two.asked == 30)
    said = two.ready
    assert (said["ready"], said["serving"], said["problem"]) == (True, [release], "")
    labels = f'{{model_name="employment",model_version="{release}"}}'
    two.until(lambda: f"model_infer_request_success_total{labels} 30.0" in two.get("/metrics"))
    two.until(lambda: len(captured.read_text().splitlines()) == lines + 30)


def test_a_swap_reaches_every_worker(two):
    """A release is said to be served once every worker serves it; then every answer is its."""
    release = two.swap()
    for _ in range(20):
        with two.connect() as link:
            assert two.infer(link)[1]["model_version"] == release


def test_a_killed_worker_is_replaced_and_what_it_counted_stays(two):
    """Its place is taken by a new process; the counts of the endpoint do not go back."""
    two.swap()
    victim, other = two.settle()
    for _ in range(20):
        with two.connect() as link:
            assert two.infer(link)[0] == 200
    # When the other one knows of all, the first has told all.
    two.until(lambda: (said := two.ready)["pid"] == other and counted(said) == 20)
    os.kill(victim, signal.SIGKILL)
    two.until(lambda: victim not in two.workers)
    assert other in two.settle()
    two.until(lambda: two.asked == 20)
    assert f"worker {victim} ended with code -9" in (two.folder / "log").read_text()


def answered_by(running, seconds=60.0):
    """Which worker takes a new connection, and that it answers in time."""
    with contextlib.closing(http.client.HTTPConnection(*running.address, timeout=seconds)) as link:
        link.request("GET", "/v2/health/ready")
        return json.loads(link.getresponse().read())["pid"]


def test_the_others_take_the_connections_of_one_that_is_away(tmp_path):
    """Until its successor listens, nobody waits for it: the system deals half of them to it."""
    with endpoint(tmp_path, workers=2) as running:
        victim, other = running.settle()
        (tmp_path / "closed").touch()
        os.kill(victim, signal.SIGKILL)
        running.until(lambda: victim not in running.workers)
        # That all of these come by chance to the one that lives: 1 in 2^32.
        assert {answered_by(running) for _ in range(32)} == {other}
        assert running.ready["problem"] == "workers that are being started: 1 of 2"
        (tmp_path / "closed").unlink()
        running.settle()
        running.until(lambda: answered_by(running) not in (victim, other))


def test_the_others_take_the_connections_of_one_that_hangs(tmp_path):
    """One that is stopped keeps nobody waiting, and has its share again when it goes on."""
    with endpoint(tmp_path, workers=2, silent_seconds=3600) as running:
        victim, other = running.settle()
        os.kill(victim, signal.SIGSTOP)
        assert {answered_by(running) for _ in range(32)} == {other}
        assert alive(victim)
        os.kill(victim, signal.SIGCONT)
        running.until(lambda: answered_by(running) == victim)


def test_a_worker_that_hangs_is_replaced(tmp_path):
    """It hears no signal but the one that kills; the other serves on."""
    with endpoint(tmp_path, workers=2, silent_seconds=6) as running:
        victim, other = running.settle()
        os.kill(victim, signal.SIGSTOP)
        running.until(lambda: not alive(victim))
        assert other in running.settle()
        log = (tmp_path / "log").read_text()
        assert f"worker {victim} said nothing for 6 s and is killed" in log
        assert f"worker {victim} ended with code -9" in log
        release = running.swap()
        with running.connect() as link:
            assert running.infer(link)[1]["model_version"] == release


def test_a_single_worker_is_watched_over_where_it_is_wanted(tmp_path):
    """Stopped or killed it is replaced at the same address, and who asks meanwhile is answered."""
    with endpoint(tmp_path, supervised=True, silent_seconds=6) as running:
        (first,) = running.settle()
        assert first != running.process.pid
        os.kill(first, signal.SIGSTOP)
        assert answered_by(running, 120.0) != first
        assert not alive(first)
        assert f"worker {first} said nothing for 6 s" in (tmp_path / "log").read_text()
        (second,) = running.settle()
        os.kill(second, signal.SIGKILL)
        running.until(lambda: not alive(second))
        assert answered_by(running, 120.0) not in (first, second)
        with running.connect() as link:
            assert running.infer(link)[0] == 200


def test_a_worker_that_is_slow_is_left_alone(tmp_path):
    """A model at work for longer than a worker may be silent is no reason: the worker answers."""
    with endpoint(tmp_path, workers=2, held=True, silent_seconds=5) as running:
        before = running.workers
        answers = []

        def ask():
            with running.connect() as link:
                answers.append(running.infer(link)[0])

        client = threading.Thread(target=ask)
        client.start()
        running.until((tmp_path / "working").exists)
        time.sleep(7)
        assert running.workers == before
        (tmp_path / "go").touch()
        client.join(120)
    assert answers == [200]


def test_a_killed_worker_loses_only_what_it_had_in_flight(two):
    """Under load each client loses one request at most, and no new connection is refused."""
    stop = threading.Event()
    answered, broken, refused, wrong = [], [], [], []

    def load():
        while not stop.is_set():
            try:
                with two.connect() as link:
                    link.connect()
                    # Few a connection, so that new ones come while a worker is missing.
                    for _ in range(20):
                        status, _ = two.infer(link)
                        (answered if status == 200 else wrong).append(status)
            except ConnectionRefusedError as error:
                refused.append(error)
            except (http.client.HTTPException, OSError) as error:
                broken.append(error)

    clients = [threading.Thread(target=load) for _ in range(6)]
    for client in clients:
        client.start()
    try:
        two.until(lambda: len(answered) > 100)
        victim = two.settle()[0]
        os.kill(victim, signal.SIGKILL)
        two.until(lambda: victim not in two.workers)
        two.settle()
        before = len(answered)
        two.until(lambda: len(answered) > before + 100)
    finally:
        stop.set()
        for client in clients:
            client.join(120)
    assert (refused, wrong) == ([], [])
    assert len(broken) <= len(clients)


def test_workers_share_the_port_of_grpc(two):
    """Each answers there; after one is killed, its successor does, too."""
    two.swap()
    address = two.ready["grpc"]
    apart = [("grpc.use_local_subchannel_pool", 1)]

    def both_answer(workers):
        with channel(two, options=apart, at=address) as asked:
            assert asked.infer(ROW).outputs
        lines = map(json.loads, (two.folder / "access.log").read_text().splitlines())
        answered = {line["worker"] for line in lines if line.get("grpc_code") == "OK"}
        return answered >= set(workers)

    workers = two.settle()
    two.until(lambda: both_answer(workers))
    os.kill(workers[0], signal.SIGKILL)
    two.until(lambda: workers[0] not in two.workers)
    successors = two.settle()
    assert two.ready["grpc"] == address
    two.until(lambda: both_answer(successors))


def test_what_is_in_flight_is_answered_before_the_end(tmp_path):
    """After SIGTERM a request that a model works on is answered, and no process is left."""
    with endpoint(tmp_path, workers=2, held=True) as running:
        workers = running.workers
        answers = []

        def ask():
            with running.connect() as link:
                answers.append(running.infer(link)[0])

        client = threading.Thread(target=ask)
        client.start()
        running.until((tmp_path / "working").exists)
        running.process.terminate()
        # The address is gone when the supervisor has heard it.
        running.until(lambda: not listens(running.address))
        (tmp_path / "go").touch()
        client.join(120)
        assert running.process.wait(120) == 0
    assert answers == [200]
    assert not any(map(alive, workers))


def listens(address):
    with socket.socket() as link:
        return link.connect_ex(address) == 0


def test_workers_do_not_outlive_their_supervisor(tmp_path):
    """When it is killed, they end by themselves."""
    with endpoint(tmp_path, workers=2) as running:
        workers = running.workers
        running.process.kill()
        running.process.wait(60)
        running.until(lambda: not any(map(alive, workers)))


def test_workers_that_cannot_start_are_told(tmp_path):
    """The endpoint ends with what is wrong, instead of trying for ever."""
    gone = str(tmp_path / "gone" / "access.log")
    with endpoint(tmp_path / "home", workers=2, access_log=gone) as running:
        assert running.process.wait(120) == 1
    text = (tmp_path / "home" / "log").read_text()
    assert f"access_log {gone}: No such file" in text
    assert text.strip().endswith("a worker ended with exit code 1 before it listened")


def test_a_feed_that_cannot_be_repeated_has_one_worker(client):
    """A plugin that core did not start as a process says so."""
    workspace = SimpleNamespace(log=logging.getLogger("test"))
    with pytest.raises(Unsupported, match="workers = 1"):
        serve_endpoint(
            ServerSettings(workers=2),
            client.running._app.endpoint,
            client.feed,
            client.captures,
            workspace,
        )


def test_what_workers_say_is_added_up():
    """Served is what all serve; counts are sums, those of the dead included; one problem each."""
    counts = {"requests": 2, "refused": 1, "failed": 0, "latencies": [1, 0]}
    one = {"release": "a", "mirror": False, "weight": 1.0, "since": "2026-01-02", **counts}
    own = {
        "ready": True,
        "serving": ["a", "b"],
        "problem": "late",
        "captures_lost": 1,
        "mirrors_skipped": 0,
        "traffic": [one],
        "pid": 7,
    }
    other = {**own, "serving": ["a"], "pid": 5, "ready": False}
    past = {"traffic": [{**one, "since": "2026-01-01"}], "lost": 4, "skipped": 3}
    said = merged.readiness(own, [other], past, 1)
    assert (said["ready"], said["serving"], said["workers"]) == (False, ["a"], [5, 7])
    assert said["problem"] == "late; workers that are being started: 1 of 3"
    assert (said["captures_lost"], said["mirrors_skipped"]) == (6, 3)
    (traffic,) = said["traffic"]
    assert traffic["since"] == "2026-01-01"
    assert (traffic["requests"], traffic["refused"], traffic["latencies"]) == (6, 3, [3, 0])
