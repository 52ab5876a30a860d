"""What the suite of a tracker needs to be told: what is kept, and how its folder goes away."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import attrs

from interlock_hookspecs import Event
from interlock_hookspecs.conformance.events import EventsSuite


class AcmeTrackerSuite(EventsSuite):
    """The promises of the tracker, with what stands in its logs."""

    role = "track"

    def heard(self, plugin: Any, told: Sequence[Event]) -> Collection[str]:
        """The ids of the events that the logs have; one of no run is not to be there."""
        logs = (plugin.root / plugin.folder).rglob("log.jsonl")
        lines = [line for log in logs for line in log.read_text(encoding="ascii").splitlines()]
        found = {json.loads(line)["event"] for line in lines}
        return found | {event.id for event in told if event.run is None}

    def away(self, plugin: Any) -> Any:
        """The tracker, a file where its folder would be."""
        (plugin.root / "taken").write_text("")
        return attrs.evolve(plugin, folder="taken/experiments")
