"""A server that another machine runs: it is told as what it is, steered, and not doubled."""

import http.client
import json
from contextlib import closing
from urllib.parse import urlsplit

import attrs
import pytest

from interlock.codec import decode, encode
from interlock.ledger import Entry
from interlock.lifecycle.endpoints import current_deployment
from interlock_hookspecs import Facts

pytestmark = pytest.mark.real_backend

OTHER = ("--set", "train-sklearn.parameters.max_depth=2")


def serving(address):
    """What a server says that it serves, whoever the ledger says that runs it."""
    url = urlsplit(address)
    with closing(http.client.HTTPConnection(url.hostname, url.port, timeout=60)) as link:
        link.request("GET", "/v2/health/ready")
        return json.loads(link.getresponse().read())["serving"]


@pytest.fixture
def far(project):
    """A project whose server runs, as the ledger has it, on a machine that is not this one."""
    made = project()
    made("run")
    session = made.session()
    deployment = current_deployment(session)
    facts = Facts({**deployment.facts, "host": "far-7", "boot": "another"})
    record = encode(attrs.evolve(deployment, facts=facts))
    applied = Entry("deployment.applied", deployment.id, {"record": record})
    session.ledger.append_all(session.project, [applied])
    made.address = deployment.address
    return made


def servers(project):
    return len(list((project.folder / ".interlock/servers").glob("*.lock")))


def test_it_is_not_taken_for_dead(far):
    """Nobody here sees its process, and its address is of that machine alone."""
    row = far.listed("deployments")[0]
    assert (row["now"], row["detail"]) == ("elsewhere", "it is served on far-7: ask there")
    assert "endpoint   small: it is served on far-7: ask there\n" in far("status").out


def test_it_takes_over_what_is_deployed_and_rolled_back_here(far, until):
    """By the ledger; no second server is started on the machine where the command is typed."""
    (first,) = serving(far.address)
    said = far("run", *OTHER)
    assert "small is served on far-7, which takes over what the ledger says" in said.err
    second = far.listed("deployments")[0]["release"]
    assert second != first
    until(lambda: serving(far.address) == [second])
    far("rollback")
    until(lambda: serving(far.address) == [first])
    assert servers(far) == 1
    assert len(far.listed("deployments")) == 1


def test_its_counts_are_had_there_alone(far):
    """A controller here leaves a step to the one that can see it, and follows what that does."""
    with (far.folder / "interlock.toml").open("a") as file:
        file.write('\n[stack.dev.rollout]\nstrategy = "blue-green"\nwindow = 0\n')
    far("run", *OTHER)
    look = far.listed("rollout", "advance")
    assert (look["status"], look["phase"]) == ("open", "entering")
    assert look["waits_for"] == "far-7 alone has its counts: interlock rollout watch there"
    far("rollout", "abort", "--reason", "not from here")
    assert servers(far) == 1


def test_it_is_ended_there_or_replaced_here(far):
    """Where that machine is gone, a person says that this one serves from now on."""
    assert "runs on far-7: end it there" in far("undeploy", expect=1).err
    far.end()
    said = far("deployments", "--start")
    assert "small was served on far-7: should process" in said.err
    row = far.listed("deployments")[0]
    assert row["now"] == "answers"
    assert decode(Facts, row["body"]["facts"])["host"] != "far-7"


CLUSTER = """
from pathlib import Path
from interlock_hookspecs import Deployment, EndpointStatus, Unavailable, hookimpl

AWAY = Path(__file__).with_name("away")


@hookimpl
def apply_endpoint(endpoint, id, targets, ws):
    return Deployment(id=id, endpoint=endpoint, targets=targets, address="http://cluster")


@hookimpl
def endpoint_status(deployment):
    if AWAY.exists():
        raise Unavailable("the cluster does not answer")
    return EndpointStatus(live=True, ready=True)


@hookimpl
def remove_endpoint(deployment):
    pass
"""


def test_one_that_cannot_be_asked_hides_nothing_else(project):
    """While a cluster is away the listing and the one screen say so, and show what they know."""
    made = project(module=CLUSTER)
    made.edit('deploy = "local"', "")
    made("run")
    assert made.endpoint["now"] == "answers"
    (made.folder / "away").touch()
    row = made.listed("deployments")[0]
    assert row["now"] == "unknown"
    assert row["detail"].endswith("hook endpoint_status: the cluster does not answer")
    status = made.listed("status")
    assert (status["answers"], status["detail"]) == (False, row["detail"])
    assert status["release"]["id"] == row["release"]
