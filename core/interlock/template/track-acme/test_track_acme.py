"""track-acme keeps every promise that the contract makes of a tracker."""

import json

import pytest

from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.delivery import tell
from interlock_hookspecs.conformance.happenings import event_of, with_card
from interlock_track_acme import AcmeTracker
from interlock_track_acme_conformance import AcmeTrackerSuite


class TestAcmeTracker(AcmeTrackerSuite):
    @pytest.fixture
    def plugin(self, tmp_path):
        return AcmeTracker(root=tmp_path)


@pytest.fixture
def told(tmp_path):
    """Tell a new tracker of events; what it then keeps of the run."""

    def tell_of(*events):
        made, ws = AcmeTracker(root=tmp_path), LocalWorkspace(tmp_path / "ws")
        for event in events or [with_card(ws)]:
            tell(made, event, ws)
        return tmp_path / "experiments/employment/run-1"

    return tell_of


def test_parameters_and_metrics_of_a_run_are_kept(told):
    """A candidate's facts are parameters; each check that has a value is a metric."""
    home = told(event_of("candidate.made"), event_of("checks.measured", place=2))
    lines = [json.loads(line) for line in (home / "log.jsonl").read_text().splitlines()]
    parameters = {line["parameter"]: line["value"] for line in lines if "parameter" in line}
    metrics = {line["metric"]: line["value"] for line in lines if "metric" in line}
    assert parameters == {"estimator": "tree", "max_depth": 3}
    assert metrics == {"metrics.roc_auc": 0.9}


def test_the_card_of_a_review_is_beside_them(told):
    """The model card is copied from the workspace."""
    assert (told() / "card/card.md").read_text() == "# A card\n"
