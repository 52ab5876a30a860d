"""What the suite of an observer needs to be told: what was written, and how the file goes away."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import attrs

from interlock_hookspecs import Event
from interlock_hookspecs.conformance.events import EventsSuite


class AcmeEventsSuite(EventsSuite):
    """The promises of the log, with what stands in its file."""

    def heard(self, plugin: Any, told: Sequence[Event]) -> Collection[str]:  # noqa: ARG002  (the file says all)
        """The ids of the events that the file has."""
        path = plugin.root / plugin.file
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        return {json.loads(line)["id"] for line in lines}

    def away(self, plugin: Any) -> Any:
        """The log in a folder that there is not."""
        return attrs.evolve(plugin, file="no/such/folder/events.jsonl")
