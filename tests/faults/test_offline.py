"""A server whose ledger is gone: it goes on for a while with what it last verified, and says so."""

import http.client
import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import attrs
import pytest

from interlock.codec import decode, encode
from interlock.ids import new_id
from interlock.ledger import Ledger
from interlock_hookspecs import Actor, Deployment

pytestmark = pytest.mark.real_backend
ROW = {"inputs": [{"name": name, "shape": [1], "datatype": "FP64", "data": [0.5]} for name in "xz"]}


@pytest.fixture
def server(start_postgresql):
    """A server of a test's own."""
    return start_postgresql()


@pytest.fixture
def served(small, server):
    """Serve a model whose ledger is in that server, under a policy; its address."""

    def serve(policy):
        small.edit('ledger = "sqlite:///.interlock/ledger.db"', 'ledger = "${LEDGER_URL}"')
        small.edit("approvals = 0", f"approvals = 0\n{policy}")
        small.environ["LEDGER_URL"] = server.address
        small("run")
        return urlsplit(small.endpoint["address"]).netloc

    return serve


def asked(address, path, body=None):
    """Status and answer of one request."""
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request("POST" if body else "GET", path, body and json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def readiness(address):
    return asked(address, "/v2/health/ready")[1]


def infer(address):
    return asked(address, "/v2/models/small/infer", ROW)[0]


def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_within_the_grace_it_answers_and_says_so(served, server, small):
    """No request fails, readiness tells the loss; when the ledger is back, all is as it was."""
    address = served("offline_grace = '1h'")
    server.kill()
    wait_until(lambda: "the ledger cannot be read" in readiness(address)["problem"])
    said = readiness(address)
    assert said["ready"]
    assert "grace 3600 s" in said["problem"]
    assert infer(address) == 200
    server.start()
    wait_until(lambda: readiness(address)["problem"] == "")
    assert infer(address) == 200
    small("audit", "verify")


def test_after_the_grace_it_serves_nothing_until_the_ledger_is_back(served, server, small):
    """What may have been revoked meanwhile is not served on; then it is, without a restart."""
    address = served("offline_grace = '1s'")
    # On a busy machine it may not have heard of the ledger for a second.
    wait_until(lambda: infer(address) == 200)
    server.kill()
    wait_until(lambda: readiness(address)["serving"] == [])
    assert not readiness(address)["ready"]
    assert infer(address) == 503
    server.start()
    wait_until(lambda: readiness(address)["serving"])
    wait_until(lambda: infer(address) == 200)
    small("audit", "verify")


def test_a_release_expires_while_the_ledger_is_away(served, server):
    """Its term is known; nobody need be asked."""
    address = served("offline_grace = '1h'")
    with Ledger.open(server.address, actor=Actor(subject="ana")) as ledger:
        deployment = ledger.reads.deployments("small", limit=1)[0]
        (target,) = decode(Deployment, deployment["body"]).targets
        soon = datetime.now(UTC) + timedelta(seconds=20)
        brief = attrs.evolve(target.release, id=new_id("release"), expires=soon)
        made = {"run": brief.run, "record": encode(brief)}
        ledger.append("small", "release.made", brief.id, made)
        targets = encode((attrs.evolve(target, release=brief),))
        given = {"targets": targets, "release": brief.id, "reason": "deploy"}
        ledger.append("small", "deployment.targets", deployment["id"], given)
    wait_until(lambda: readiness(address)["serving"] == [brief.id])
    server.kill()
    wait_until(lambda: "the ledger cannot be read" in readiness(address)["problem"])
    wait_until(lambda: readiness(address)["serving"] == [])
    assert infer(address) == 503


def test_a_rollback_needs_no_ledger(served, server, small):
    """The server goes back to what it verified itself; the ledger learns of it when it is back."""
    address = served("offline_grace = '1h'")
    first = small.endpoint["release"]
    small("run", "--set", "train-sklearn.parameters.max_depth=1")
    second = small.endpoint["release"]
    noted = small.folder / ".interlock/servers"
    wait_until(lambda: any(first in path.read_text() for path in noted.glob("*.standby")))
    server.kill()
    wait_until(lambda: "the ledger cannot be read" in readiness(address)["problem"])
    said = small("rollback", INTERLOCK_ACTOR="ben")
    assert "it is recorded when the ledger is there again" in said.out
    assert readiness(address)["serving"] == [first]
    assert infer(address) == 200
    server.start()
    wait_until(lambda: readiness(address)["problem"] == "")
    wait_until(lambda: not list(noted.glob("*.order")))
    assert readiness(address)["serving"] == [first]
    history = small.listed("deployments", "--history")
    lines = [(line["release"], line["reason"]) for line in history]
    assert lines == [(first, "rollback"), (second, "deploy"), (first, "deploy")]
    assert history[0]["actor"] == "ben"
    alias = [event["payload"]["model"] for event in small.listed("audit", "log", "--limit", 1000)
             if event["kind"] == "alias.moved"]  # fmt: skip
    assert alias[-1] == small.listed("show", first)["model"]
    small("audit", "verify")


def test_an_order_that_names_another_release_opens_nothing(served, server, small):
    """Nothing comes of a file made by hand: the server goes back to its own choice only."""
    address = served("offline_grace = '1h'")
    release, deployment = small.endpoint["release"], small.endpoint["id"]
    server.kill()
    wait_until(lambda: "the ledger cannot be read" in readiness(address)["problem"])
    order = small.folder / f".interlock/servers/{deployment}.order"

    def put(text):
        made = small.folder / "order"
        made.write_text(text)
        made.rename(order)

    put("{}")
    wait_until(lambda: not order.exists())
    forged = {"release": "release-forged", "at": "2026-01-01T00:00:00+00:00"}
    told = readiness(address)["problem"]
    put(json.dumps({**forged, "actor": encode(Actor(subject="mallory"))}))
    wait_until(lambda: readiness(address)["problem"] != told)
    assert readiness(address)["serving"] == [release]
    assert infer(address) == 200
    said = small("rollback", expect=1)
    assert "has a release to go back to" in said.err
