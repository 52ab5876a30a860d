"""Ways around the gates by who approves what, and when: each stays shut."""

import attrs
import pytest

MODULE = """
from interlock_hookspecs import Check, hookimpl

@hookimpl
def check_data(rows):
    return [Check(name="rows_wanted", value=1.0)]
"""


@pytest.fixture
def waiting(project):
    """A run of ana's that waits for one approval."""
    made = project(policy="approvals = 1", module=MODULE)
    said = made("run", "--until", "review", expect=4)
    assert "0 of 1 approvals given" in said.err
    assert made.events("review.held")[-1]["outcome"] == "waiting"
    return made


def resumed(project, expect=4):
    """Resume the latest run; how many releases there are then."""
    project("run", "--resume", project.run["id"], "--until", "review", expect=expect)
    return len(project.events("release.made"))


def test_an_approval_alone_releases_nothing_and_a_resume_does(waiting):
    """What is approved is a dossier; a release is made by the review after it."""
    said = waiting("approve", waiting.run["id"], "--reason", "read it", actor="ben")
    assert "ben (unverified) approved dossier sha256:" in said.out
    assert waiting.events("release.made") == []
    assert resumed(waiting, expect=0) == 1


def test_status_says_what_waits_and_for_whom(waiting):
    """A dossier once, however many runs came to it; nothing of it once it is released."""

    def waits():
        told = waiting("status").out
        return [line.split(maxsplit=1)[1] for line in told.splitlines() if line.startswith("waits")]

    waiting("run", "--until", "review", expect=4)
    run = f"run-{waiting.run['id'][-8:]}"
    assert waits() == [f'interlock approve {run} --reason "..."']
    waiting("approve", waiting.run["id"], "--reason", "read it", actor="ben")
    assert waits() == [f"interlock run --resume {run}"]
    assert resumed(waiting, expect=0) == 1
    assert waits() == []
    waiting("revoke", waiting.run["release"], "--reason", "leak", actor="ben")
    waiting("run", "--until", "review", expect=4)
    assert waits() == [f'interlock approve run-{waiting.run["id"][-8:]} --reason "..."']


def test_who_ran_it_does_not_approve_it(waiting):
    """The refusal is one sentence, and on record."""
    said = waiting("approve", waiting.run["id"], "--reason", "mine", expect=3)
    assert f"ana started run-{waiting.run['id'][-8:]} and may not approve it" in said.err
    (event,) = waiting.events("gate.refused")
    assert event["what"] == "approve"
    assert "may not approve it" in event["reason"]
    assert resumed(waiting) == 0


def test_a_policy_may_allow_self_approval_and_the_record_shows_it(project):
    """The switch is the policy's; approval and card say that it was used."""
    made = project(policy="approvals = 1\nself_approval = true", govern='["policy", "card"]')
    made("run", "--until", "review", expect=4)
    assert "who also started the run" in made("approve", made.run["id"], "--reason", "mine").out
    assert resumed(made, expect=0) == 1
    (approval,) = made.listed("show", made.run["id"])["approvals"]
    assert approval["body"]["self_approved"] is True
    paths = made("show", made.run["id"], "--card").out.split()
    (card,) = [path for path in paths if path.endswith(".md")]
    assert "started the run" in (made.folder / card).read_text(encoding="utf-8")


def test_two_runs_of_one_dossier_do_not_approve_each_other(waiting):
    """Who started a run does not approve it by way of a colleague's equal run."""
    waiting("run", "--until", "review", expect=4, actor="ben")
    bens, anas = [run["id"] for run in waiting.listed("runs")]
    waiting("approve", anas, "--reason", "same as mine", actor="ben")
    waiting("run", "--resume", bens, "--until", "review", expect=4, actor="ben")
    waiting("run", "--resume", anas, "--until", "review")


def test_one_person_counts_once(project):
    """Two approvals are two people's."""
    made = project(policy="approvals = 2")
    made("run", "--until", "review", expect=4)
    for _ in range(2):
        made("approve", made.run["id"], "--reason", "twice", actor="ben")
    said = made("run", "--resume", made.run["id"], expect=4)
    assert "1 of 2 approvals given" in said.err
    made("approve", made.run["id"], "--reason", "once", actor="eve")
    assert resumed(made, expect=0) == 1


@pytest.mark.parametrize(
    "change",
    ["train-sklearn.parameters.max_depth=2", "task.threshold=0.6", "task.holdout=0.4"],
)
def test_an_approval_is_void_for_another_dossier(waiting, change):
    """Another model, another threshold, other checks: somebody has to look again."""
    waiting("approve", waiting.run["id"], "--reason", "read it", actor="ben")
    waiting("run", "--until", "review", "--set", change, expect=4)
    assert waiting.events("release.made") == []


def test_an_approval_is_void_after_another_validation(waiting):
    """Approved first, measured otherwise after: the approval was of what was measured before."""
    waiting("approve", waiting.run["id"], "--reason", "read it", actor="ben")
    waiting.edit("value=1.0", "value=2.0", file="project.py")
    waiting("validate", waiting.run["id"], "--again")
    assert resumed(waiting) == 0
    waiting("approve", waiting.run["id"], "--reason", "read the new one", actor="ben")
    assert resumed(waiting, expect=0) == 1


