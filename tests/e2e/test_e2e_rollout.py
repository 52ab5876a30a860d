"""A new release takes over in steps, judged by what it does on real traffic of a real server."""

import json

import pytest

pytestmark = pytest.mark.real_backend

LIKE = ("--set", "train-sklearn.parameters.min_samples_leaf=2")
"""A model that answers nearly as the first one."""
COARSE = ("--set", "train-sklearn.parameters.max_depth=1")
"""A model whose scores lie elsewhere."""
STRICT = ("--set", "task.threshold=0.999")
"""The same model, deciding otherwise."""
WATCH = ("rollout", "watch", "--every", "0.1")
WAITING, BACK = 4, 5


def open_rollout(project):
    """The latest rollout."""
    return project.listed("rollout", "status", "--limit", 1)[0]


def test_a_good_canary_goes_to_the_whole(rolled, send, until):
    """By itself, step by step; champion and alias follow, and each decision has its numbers."""
    project = rolled(
        "canary",
        {"rollout.error_rate": '"<= 0.05"', "rollout.agreement": '">= 0.7"',
         "rollout.latency_p99": '"<= 60"'},
        steps=[0.3, 0.6], min_requests=20,
    )  # fmt: skip
    champion = project.endpoint["release"]
    said = project("run", *LIKE)
    assert "rolling out, step 1 of 2: 30 % of the requests" in said.err
    begun = open_rollout(project)
    assert (begun["phase"], begun["champion"]) == ("watching", champion)
    challenger = begun["release"]
    waits = project.listed("rollout", "advance")
    assert (waits["phase"], waits["waits_for"]) == ("watching", "0 of 20 requests came")
    shares = send(project, 200)
    assert shares.keys() == {champion, challenger}
    assert 20 < shares[challenger] < 110
    # What was answered is captured a moment later.
    until(lambda: project.listed("rollout", "advance")["step"] == 1)
    send(project, 200)
    until(lambda: project.listed("rollout", "advance")["status"] == "promoted")
    assert send(project, 30) == {challenger: 30}
    assert project.endpoint["release"] == challenger
    judged = project.events("rollout.judged")
    assert [(one["step"], one["decision"], one["to"]) for one in judged] == [
        (0, "promote", 1),
        (1, "promote", None),
    ]
    for one in judged:
        assert {line["key"] for line in one["evidence"]} == {
            "rollout.error_rate", "rollout.agreement", "rollout.latency_p99"
        }  # fmt: skip
        assert all(line["holds"] and line["n"] >= 20 for line in one["evidence"])
    model = project.listed("show", challenger)["model"]
    assert project.events("alias.moved")[-1]["model"] == model
    project("audit", "verify")


@pytest.mark.parametrize(
    ("bound", "model"),
    [
        ({"rollout.agreement": '">= 0.9"'}, STRICT),
        ({"rollout.score_psi[score]": '"<= 0.25"'}, COARSE),
    ],
    ids=["disagreeing", "drifting"],
)
def test_a_bad_canary_goes_back_by_itself(rolled, send, bound, model):
    """It is taken out, and from then on the champion alone answers; the reason has the numbers."""
    project = rolled("canary", bound, steps=[0.5], min_requests=30)
    champion = project.endpoint["release"]
    project("run", *model)
    challenger = open_rollout(project)["release"]
    assert challenger != champion
    told = f"canary of release-{challenger[-8:]}, watching, step 1 of 1: 50 % of the requests"
    assert f"rollout    {told}\nwaits      interlock rollout watch\n" in project("status").out
    send(project, 200)
    said = project(*WATCH, expect=BACK)
    assert project.listed("status")["rollout"] is None
    assert "rolled-back" in said.out
    assert send(project, 50) == {champion: 50}
    found = open_rollout(project)
    assert (found["status"], found["step"]) == ("rolled-back", 0)
    assert f"{next(iter(bound))} is " in found["reason"]
    (judged,) = project.events("rollout.judged")
    assert judged["decision"] == "rollback"
    assert judged["evidence"][0]["holds"] is False
    assert project.endpoint["serving"] == [champion]
    project("audit", "verify")


