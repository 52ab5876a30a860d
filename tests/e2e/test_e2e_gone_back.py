"""What went back is not tried on users again, until something changes or a person says so."""

import json

import pytest

from interlock.ids import short

pytestmark = pytest.mark.real_backend

LIKE = ("--set", "train-sklearn.parameters.min_samples_leaf=2")
STRICT = ("--set", "task.threshold=0.999")
"""The same model, deciding otherwise."""
AGREES = {"rollout.agreement": '">= 0.9"'}
WATCH = ("rollout", "watch", "--every", "0.1")
BACK = 5


@pytest.fixture
def burnt(rolled, send):
    """A project whose canary was bad and went back: the champion, and the release of it."""
    project = rolled("canary", AGREES, steps=[0.5], min_requests=30)
    champion = project.endpoint["release"]
    project("run", *STRICT)
    send(project, 200)
    project(*WATCH, expect=BACK)
    (rollout,) = project.listed("rollout", "status")
    return project, champion, rollout


def test_a_bad_canary_is_not_begun_again_by_the_next_run(burnt, send):
    """It says in a line which, when, why and what to do; the champion alone answers."""
    project, champion, before = burnt
    line = project("run", *STRICT, expect=BACK).err.splitlines()[-1]
    release, run = short(before["release"]), short(project.listed("show", before["release"])["run"])
    assert line.startswith(f"Not deployed: {release} went back here at 20")
    assert f"({before['reason']}); {short(champion)} serves on." in line
    assert line.endswith(f"or try it again with interlock deploy {run}.")
    said = json.loads(project("run", *STRICT, "--json", expect=BACK).out)
    assert said["unchanged"] is True
    assert said["outputs"]["gone_back"] == {
        "release": before["release"],
        "how": "rolled-back",
        "at": before["ended_at"],
        "reason": before["reason"],
        "rollout": before["id"],
    }
    assert "rollout" not in said["outputs"]
    assert project.listed("rollout", "status") == [before]
    assert send(project, 30) == {champion: 30}
    # Nor by going on with the run that came to it.
    project("run", "--resume", project.run["id"], expect=BACK)
    assert project.listed("rollout", "status") == [before]
    project("audit", "verify")


@pytest.mark.parametrize("how", ["deploy", "again"])
def test_a_person_may_try_it_again(burnt, how):
    """By its run's name or by --again; what is under way then is gone on with by a run."""
    project, _, before = burnt
    words = ("deploy", project.run["id"]) if how == "deploy" else ("run", *STRICT, "--again")
    project(*words)
    latest = project.listed("rollout", "status")[0]
    assert (latest["status"], latest["release"]) == ("open", before["release"])
    project("run", *STRICT)
    assert project.listed("rollout", "status")[0]["id"] == latest["id"]
    project("rollout", "promote", "--reason", "labels were late")
    assert project.endpoint["release"] == before["release"]
    project("run", *STRICT)


def test_what_changed_is_tried(burnt):
    """Another model than the one that went back begins its rollout, and nobody's run ends it."""
    project, champion, before = burnt
    project("run", *LIKE)
    under_way = project.listed("rollout", "status")[0]
    assert (under_way["status"], under_way["champion"]) == ("open", champion)
    assert under_way["release"] != before["release"]
    project("run", *STRICT, expect=BACK)
    assert project.listed("rollout", "status")[0] == under_way


def test_the_champion_comes_back_where_its_server_has_ended(burnt, send):
    """What is kept is served, as after any run."""
    project, champion, _ = burnt
    project.end()
    project("run", *STRICT, expect=BACK)
    assert send(project, 10) == {champion: 10}


def test_what_a_person_took_out_stays_out(rolled):
    """An abort is a word against it, too."""
    project = rolled("canary", AGREES, steps=[0.5], window=3600)
    champion = project.endpoint["release"]
    project("run", *STRICT)
    project("rollout", "abort", "--reason", "no staff tonight")
    said = json.loads(project("run", *STRICT, "--json", expect=BACK).out)["outputs"]["gone_back"]
    assert (said["how"], said["reason"]) == ("aborted", "no staff tonight")
    assert project.endpoint["serving"] == [champion]


def test_what_was_live_and_rolled_back_stays_out(project):
    """A rollback says so of what it left, and not of what it brought back."""
    small = project()
    first = small.listed("run")["outputs"]["release"]["id"]
    second = small.listed("run", *LIKE)["outputs"]["release"]["id"]
    small("rollback", actor="ben")
    line = small("run", *LIKE, expect=BACK).err.splitlines()[-1]
    assert "(ben rolled it back)" in line
    assert small.endpoint["release"] == first
    # What was gone back to, unchanged too, is not measured beside what was gone back from.
    third = small.listed("run")
    assert (third["unchanged"], third["outputs"]["release"]["id"]) == (True, first)
    small("run", *LIKE, "--again")
    assert small.endpoint["release"] == second
    small("run", *LIKE)
