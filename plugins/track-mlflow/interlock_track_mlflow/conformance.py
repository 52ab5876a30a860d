"""What the suite of a tracker needs to be told: how a server goes away."""

from __future__ import annotations

from typing import Any

import attrs

from interlock_hookspecs.conformance.events import EventsSuite


class MlflowTrackerSuite(EventsSuite):
    """The promises of an observer. What the server was told is tried by the tracker's own tests."""

    role = "track"

    def away(self, plugin: Any) -> Any:
        """The tracker of a server where nothing listens."""
        return attrs.evolve(plugin, uri="http://127.0.0.1:9", timeout=1.0)
