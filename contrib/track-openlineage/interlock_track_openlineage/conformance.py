"""What the suite of a tracker needs to be told: which lines an event becomes, and what is away."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import attrs

from interlock_hookspecs import Event, Secret
from interlock_hookspecs.conformance.events import EventsSuite


class OpenLineageSuite(EventsSuite):
    """The promises of an observer, to a file or, with a url, to an endpoint."""

    role = "track"

    def heard(self, plugin: Any, told: Sequence[Event]) -> Collection[str] | None:
        """The events whose lines are all in the file; what an endpoint has cannot be read."""
        if plugin.url:
            return None
        path = plugin.root / plugin.file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        found = {(line["eventTime"], line["eventType"], line["job"]["name"]) for line in lines}
        return {
            event.id
            for event in told
            if all(
                (one.eventTime, one.eventType.value, one.job.name) in found
                for one in plugin._teller().events(event)  # noqa: SLF001  (what is to be told of it)
            )
        }

    def away(self, plugin: Any) -> Any:
        """A file where there is a file for a folder, or an address where nothing listens."""
        if plugin.url:
            there = isinstance(plugin.url, Secret)
            return plugin if there else attrs.evolve(plugin, url="http://127.0.0.1:9")
        (plugin.root / "taken").write_text("")
        return attrs.evolve(plugin, file="taken/openlineage.jsonl")
