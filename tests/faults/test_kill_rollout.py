"""A controller killed at any step of a rollout: the next look goes on from there."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.real_backend

KILL_POINTS = Path(__file__).with_name("kill_points.py")
KILLED = -9
ROLLOUT = """
[stack.dev.rollout]
strategy = "canary"
steps = [0.3, 0.6]
window = {window}
min_requests = 0

[stack.dev.rollout.bounds]
"rollout.error_rate" = {{ bound = "<= 0.5", missing = "pass" }}
"""
FORWARD = [
    "within rollout.begun 1",
    "within deployment.targets 1",
    "answered read_traffic 1",
    "within rollout.entered 1",
    "within rollout.judged 1",
    "within deployment.targets 2",
    "within rollout.entered 2",
    "within rollout.judged 2",
    "within deployment.targets 3",
    "answered set_alias 1",
    "within rollout.ended 1",
]
"""Each is before the commit of what comes next, so after the commit of what came before."""
BACK = [
    "within rollout.judged 1",
    "within deployment.targets 1",
    "answered endpoint_status 1",
    "within rollout.ended 1",
]


@pytest.fixture(scope="module")
def stepwise(serving_victim, tmp_path_factory):
    """A project that serves, and rolls the next release out in steps that need no traffic."""
    with serving_victim(tmp_path_factory.mktemp("rollout")) as made:
        with (made.project.folder / "interlock.toml").open("a") as file:
            file.write(ROLLOUT.format(window=0))
        yield made


def rollouts(project, release):
    """The rollouts of a release."""
    found = project.listed("rollout", "status", "--limit", 1000)
    return [one for one in found if one["release"] == release]


@pytest.mark.parametrize("where", FORWARD)
def test_on_its_way_forward(stepwise, where):
    """It comes to the whole by the next look, or by the run where it had not begun."""
    stepwise.renew()
    project = stepwise.project
    project("run", expect=KILLED, first=KILL_POINTS, KILL=where)
    begun = project.listed("rollout", "status")
    if begun and begun[0]["status"] == "open":
        assert project.listed("rollout", "advance")["status"] == "promoted"
    run = stepwise.survives()
    stepwise.answers(run)
    (one,) = rollouts(project, project.endpoint["release"])
    assert one["status"] == "promoted"
    kinds = [event["kind"] for event in project.listed("audit", "log", "--limit", 1000)
             if event["subject"] == one["id"]]  # fmt: skip
    assert kinds == ["rollout.begun", *["rollout.entered", "rollout.judged"] * 2, "rollout.ended"]


@pytest.mark.parametrize("where", BACK)
def test_on_its_way_back(stepwise, where):
    """What was decided is done by the next look: the champion alone answers."""
    project = stepwise.project
    champion = project.endpoint["release"]
    project.edit("window = 0\n", "window = 3600\n")
    stepwise.renew()
    run = stepwise.survives()
    (one,) = project.listed("rollout", "status", "--limit", 1)
    assert (one["status"], one["phase"]) == ("open", "watching")
    words = ("rollout", "abort", "--reason", "enough")
    project(*words, expect=KILLED, first=KILL_POINTS, KILL=where)
    if project.listed("rollout", "status", "--limit", 1)[0]["phase"] == "watching":
        project(*words)
    else:
        assert project.listed("rollout", "advance", expect=None)["status"] == "aborted"
    assert project.endpoint["serving"] == [champion]
    assert len(list(project.servers())) == 1
    assert run["status"] == "done"
    project("audit", "verify")
    project.edit("window = 3600\n", "window = 0\n")