def test_an_approval_is_void_under_another_policy(waiting):
    """A policy that was eased after the approval is not what was approved."""
    waiting("approve", waiting.run["id"], "--reason", "read it", actor="ben")
    waiting.edit('">= 0.7"', '">= 0.1"')
    assert resumed(waiting) == 0


def test_an_approval_written_for_another_run_counts_for_its_dossier_only(waiting):
    """The event may name any run: the digest in it decides."""
    from interlock.codec import decode, encode
    from interlock_hookspecs import Approval

    waiting("approve", waiting.run["id"], "--reason", "read it", actor="ben")
    (event,) = waiting.events("approval.given")
    waiting("run", "--until", "review", "--set", "task.threshold=0.6", expect=4)
    copy = attrs.evolve(decode(Approval, event["record"]), id="approval-" + "0" * 32)
    payload = {"run": waiting.run["id"], "record": encode(copy)}
    waiting.session().ledger.append("small", "approval.given", copy.id, payload)
    assert resumed(waiting) == 0


def test_an_approval_expires(project, until):
    """After its days an approval is none; a new one is needed."""
    made = project(policy="approvals = 1\napproval_days = 0.000005")
    made("run", "--until", "review", expect=4)
    run = made.run["id"]
    made("approve", run, "--reason", "for half a second", actor="ben")
    (row,) = made.listed("show", run)["approvals"]
    until(lambda: _now() > row["expires"])
    assert resumed(made) == 0


def test_a_refused_dossier_is_not_approved(project):
    """An approval opens no gate that refused, and the attempt is on record."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.999"')
    made("run", expect=3)
    said = made("approve", made.run["id"], "--reason", "please", actor="ben", expect=3)
    assert "an approval would not open them" in said.err
    assert made.events("gate.refused")[0]["what"] == "approve"
    assert made.events("approval.given") == []


def test_what_was_not_reviewed_is_not_approved(project):
    """There is no dossier yet that a person could have read."""
    made = project(policy="approvals = 1")
    made("run", "--until", "register")
    said = made("approve", made.run["id"], "--reason", "blind", actor="ben", expect=2)
    assert "was not reviewed yet" in said.err


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_decision_has_a_reason(waiting, command):
    """Neither without the option nor with blanks."""
    assert waiting(command, waiting.run["id"], expect=2).err
    assert "a decision needs a reason" in waiting(
        command, waiting.run["id"], "--reason", "  ", expect=2
    ).err  # fmt: skip


def test_a_rejection_refuses(waiting):
    """One person's no, with its reason, stands against another's yes."""
    run = waiting.run["id"]
    waiting("approve", run, "--reason", "fine", actor="ben")
    waiting("reject", run, "--reason", "not fine", actor="eve")
    said = waiting("run", "--resume", run, expect=3)
    assert "eve rejected it: not fine" in said.err
    assert waiting.run["status"] == "refused"


def test_a_rejection_after_the_release_sends_the_run_back_to_review(project):
    """What was released is not deployed past a no that was said since."""
    made = project()
    made("run", "--until", "review")
    made("reject", made.run["id"], "--reason", "not fine after all", actor="eve")
    said = made("deploy", made.run["id"], expect=3)
    assert "eve rejected it: not fine after all" in said.err


@pytest.mark.real_backend
def test_a_rejection_after_the_release_lets_nothing_serve_it_again(project):
    """Neither a rollback nor a start; what serves goes on, and who said no may take it back."""
    made = project()
    made("run")
    first, run = made.endpoint["release"], made.run["id"]
    made("run", "--set", "train-sklearn.parameters.max_depth=2")
    second, later = made.endpoint["release"], made.run["id"]

    made("reject", run, "--reason", "not fine after all", actor="eve")
    assert "no good release was live" in made("rollback", expect=3).err
    assert made.endpoint["serving"] == [second]

    made("reject", later, "--reason", "nor this one", actor="eve")
    assert made.endpoint["serving"] == [second]
    words = "is of a model that eve rejected since: nor this one"
    assert words in made("deployments", "--start", expect=3).err
    assert words in made.events("gate.refused")[-1]["reason"]
    made("approve", later, "--reason", "somebody else's yes", actor="ben")
    assert words in made("deployments", "--start", expect=3).err
    made("approve", later, "--reason", "I was wrong", actor="eve")
    made("deployments", "--start")
    assert made.endpoint["serving"] == [second]
    made("approve", run, "--reason", "this one too", actor="eve")
    made("rollback")
    assert made.endpoint["serving"] == [first]


def test_an_explain_bound_waits_for_a_reason_though_no_approval_is_asked(project):
    """approvals = 0 does not make an explain bound pass by itself."""
    made = project(bounds='"metrics.roc_auc" = { bound = ">= 0.999", severity = "explain" }')
    assert "under the bound >= 0.999" in made("run", expect=4).err
    made("approve", made.run["id"], "--reason", "good enough here", actor="ben")
    assert resumed(made, expect=0) == 1


def _now():
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()
