"""A model that is served in another format than it was made in: the same answers, or not at all."""

import pytest

from interlock.codec import decode
from interlock.lifecycle.dossiers import dossier_of
from interlock_hookspecs import Artifact, Deployment

pytestmark = pytest.mark.real_backend
AS_ONNX = 'deploy = "local"\npackage = "onnx"'
GOOD = '"metrics.roc_auc" = ">= 0.6"'
BOUNDS = f'{GOOD}\n"onnx.label_agreement" = ">= 1"\n"onnx.score_gap" = "<= 1e-6"'


def packaged(project, **stack):
    made = project(bounds=BOUNDS, **stack)
    made.edit('deploy = "local"', AS_ONNX)
    return made


def target_of(session):
    row = session.ledger.reads.deployments("small", limit=1)[0]
    (target,) = decode(Deployment, row["body"]).targets
    return target


def test_a_model_is_served_as_what_it_was_packaged_to(project, ask, rows):
    """What is registered and judged is the model, what is served the packaged one: both told."""
    made = packaged(project, govern='["policy", "card"]')
    made("run", "--until", "deploy")
    (held,) = made.events("review.held")
    session = made.session()
    dossier = dossier_of(session, session.ledger.reads.latest_review(made.run["id"]))
    assert (dossier.model.format, dossier.packaged.format) == ("skops", "onnx")
    values = {check.key: check.value for check in dossier.checks if check.key.startswith("onnx.")}
    assert values["onnx.label_agreement"] == 1
    assert values["onnx.score_gap"] < 1e-6
    target = target_of(session)
    assert target.model == dossier.packaged
    assert target.release.model == dossier.model.digest
    assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, 5))[0] == 200
    text = session.store.locate(decode(Artifact, held["card"])) / "card.md"
    card = text.read_text(encoding="utf-8")
    assert "served as" in card
    assert dossier.packaged.digest[:19] in card
    made("audit", "verify", "--artifacts")


def test_a_model_that_does_not_convert_is_served_itself(project, ask, rows):
    """It is said why; a policy that asks for the packaged one refuses."""
    made = packaged(project)
    made.edit("sklearn.tree.DecisionTreeClassifier", "sklearn.linear_model.LogisticRegression")
    made.edit("parameters = { max_depth = 3 }", "")
    said = made("run", "--until", "deploy", expect=3)
    assert "not served as onnx: " in said.err
    assert "onnx.label_agreement" in said.err
    made.edit(BOUNDS, GOOD)
    made("run", "--until", "deploy")
    assert target_of(made.session()).model.format == "skops"
    assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, 5))[0] == 200


def test_a_format_that_nobody_packages_is_named(project):
    """Before anything is fitted."""
    made = project()
    made.edit('deploy = "local"', 'deploy = "local"\npackage = "onyx"')
    said = made("run", expect=2)
    assert "model-onyx" in said.err
    assert made.listed("runs") == []
