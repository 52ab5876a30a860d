"""What several processes count: asked of whichever, and whoever is killed, it never goes back."""

import contextlib
import http.client
import json
import os
import signal
import threading

import pytest
from many_workers import counted, endpoint
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.real_backend


def samples(text):
    """Of an endpoint's metrics what only grows: counters and histograms."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        if family.type in ("counter", "histogram")
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def series(ready):
    """The counts of a status: each number and each cell, by release and when it began."""
    return {
        (row["release"], row["since"], place): value
        for row in ready["traffic"]
        for place, value in enumerate([row["requests"], row["failed"], *row["latencies"]])
    }


def link_to(running, pid):
    """A connection to one of the workers."""
    while True:
        link = http.client.HTTPConnection(*running.address, timeout=60)
        link.request("GET", "/v2/health/ready")
        if json.loads(link.getresponse().read())["pid"] == pid:
            return link
        link.close()


def test_what_a_worker_answered_last_is_known_after_it_is_killed(two):
    """It is killed before it can tell the others in its turn; nobody's count goes back."""
    two.swap()
    victim, other = two.settle()

    link = link_to(two, victim)
    for number in range(30):
        assert two.infer(link, f"call-{number}")[0] == 200
    link.request("GET", "/metrics")
    scraped = samples(link.getresponse().read().decode())
    assert two.infer(link)[0] == 200
    link.request("GET", "/v2/health/ready")
    ready = json.loads(link.getresponse().read())
    os.kill(victim, signal.SIGKILL)
    link.close()
    assert counted(ready) == 31
    for _ in range(2):
        now = two.ready
        assert now["pid"] != victim
        assert counted(now) == 31
        found = samples(two.get("/metrics"))
        assert {name: value for name, value in scraped.items() if found.get(name, -1) < value} == {}
        two.until(lambda: victim not in two.workers)
        assert other in two.settle()


def test_counts_only_grow_under_load_while_workers_are_killed(tmp_path):
    """Status and metrics, asked again and again of whichever worker: each number, and each cell."""
    with endpoint(tmp_path, workers=2, metrics=True) as running:
        stop = threading.Event()

        def load():
            while not stop.is_set():
                with (
                    contextlib.suppress(OSError, http.client.HTTPException),
                    running.connect() as link,
                ):
                    for _ in range(20):
                        running.infer(link)

        clients = [threading.Thread(target=load) for _ in range(2)]
        for client in clients:
            client.start()
        back, known = [], {}
        try:
            for turn in range(120):
                # Who is asked may be killed meanwhile.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    now = running.ready
                    seen = series(now) | samples(running.get("/metrics"))
                    back += [name for name, value in seen.items() if value < known.get(name, 0)]
                    known |= seen
                    if turn % 40 == 20:
                        os.kill(now["pid"], signal.SIGKILL)
        finally:
            stop.set()
            for client in clients:
                client.join(60)
    assert back == []
    assert len(known) > 100
