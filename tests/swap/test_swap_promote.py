"""`interlock promote`: the same bytes to another ledger, with their evidence, unreleased."""

import sqlite3
from contextlib import closing

import pytest
from swap_project import events, holds

from interlock.codec import decode
from interlock.ledger import verify
from interlock.lifecycle.dossiers import dossier_of
from interlock_hookspecs import Artifact, Deployment

PROD = ("--stack", "prod")


@pytest.fixture
def tried(far):
    """A project whose version was released in dev, and not yet in production."""
    far("run", "--until", "review")
    return far


def promoted(project, *words, **environ):
    """Promote the latest version; gives the run that it is in production."""
    project("promote", project.run["version"], "--to", "prod", *words, **environ)
    return project.listed("runs", *PROD)[0]


def test_a_version_comes_with_its_evidence_and_is_reviewed_anew(tried, opened):
    """Same id, digest, facts, checks and code; its own run, dossier, release and endpoint."""
    run = promoted(tried)
    assert (run["status"], run["model"]) == ("done", tried.run["model"])
    old, new = opened(tried, "dev"), opened(tried, "prod")
    assert holds(new) == holds(old)
    assert new.ledger.reads.releases("small") == []
    # Where the project's code lies now makes no difference to what was made with it then.
    (tried.folder / "project.py").write_text('"""Other code."""\n')
    said = tried("run", *PROD, "--resume", run["id"])
    assert "train     as promoted from dev" in said.err
    (theirs,), (ours,) = (side.ledger.reads.reviews("small") for side in (new, old))
    there, here = dossier_of(new, theirs), dossier_of(old, ours)
    same = ("model", "data", "code", "checks", "threshold", "source", "training_rows")
    assert [getattr(there, name) for name in same] == [getattr(here, name) for name in same]
    assert there.digest != here.digest
    (release,) = new.ledger.reads.releases("small")
    assert (release["stack"], release["model"]) == ("prod", tried.run["model"])
    assert [one["now"] for one in tried.listed("deployments", *PROD)] == ["answers"]
    assert tried("audit", "verify", *PROD, "--artifacts").code == 0


def test_what_it_was_packaged_to_comes_with_it(far, opened):
    """The file that is served is another one than the model: both are there, both are pinned."""
    far.edit('deploy = "local"', 'deploy = "local"\npackage = "onnx"')
    far("run", "--until", "review")
    run = promoted(far)
    far("run", *PROD, "--resume", run["id"])
    new = opened(far, "prod")
    dossier = dossier_of(new, new.ledger.reads.reviews("small")[0])
    assert dossier.packaged.format == "onnx"
    new.store.check(dossier.packaged.artifact)
    (row,) = new.ledger.reads.deployments("small")
    (target,) = decode(Deployment, row["body"]).targets
    assert target.model == dossier.packaged
    assert [one["now"] for one in far.listed("deployments", *PROD)] == ["answers"]


def test_both_ledgers_have_where_it_went_and_came_from(tried, opened):
    """Origin with the head of that chain, the people, the dossier and the history, to be opened."""
    version = tried.run["version"]
    run = promoted(tried, INTERLOCK_ACTOR="carl")
    old, new = opened(tried, "dev"), opened(tried, "prod")
    ((subject, told),) = events(old, "version.promoted")
    assert (subject, told) == (version, {"stack": "prod", "ledger": new.ledger.id, "as": run["id"]})
    ((subject, came),) = events(new, "version.imported")
    origin = came["origin"]
    assert subject == version
    assert (origin["ledger"], origin["run"]) == (old.ledger.id, tried.run["id"])
    assert origin["runners"] == ["ana"]
    (head,) = [
        event for event in old.ledger.reads.events("small", after=0, limit=None)
        if event["sequence"] == origin["sequence"]
    ]  # fmt: skip
    assert head["digest"] == origin["head"]
    for name in ("artifact", "history"):
        new.store.check(decode(Artifact, origin[name]))
    assert verify(new.ledger).ok


def test_approvals_do_not_cross_and_nobody_approves_their_own(far):
    """Who ran it in dev, and who promoted it, are not the ones who may approve it there."""
    far.edit("approvals = 0", "approvals = 1")
    far("run", "--until", "review", expect=4)
    far("approve", far.run["id"], "--reason", "read", INTERLOCK_ACTOR="ben")
    far("run", "--resume", far.run["id"], "--until", "review")
    run = promoted(far, INTERLOCK_ACTOR="carl")["id"]
    said = far("run", *PROD, "--resume", run, expect=4, INTERLOCK_ACTOR="carl")
    assert "0 of 1 approvals given" in said.err
    for own in ("ana", "carl"):
        error = far("approve", run, *PROD, "--reason", "x", expect=3, INTERLOCK_ACTOR=own).err
        assert f"{own} started run-" in error
    far("approve", run, *PROD, "--reason", "read it too", INTERLOCK_ACTOR="ben")
    far("run", *PROD, "--resume", run, "--until", "review", INTERLOCK_ACTOR="carl")


@pytest.mark.parametrize("what", ["gates", "rejected", "revoked"])
def test_what_was_refused_where_it_comes_from_does_not_travel(far, opened, what):
    """The gates' refusal, a person's, or a revocation: nothing arrives, the try is recorded."""
    if what == "gates":
        far.edit('">= 0.6"', '">= 0.999"')
    far("run", "--until", "review", expect=3 if what == "gates" else 0)
    run = far.run
    if what == "rejected":
        far("reject", run["id"], "--reason", "not yet", INTERLOCK_ACTOR="ben")
    if what == "revoked":
        far("revoke", run["release"], "--reason", "wrong data")
    error = far("promote", run["version"], "--to", "prod", expect=3).err
    assert {"gates": "0.999", "rejected": "not yet", "revoked": "wrong data"}[what] in error
    old, new = opened(far, "dev"), opened(far, "prod")
    assert [said["what"] for _, said in events(old, "gate.refused")] == ["promote"]
    assert new.ledger.reads.events("small", after=0, limit=None) == []
    assert holds(new) == []


