"""events-acme keeps every promise that the contract makes of an observer."""

import json

import attrs
import pytest

from interlock_events_acme import AcmeEvents
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.events import EventsSuite, tell
from interlock_hookspecs.conformance.happenings import event_of


class TestAcmeEvents(EventsSuite):
    @pytest.fixture
    def plugin(self, tmp_path):
        return AcmeEvents(root=tmp_path)

    def heard(self, plugin):
        lines = (plugin.root / plugin.file).read_text().splitlines()
        return {json.loads(line)["id"] for line in lines}

    def away(self, plugin):
        return attrs.evolve(plugin, file="no/such/folder/events.jsonl")


def test_only_the_kinds_that_were_asked_for_are_written(tmp_path):
    """With `kinds` all others are passed over."""
    made = AcmeEvents(root=tmp_path, kinds=("release.made",))
    for kind in ("run.started", "release.made"):
        tell(made, event_of(kind), LocalWorkspace(tmp_path))
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["kind"] == "release.made"
