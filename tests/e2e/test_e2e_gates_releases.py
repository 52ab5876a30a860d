"""Ways around the gates by a release that is none here: each stays shut, on any way in."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from interlock.codec import decode, encode
from interlock.errors import GateRefused
from interlock.ids import new_id
from interlock.lifecycle.endpoints import serve_release
from interlock_hookspecs import Deployment, Release

STRICT = '"metrics.roc_auc" = ">= 0.999"'
GOOD = '"metrics.roc_auc" = ">= 0.7"'


class Forger:
    """Somebody who may write to the ledger, and writes releases into it."""

    def __init__(self, project):
        self.project = project
        self.session = project.session()
        (record,) = [event["record"] for event in project.events("release.made")][-1:]
        self.good = decode(Release, record)

    def write(self, chain, **changes):
        """Write a release into a project's chain; its id."""
        forged = attrs.evolve(self.good, id=new_id("release"), **changes)
        payload = {"run": forged.run, "record": encode(forged)}
        self.session.ledger.append(chain, "release.made", forged.id, payload)
        return forged.id

    def hand_over(self, release_id):
        """Make the deployment's targets one release, past every command."""
        row = self.session.ledger.reads.deployments("small", limit=1)[0]
        (target,) = decode(Deployment, row["body"]).targets
        other = attrs.evolve(target, release=attrs.evolve(target.release, id=release_id))
        payload = {"targets": encode((other,)), "release": release_id, "reason": "deploy"}
        self.session.ledger.append("small", "deployment.targets", row["id"], payload)

    def made_by_hand(self):
        return new_id("release")

    def of_a_refused_run(self):
        self.project.edit(GOOD, STRICT)
        self.project("run", "--set", "train-sklearn.parameters.max_depth=1", expect=3)
        self.project.edit(STRICT, GOOD)
        run = self.project.run
        (held,) = [held for held in self.project.events("review.held") if held["run"] == run["id"]]
        return self.write("small", run=run["id"], model=run["model"], dossier=held["dossier"])

    def of_another_dossier(self):
        return self.write("small", dossier="sha256:" + "0" * 64)

    def of_another_model(self):
        return self.write("small", model="sha256:" + "0" * 64)

    def revoked(self):
        release_id = self.write("small")
        self.session.ledger.append("small", "release.revoked", release_id, {"reason": "drift"})
        return release_id

    def revoked_and_written_again(self):
        release_id = self.revoked()
        record = encode(attrs.evolve(self.good, id=release_id))
        payload = {"run": self.good.run, "record": record}
        self.session.ledger.append("small", "release.made", release_id, payload)
        return release_id

    def expired(self):
        return self.write("small", expires=datetime.now(UTC) - timedelta(seconds=1))

    def of_another_project(self):
        return self.write("other", project="other")

    def of_another_stack(self):
        return self.write("small", stack="prod")

    def of_another_endpoint(self):
        return self.write("small", endpoint="elsewhere")


FORGERIES = {
    "made_by_hand": "the ledger has no release",
    "of_a_refused_run": "was made by no review",
    "of_another_dossier": "was made by no review",
    "of_another_model": "its run made sha256:",
    "revoked": "was revoked by mallory: drift",
    "revoked_and_written_again": "was revoked by mallory: drift",
    "expired": "expired at",
    "of_another_project": "is for other/dev/small, not for small/dev/small",
    "of_another_stack": "is for small/prod/small, not for small/dev/small",
    "of_another_endpoint": "is for small/dev/elsewhere, not for small/dev/small",
}


@pytest.mark.parametrize(("forgery", "sentence"), FORGERIES.items())
def test_deploy_takes_no_release_but_its_own(project, forgery, sentence):
    """A record is refused for what the ledger says of it; nothing is deployed; it is on record."""
    made = project()
    made("run", "--until", "review")
    forger = Forger(made)
    release_id = getattr(forger, forgery)()
    session = made.session()
    kind = Exception if forgery == "of_another_model" else GateRefused
    with session.workspace("run-x") as workspace, pytest.raises(kind, match=sentence):
        serve_release(session, release_id, reason="deploy", workspace=workspace)
    assert made.listed("deployments") == []
    if kind is GateRefused:
        assert sentence in made.events("gate.refused")[-1]["reason"]