def test_a_deployment_that_goes_back_says_so_in_its_exit_code(rolled, send, until):
    """Taken up again by `deploy`, a rollout whose canary is bad by now ends, and not as done."""
    project = rolled("canary", {"rollout.agreement": '">= 0.9"'}, steps=[0.5], min_requests=30)
    champion = project.endpoint["release"]
    said = project("run", *STRICT, "--json")
    assert json.loads(said.out)["outputs"]["rollout"]["status"] == "open"
    run = project.run["id"]
    send(project, 200)
    # What was answered is captured a moment later.
    tries = []
    until(lambda: tries.append(project("deploy", run, "--json", expect=None)) or tries[-1].code)
    said = tries[-1]
    assert said.code == BACK
    told = json.loads(said.out)["outputs"]["rollout"]
    assert (told["status"], told["phase"]) == ("rolled-back", "ended")
    assert told["reason"].startswith("rollout.agreement is ")
    assert send(project, 20) == {champion: 20}


def test_a_release_that_refuses_what_the_champion_takes_goes_back(rolled, send, rows):
    """Fitted without missing values, it refuses requests with one; that is seen at once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    project = rolled("canary", {"rollout.refusal_rate": '"<= 0.01"'}, steps=[0.5], window=3600)
    gaps = pa.array(
        [None if place % 7 == 0 else x for place, x in enumerate(rows["x"].to_pylist())]
    )
    pq.write_table(rows.set_column(1, "x", gaps), project.folder / "rows.parquet")
    project.edit('strategy = "canary"\nwindow = 3600\nsteps = [0.5]', 'strategy = "all-at-once"')
    text = (project.folder / "interlock.toml").read_text()
    head, _, bounds = text.partition("[stack.dev.rollout.bounds]")
    (project.folder / "interlock.toml").write_text(head)
    project("run")
    champion = project.endpoint["release"]
    assert send(project, 5, null=True) == {champion: 5}
    project.edit(
        'strategy = "all-at-once"',
        'strategy = "canary"\nwindow = 3600\nsteps = [0.5]\n[stack.dev.rollout.bounds]' + bounds,
    )
    pq.write_table(rows, project.folder / "rows.parquet")
    project("run", *LIKE)
    send(project, 100, null=True)
    project(*WATCH, expect=BACK)
    assert open_rollout(project)["reason"].startswith("rollout.refusal_rate is 1 ")
    assert send(project, 50, null=True) == {champion: 50}


def test_a_shadow_answers_nobody_and_is_compared(rolled, send):
    """It gets copies, its answers are held against the champion's, and then it takes over."""
    project = rolled("shadow", {"rollout.agreement": '">= 0.7"'}, min_requests=40)
    champion = project.endpoint["release"]
    project("run", *LIKE)
    found = open_rollout(project)
    assert send(project, 100) == {champion: 100}
    said = project.listed(*WATCH)
    assert said["status"] == "promoted"
    (judged,) = project.events("rollout.judged")
    (line,) = judged["evidence"]
    assert line["n"] >= 40
    assert 0.7 <= line["value"] <= 1
    assert send(project, 20) == {found["release"]: 20}


def test_a_bad_shadow_never_answered(rolled, send):
    """Its disagreement is seen without one client having met it."""
    project = rolled("shadow", {"rollout.agreement": '">= 0.9"'}, min_requests=40)
    champion = project.endpoint["release"]
    project("run", *STRICT)
    answered = send(project, 100)
    project(*WATCH, expect=BACK)
    assert answered + send(project, 50) == {champion: 150}


def test_blue_stands_by_while_green_is_watched(rolled, send):
    """Green takes all at once; a green that disagrees gives way, and is not gone back to."""
    project = rolled("blue-green", {"rollout.agreement": '">= 0.9"'}, min_requests=40)
    blue = project.endpoint["release"]
    project("run", *STRICT)
    green = open_rollout(project)["release"]
    assert send(project, 60) == {green: 60}
    assert sorted(project.endpoint["serving"]) == sorted([blue, green])
    project(*WATCH, expect=BACK)
    assert send(project, 30) == {blue: 30}
    history = project.listed("deployments", "--history")
    assert [(one["release"], one["reason"]) for one in history] == [
        (blue, "rollback"),
        (green, "rollout"),
        (blue, "deploy"),
    ]
    said = project("rollback", expect=3)
    assert "no good release" in said.err