def test_promoted_again_it_is_the_same_run(tried, opened):
    """The second time says so and changes nothing; a new review of it would be another dossier."""
    run = promoted(tried)
    said = tried("promote", tried.run["version"], "--to", "prod")
    assert "(promoted before)" in said.out
    new, old = opened(tried, "prod"), opened(tried, "dev")
    assert [row["id"] for row in new.ledger.reads.runs("small")] == [run["id"]]
    assert len(events(old, "version.promoted")) == len(events(new, "version.imported")) == 1


def test_another_task_is_not_what_was_measured(tried):
    """The threshold that the checks were taken at is part of it: at the promotion, and after."""
    run = promoted(tried)["id"]
    tried.edit("positive = 1", "positive = 1\nthreshold = 0.7")
    for words in (
        ("promote", tried.run["version"], "--to", "prod"),
        ("run", *PROD, "--resume", run),
    ):
        assert "is not what was measured: threshold" in tried(*words, expect=2).err


def test_within_one_ledger_the_version_stays_its_runs(tried, opened):
    """Two stacks of one ledger: another run, the same version, found under the run that made it."""
    tried.edit('ledger = "sqlite:///.interlock/prod.db"\n', "")
    made = tried.run
    tried("promote", made["version"], "--to", "prod")
    run = tried.listed("runs", *PROD)[0]
    assert (run["model"], run["id"] != made["id"]) == (made["model"], True)
    assert tried.listed("show", made["version"])["run"] == made["id"]
    tried("run", *PROD, "--resume", run["id"], "--until", "review")
    session = opened(tried, "prod")
    assert len(events(session, "version.copied")) == 1
    assert holds(session) == holds(opened(tried, "dev"))
    assert verify(session.ledger).ok


def test_within_one_ledger_each_registry_has_its_champion(far, opened):
    """What dev serves since is no move by hand in production's registry, nor the other way."""
    far.edit('ledger = "sqlite:///.interlock/prod.db"\n', "")
    for depth in (1, 2, 3):
        far("run", "--set", f"train-sklearn.parameters.max_depth={depth}")
        if depth != 2:
            far("promote", far.run["version"], "--to", "prod")
            (run, *_) = far.listed("runs", *PROD)
            far("run", *PROD, "--resume", run["id"])
    far("run", "--set", "train-sklearn.parameters.max_depth=4")
    champions = [
        next(one.digest for one in holds(opened(far, name)) if "champion" in one.aliases)
        for name in ("dev", "prod")
    ]
    assert champions == [far.run["model"], far.listed("runs", *PROD)[0]["model"]]
    assert champions[0] != champions[1]


def test_from_stage_to_stage_the_origins_add_up(tried, opened):
    """dev, prod and on to an archive: each origin has the one before it, and the runners of all."""
    with (tried.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write('[stack.last]\nextends = "prod"\nledger = "sqlite:///.interlock/last.db"\n')
        file.write('[stack.last.registry-acme]\nfile = ".interlock/last-acme.db"\n')
    run = promoted(tried, INTERLOCK_ACTOR="carl")
    assert "was not reviewed" in tried("promote", run["id"], *PROD, "--to", "last", expect=2).err
    tried("run", *PROD, "--resume", run["id"], "--until", "review", INTERLOCK_ACTOR="carl")
    tried("promote", run["id"], *PROD, "--to", "last", INTERLOCK_ACTOR="dora")
    last = opened(tried, "last")
    (found,) = last.ledger.reads.runs("small")
    origin = found["body"]["origin"]
    assert (origin["stack"], origin["origin"]["stack"]) == ("prod", "dev")
    assert origin["runners"] == ["ana", "carl"]
    assert holds(last) == holds(opened(tried, "dev"))


def test_a_record_that_was_altered_vouches_for_nothing(tried):
    """A ledger that does not verify, or an artifact with other bytes, goes nowhere."""
    version = tried.run["version"]
    model = tried.listed("show", version)["model"].removeprefix("sha256:")
    blob = tried.folder / f".interlock/artifacts/sha256/{model[:2]}/{model}"
    whole = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(whole + b"!")
    assert "the bytes stored under" in tried("promote", version, "--to", "prod", expect=1).err
    blob.write_bytes(whole)
    with closing(sqlite3.connect(tried.folder / ".interlock/ledger.db")) as database, database:
        database.execute("UPDATE checks SET value = 0.99 WHERE key = 'metrics.roc_auc'")
    assert "does not verify" in tried("promote", version, "--to", "prod", expect=1).err
    assert tried.listed("runs", *PROD) == []


def test_what_cannot_be_promoted_is_refused_in_a_line(far):
    """A run that was not reviewed, what is no version, a stack to itself."""
    far("run", "--until", "register")
    run = far.run
    assert "was not reviewed" in far("promote", run["version"], "--to", "prod", expect=2).err
    assert "no registered version" in far("promote", run["dataset"], "--to", "prod", expect=2).err
    assert "'dev' is both" in far("promote", run["version"], "--to", "dev", expect=2).err
    far("review")
    far("train", run["id"], "--again", "--set", "train-sklearn.parameters.max_depth=1")
    error = far("promote", run["version"], "--to", "prod", expect=2).err
    assert "was trained or validated again since its last review" in error
