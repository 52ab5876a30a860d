"""What an observer promises of its backend: that what it heard is there, and nothing is lost."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from interlock_hookspecs import Event, Unavailable, Workspace
from interlock_hookspecs.conformance.happenings import PAYLOADS, event_of, life
from interlock_hookspecs.conformance.suite import Suite, another, ask
from interlock_hookspecs.conformance.together import CALLERS, at_once, in_processes

_CROWD = ("checks.measured", "candidate.made", "run.started", "stage.started")


class DeliveryPromises(Suite):
    """What holds for a backend that can be read back; unclaimed where `heard` does not say how."""

    def heard(self, plugin: Any, told: Sequence[Event]) -> Collection[str] | None:  # noqa: ARG002  (a subclass uses both)
        """The ids of those of some events that reached the backend; None: it cannot be read.

        Those that the plugin is to pass over count as heard.
        """
        return None

    def test_every_kind_arrives(self, plugin: Any, ws: Workspace) -> None:
        """What it is told of any kind is in its backend, for another instance to read."""
        self._can_be_read(plugin)
        _tell_all(plugin, life(), ws)
        self._must_have(plugin, life())

    def test_late_and_repeated_events_arrive(self, plugin: Any, ws: Workspace) -> None:
        """Events that come late, and one that is told again, are in its backend all the same."""
        self._can_be_read(plugin)
        told = life()[::-1]
        _tell_all(plugin, (*told, told[0]), ws)
        self._must_have(plugin, told)

    def test_projects_are_apart(self, plugin: Any, ws: Workspace) -> None:
        """Events of two projects have the same sequence, and neither hides the other."""
        self._can_be_read(plugin)
        told = [event_of(place=1, project=project) for project in ("a", "b")]
        _tell_all(plugin, told, ws)
        self._must_have(plugin, told)

    def test_threads_lose_nothing(self, plugin: Any, ws: Workspace) -> None:
        """Of what several threads tell it at once nothing is lost or torn."""
        self._can_be_read(plugin)
        told = crowd(9_000, CALLERS * 4)
        shares = [told[place::CALLERS] for place in range(CALLERS)]
        at_once([functools.partial(_tell_all, plugin, share, ws) for share in shares])
        self._must_have(plugin, told)

    def test_processes_lose_nothing(self, plugin: Any, ws: Workspace) -> None:
        """Of what several commands tell it at once nothing is lost or torn."""
        self._can_be_read(plugin)
        told = crowd(9_000)
        in_processes([functools.partial(tell, another(plugin), event, ws) for event in told])
        self._must_have(plugin, told)

    def _can_be_read(self, plugin: Any) -> None:
        if self.heard(plugin, ()) is None:
            pytest.skip("optional: the suite does not say in `heard` what reached its backend")

    def _must_have(self, plugin: Any, told: Sequence[Event]) -> None:
        found = self.heard(another(plugin), told) or ()
        missing = [event.kind for event in told if event.id not in found]
        assert not missing, f"of {len(told)} events {len(missing)} did not arrive: {missing[0]}"


def crowd(size: int, count: int = CALLERS) -> list[Event]:
    """Events of some kinds that are told at once, each with a text of so many characters."""
    return [
        event_of(kind, {**PAYLOADS[kind], "text": "x" * size}, place=place)
        for place, kind in zip(range(count), itertools.cycle(_CROWD), strict=False)
    ]


def tell(plugin: Any, event: Event, ws: Workspace, *, what: str = "", away: bool = False) -> None:
    """Tell a plugin of an event. Whatever it raises breaks a promise; away, Unavailable does not.

    Args:
        plugin: which.
        event: what it is told.
        ws: its workspace.
        what: what is odd about it, for the message; its kind where nothing is said.
        away: whether the plugin's backend cannot be reached.
    """
    try:
        ask(plugin, "on_event", event=event, ws=ws)
    except (AssertionError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if not (away and isinstance(error, Unavailable)):
            msg = f"{what or event.kind} breaks it: {type(error).__name__}: {error}"
            raise AssertionError(msg) from error


def _tell_all(plugin: Any, told: Sequence[Event], ws: Workspace) -> None:
    for event in told:
        tell(plugin, event, ws)
