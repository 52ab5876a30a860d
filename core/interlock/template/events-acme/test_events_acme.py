"""events-acme keeps every promise that the contract makes of an observer."""

import json

import pytest

from interlock_events_acme import AcmeEvents
from interlock_events_acme_conformance import AcmeEventsSuite
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.delivery import tell
from interlock_hookspecs.conformance.happenings import event_of


class TestAcmeEvents(AcmeEventsSuite):
    @pytest.fixture
    def plugin(self, tmp_path):
        return AcmeEvents(root=tmp_path)


def test_only_the_kinds_that_were_asked_for_are_written(tmp_path):
    """With `kinds` all others are passed over."""
    made = AcmeEvents(root=tmp_path, kinds=("release.made",))
    for kind in ("run.started", "release.made"):
        tell(made, event_of(kind), LocalWorkspace(tmp_path))
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["kind"] == "release.made"