@pytest.mark.real_backend
def test_a_server_takes_no_release_but_its_own(project, ask, rows, until):
    """Running, restarting or rolling back: a forged release is never served, nor called ready."""
    made = project()
    made("run")
    forger, features = Forger(made), rows.drop_columns(["y"]).slice(0, 3)
    assert ask(made.endpoint, features)[0] == 200
    for forgery, sentence in FORGERIES.items():
        if forgery == "of_another_model":
            continue
        forger.hand_over(getattr(forger, forgery)())
        until(lambda: made.endpoint["serving"] == [])
        assert ask(made.endpoint, features)[0] == 503
        assert made.endpoint["now"] == "live"
        words = "is not in the ledger" if forgery == "made_by_hand" else sentence
        assert words in made.endpoint["detail"]
        assert made.events("gate.refused")[-1]["what"] == "serve"
        assert sentence in made("deployments", "--start", expect=3).err
        assert made.events("gate.refused")[-1]["what"] == "start"
        forger.hand_over(forger.good.id)
        until(lambda: made.endpoint["serving"] == [forger.good.id])
    said = made("rollback", expect=3)
    assert "no good release was live at small before the present one" in said.err
    assert made.events("gate.refused")[-1]["what"] == "rollback"
    # The server looks at the clock, not only at the ledger.
    soon = forger.write("small", expires=datetime.now(UTC) + timedelta(seconds=15))
    forger.hand_over(soon)
    until(lambda: made.endpoint["serving"] == [soon])
    until(lambda: made.endpoint["serving"] == [])
    forger.hand_over(forger.good.id)
    until(lambda: made.endpoint["serving"] == [forger.good.id])
    # What cannot be opened is not served; what is served goes on, and readiness says why.
    forger.hand_over(forger.of_another_model())
    until(lambda: FORGERIES["of_another_model"] in made.endpoint["detail"])
    assert made.endpoint["serving"] == [forger.good.id]
    made("audit", "verify")


@pytest.mark.real_backend
def test_a_revoked_release_is_dropped_at_once_and_not_served_again(project, ask, rows, until):
    """A running server drops it by itself; no restart, rollback or new run brings it back."""
    made = project()
    made("run")
    first = made.endpoint["release"]
    made("run", "--set", "train-sklearn.parameters.max_depth=2")
    second = made.endpoint["release"]
    made("revoke", first, "--reason", "leak", actor="ben")
    made("revoke", second, "--reason", "leak too", actor="ben")
    until(lambda: made.endpoint["serving"] == [])
    assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, 1))[0] == 503
    assert "was revoked by ben: leak too" in made.endpoint["detail"]

    made("rollback", expect=3)
    assert "was revoked by ben" in made("deployments", "--start", expect=3).err
    said = made("run", expect=4)
    assert "ben revoked" in said.err
    made("undeploy")
    made("run", "--resume", made.run["id"], expect=4)
    assert len(made.events("release.made")) == 2

    made("approve", made.run["id"], "--reason", "looked into it", actor="eve")
    made("run", "--resume", made.run["id"])
    assert made.endpoint["release"] not in (first, second)


def test_a_policy_gives_its_releases_a_term(project, until):
    """After release_days a release is none; the next review makes another."""
    made = project(policy="release_days = 0.000005")
    made("run", "--until", "review")
    (made_first,) = made.events("release.made")
    until(lambda: datetime.now(UTC).isoformat() > made_first["record"]["expires"])
    session, release_id = made.session(), made_first["record"]["id"]
    with session.workspace("run-x") as workspace, pytest.raises(GateRefused, match="expired"):
        serve_release(session, release_id, reason="deploy", workspace=workspace)
    made("review")
    assert len(made.events("release.made")) == 2


def test_a_hook_that_is_called_directly_releases_nothing(project):
    """Verdicts and versions are what hooks give; only core makes a release of them."""
    from interlock.lifecycle.dossiers import dossier_of

    made = project(bounds=STRICT)
    made("run", expect=3)
    session = made.session()
    dossier = dossier_of(session, session.ledger.reads.latest_review(made.run["id"]))
    eased = attrs.evolve(dossier, policy=attrs.evolve(dossier.policy, bounds=()))
    session.funnel.every("review", dossier=eased)
    session.funnel.one("set_alias", name="small", alias="champion", expected=None, number="1")
    assert made.events("release.made") == []
    made("deploy", expect=3)
    assert made.listed("deployments") == []