def test_a_split_keeps_keys_and_waits_for_a_person(rolled, send):
    """Champion and challenger share the keys until somebody decides."""
    project = rolled("champion-challenger", {"rollout.error_rate": '"<= 0.5"'}, min_requests=20)
    champion = project.endpoint["release"]
    project("run", *LIKE)
    challenger = open_rollout(project)["release"]
    went = {key: send(project, 3, key=key) for key in map(str, range(30))}
    assert all(len(releases) == 1 for releases in went.values())
    assert {next(iter(releases)) for releases in went.values()} == {champion, challenger}
    said = project(*WATCH, expect=WAITING)
    assert "next: interlock rollout promote --reason TEXT" in said.out
    assert open_rollout(project)["phase"] == "holding"
    project("rollout", "advance", expect=WAITING)
    project("rollout", "promote", "--reason", "more money", actor="ben")
    assert open_rollout(project)["status"] == "promoted"
    assert send(project, 10) == {challenger: 10}
    judged = project.events("rollout.judged")
    assert [(one["decision"], one["by"]) for one in judged] == [
        ("hold", "analysis"),
        ("promote", "person"),
    ]
    assert judged[-1]["reason"] == "more money"


def test_what_cannot_be_judged_holds_and_may_be_aborted(rolled, send):
    """No evidence is no promotion: when patience is out it holds; a person takes it out."""
    project = rolled("canary", {"performance.f1": '">= 0.5"'}, steps=[0.5], patience=0)
    champion = project.endpoint["release"]
    assert "next: interlock rollout status" in project("run", *LIKE, expect=WAITING).err
    said = project(*WATCH, expect=WAITING)
    assert "0 of 100 requests came after" in said.out
    project("rollout", "abort", "--reason", "no traffic tonight")
    found = open_rollout(project)
    assert (found["status"], found["reason"]) == ("aborted", "no traffic tonight")
    assert send(project, 20) == {champion: 20}


def test_a_release_that_is_revoked_is_taken_out_at_once(rolled, send, until):
    """The server drops it before any controller looks, and the one that stands by answers."""
    project = rolled("blue-green", window=3600)
    champion = project.endpoint["release"]
    project("run", *LIKE)
    challenger = open_rollout(project)["release"]
    assert send(project, 10) == {challenger: 10}
    project("revoke", challenger, "--reason", "wrong rows")
    until(lambda: project.endpoint["serving"] == [champion])
    assert send(project, 50) == {champion: 50}
    project(*WATCH, expect=BACK)
    assert "was revoked by" in open_rollout(project)["reason"]
    assert send(project, 20) == {champion: 20}
    project("audit", "verify")


def test_a_newer_release_supersedes_and_a_rollback_takes_out(rolled, send):
    """One rollout an endpoint; the champion stays what is gone back to, by hand, too."""
    project = rolled("canary", {"rollout.error_rate": '"<= 0.05"'}, steps=[0.5], window=3600)
    champion = project.endpoint["release"]
    project("run", *LIKE)
    project("run", *COARSE)
    second = open_rollout(project)
    assert second["champion"] == champion
    statuses = [one["status"] for one in project.listed("rollout", "status")]
    assert statuses == ["open", "superseded"]
    assert send(project, 60).keys() == {champion, second["release"]}
    project("rollback")
    assert send(project, 20) == {champion: 20}
    assert open_rollout(project)["status"] == "aborted"


ELSEWHERE = '''\
"""A server that says nothing of what it is asked."""

from interlock_hookspecs import hookimpl


@hookimpl
def apply_endpoint(endpoint, id, targets, ws):
    raise NotImplementedError
'''


def test_commands_say_what_there_is_not(project):
    """Nothing to look after, and a server that cannot, are told in a line before a run begins."""
    made = project(module=ELSEWHERE)
    made.edit('deploy = "local"', "")
    with (made.folder / "interlock.toml").open("a") as file:
        file.write('[stack.dev.rollout]\nstrategy = "blue-green"\n')
    why = ("--reason", "x")
    for words in (("promote", *why), ("abort", *why)):
        said = made("rollout", *words, expect=2)
        assert "nothing is being rolled out at small" in said.err
    for word in ("advance", "watch"):
        assert made("rollout", word).out == "Nothing is being rolled out at small.\n"
        assert made.listed("rollout", word) is None
    assert made("rollout", "status").out.startswith("Nothing was rolled out here.")
    said = made("run", expect=2)
    assert 'strategy = "blue-green": the deploy plugin' in said.err
    assert made.listed("runs") == []
