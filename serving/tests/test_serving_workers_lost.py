"""A worker that is killed, hangs or is slow: the others serve, and it is replaced or left alone."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time

import pytest
from many_workers import alive, counted, endpoint

pytestmark = pytest.mark.real_backend


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
    with endpoint(tmp_path, workers=2, silent_seconds=12) as running:
        victim, other = running.settle()
        os.kill(victim, signal.SIGSTOP)
        running.until(lambda: not alive(victim))
        assert other in running.settle()
        log = (tmp_path / "log").read_text()
        assert f"worker {victim} said nothing for 12 s and is killed" in log
        assert f"worker {victim} ended with code -9" in log
        release = running.swap()
        with running.connect() as link:
            assert running.infer(link)[1]["model_version"] == release


def test_a_single_worker_is_watched_over_where_it_is_wanted(tmp_path):
    """Stopped or killed it is replaced at the same address, and who asks meanwhile is answered."""
    with endpoint(tmp_path, supervised=True, silent_seconds=12) as running:
        (first,) = running.settle()
        assert first != running.process.pid
        os.kill(first, signal.SIGSTOP)
        assert answered_by(running, 120.0) != first
        assert not alive(first)
        assert f"worker {first} said nothing for 12 s" in (tmp_path / "log").read_text()
        (second,) = running.settle()
        os.kill(second, signal.SIGKILL)
        running.until(lambda: not alive(second))
        assert answered_by(running, 120.0) not in (first, second)
        with running.connect() as link:
            assert running.infer(link)[0] == 200


def test_a_worker_that_is_slow_is_left_alone(tmp_path):
    """A model at work for longer than a worker may be silent is no reason: the worker answers."""
    with endpoint(tmp_path, workers=2, held=True, silent_seconds=10) as running:
        before = running.workers
        with running.slow() as answers:
            time.sleep(12)
            assert running.workers == before
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
