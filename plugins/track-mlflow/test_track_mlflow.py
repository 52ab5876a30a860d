"""What a run leaves on a real MLflow server, and what happens while the server is away."""

from __future__ import annotations

import uuid

import attrs
import pytest

from interlock_hookspecs import Artifact, Unavailable
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.delivery import tell
from interlock_hookspecs.conformance.happenings import event_of, life
from interlock_track_mlflow import MlflowTracker
from interlock_track_mlflow.conformance import MlflowTrackerSuite

pytestmark = pytest.mark.real_backend

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def tracker(mlflow_server, tmp_path):
    return MlflowTracker(
        uri=mlflow_server.url, experiment=uuid.uuid4().hex, timeout=25.0, root=tmp_path
    )


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace")


@pytest.mark.real_backend
class TestMlflowTracker(MlflowTrackerSuite):
    """Every promise of an observer, against the server."""

    @pytest.fixture
    def plugin(self, mlflow_server, tmp_path):
        return MlflowTracker(
            uri=mlflow_server.url, experiment=uuid.uuid4().hex, timeout=25.0, root=tmp_path
        )


def runs(tracker):
    """The runs that the server has, by name."""
    server = tracker._open()
    experiment = server._experiment(tracker.experiment)
    found = server._post("/runs/search", experiment_ids=[experiment]).get("runs", [])
    return {run["info"]["run_name"]: run for run in found}


def values(run, what):
    return {item["key"]: item["value"] for item in run["data"].get(what, [])}


def spool(tracker):
    return tracker.root / ".interlock" / "mlflow-spool.jsonl"


def test_a_run_is_tracked(tracker, ws):
    """Parameters, metrics, tags and the data are those of the events; nothing waits."""
    for event in life():
        tell(tracker, event, ws)
    tell(tracker, event_of("run.finished"), ws)
    run = runs(tracker)["run-1"]
    assert run["info"]["status"] == "FINISHED"
    assert values(run, "params")["max_depth"] == "3"
    assert values(run, "metrics")["metrics.roc_auc"] == 0.9
    assert values(run, "metrics")["metrics.roc_auc.high"] == 1.0
    tags = values(run, "tags")
    assert tags["interlock.run"] == "run-1"
    assert tags["interlock.release"]
    (dataset,) = run["inputs"]["dataset_inputs"]
    assert "sha256:000" in dataset["dataset"]["source"]
    assert spool(tracker).read_bytes() == b""


def test_folds_are_runs_below_the_run(tracker, ws):
    """Each fold of a cross-validation is a nested run with its score."""
    score = {"name": "roc_auc", "folds": [0.7, 0.9]}
    tell(tracker, event_of("candidate.made", {"record": {"scores": [score]}}), ws)
    for _ in range(2):
        tell(tracker, event_of("run.finished"), ws)
    found = runs(tracker)
    assert sorted(found) == ["fold 1", "fold 2", "run-1"]
    parent = found["run-1"]["info"]["run_id"]
    for name, value in (("fold 1", 0.7), ("fold 2", 0.9)):
        assert values(found[name], "tags")["mlflow.parentRunId"] == parent
        assert values(found[name], "metrics") == {"cv.roc_auc": value}


def test_the_card_is_an_artifact(tracker, ws, mlflow_server):
    """The model card that a review kept is among the files of the run, whole."""
    folder = ws.scratch() / "card"
    folder.mkdir()
    (folder / "index.html").write_text("<h1>a card</h1>")
    card = attrs.asdict(ws.keep(folder))
    assert Artifact(**card)
    tell(tracker, event_of("review.held", {"card": card, "outcome": "released"}), ws)
    run = runs(tracker)["run-1"]["info"]["run_id"]
    (kept,) = (mlflow_server.folder / "files").rglob(f"{run}/**/index.html")
    assert kept.read_text() == "<h1>a card</h1>"


def test_what_a_server_missed_is_told_when_it_is_back(tracker, ws):
    """While it is away the events wait, with one warning; then it is told them all."""
    gone = attrs.evolve(tracker, uri=NOWHERE, timeout=1.0)
    tell(gone, event_of("run.started"), ws)
    with pytest.raises(Unavailable, match=r"waits in .*mlflow-spool\.jsonl"):
        gone.on_event(event_of("run.finished"), ws)
    tell(gone, event_of("checks.measured"), ws)
    tell(gone, event_of("run.finished"), ws)
    assert runs(tracker) == {}
    tell(tracker, event_of("run.cancelled", run="run-2"), ws)
    found = runs(tracker)
    assert found["run-1"]["info"]["status"] == "FINISHED"
    assert "metrics.roc_auc" in values(found["run-1"], "metrics")
    assert found["run-2"]["info"]["status"] == "KILLED"
    assert spool(tracker).read_bytes() == b""


def tell_often(tracker, ws):
    for _ in range(20):
        tracker.on_event(event_of("checks.measured"), ws)


def test_the_spool_is_bounded(tracker, ws):
    """A spool that is full refuses the note and says so, and does not grow."""
    small = attrs.evolve(tracker, uri=NOWHERE, spool_bytes=400)
    tell(small, event_of("checks.measured"), ws)
    with pytest.raises(Unavailable, match="is full"):
        tell_often(small, ws)
    assert spool(small).stat().st_size <= 400
