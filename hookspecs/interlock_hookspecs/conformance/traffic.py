"""What a monitor promises of traffic that is seldom so, and of many who watch at once."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from interlock_hookspecs import Workspace
from interlock_hookspecs.conformance.learning import hard_columns, named_alike
from interlock_hookspecs.conformance.rows import kinds, rows_of
from interlock_hookspecs.conformance.suite import Suite, needs
from interlock_hookspecs.conformance.together import at_once
from interlock_hookspecs.conformance.windows import (
    alerts,
    found_in,
    moved,
    profiles_of,
    sound,
    unbroken,
    window_of,
)
from interlock_hookspecs.conformance.zones import AHEAD, BEHIND, in_zone

_JANUARY, _FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
_MANY = 100_000


class TrafficPromises(Suite):
    """What holds for windows of times, hostile names, hard values, and no or many rows."""

    def test_many_watch_at_once(self, plugin: Any, ws: Workspace) -> None:
        """Several threads that watch at once have each the findings of its own window."""
        kind = kinds(plugin)[0]
        windows = [window_of(kind, rows_of(kind, 300 + seed, seed)) for seed in range(1, 4)]
        acts = [partial(found_in, plugin, window, ws) for window in windows] * 2
        alone = [act() for act in acts]
        assert at_once(acts) == alone, "watched at once with others, a window has other findings"

    def test_a_window_of_times_keeps_its_ends(self, plugin: Any, ws: Workspace) -> None:
        """The ends of a window of times are the same instants, in whatever zone the process is."""
        for kind in kinds(plugin):
            ends = {"start": _JANUARY, "end": _FEBRUARY, "as_of": _FEBRUARY}
            window = window_of(kind, rows_of(kind, 500, 1), **ends)
            once = found_in(plugin, window, ws)
            for zone in (AHEAD, BEHIND):
                with in_zone(zone):
                    again = found_in(plugin, window, ws)
                for finding in again:
                    same = (finding.start, finding.end) == (_JANUARY, _FEBRUARY)
                    assert same, f"in another time zone, {finding.label} is of another window"
                assert again == once, "in another time zone, a window has other findings"

    def test_any_text_is_the_name_of_a_column(self, plugin: Any, ws: Workspace) -> None:
        """A column is watched as one of equal values is, whatever it is called."""
        for kind in kinds(plugin):
            reference, names = named_alike(rows_of(kind, 2000))
            rows, _ = named_alike(moved(rows_of(kind, 500, 1), 3.0))
            what = "a column with a hostile name"
            found = unbroken(plugin, what, window_of(kind, rows), ws, reference)
            seen = {(one.name, one.subject): (one.status, one.value, one.n) for one in found}
            assert len(seen) == len(found), "two findings have one name and subject"
            for (name, subject), finding in list(seen.items()):
                if subject == "x":
                    for other in names:
                        alike = seen.get((name, other)) == finding
                        assert alike, f"{name}[{other!r}] is not found as {name}[x] is"

    def test_hard_values_are_no_fault(self, plugin: Any, ws: Workspace) -> None:
        """A feature of any type, with infinite, huge or no values, breaks nothing and is sound."""
        for kind in kinds(plugin):
            for what, rows in hard_columns(kind).items():
                found = unbroken(plugin, f"a feature of {what}", window_of(kind, rows), ws, rows)
                for finding in found:
                    sound(finding)

    def test_an_empty_reference_is_no_alarm(self, plugin: Any, ws: Workspace) -> None:
        """A window against a profile of no rows, or of one, raises neither error nor alert."""
        needs(plugin, "build_profile")
        for kind in kinds(plugin):
            window = window_of(kind, rows_of(kind, 500, 1))
            for n in (0, 1):
                rows = rows_of(kind, 10).slice(0, n)
                found = unbroken(plugin, f"a reference of {n} rows", window, ws, rows)
                spoken = alerts(found)
                assert not spoken, f"against a reference of {n} rows, {spoken[:1]} alerts"

    def test_many_rows_fit_a_profile(self, plugin: Any, ws: Workspace) -> None:
        """A profile of a hundred thousand rows counts each, and is small all the same."""
        needs(plugin, "build_profile")
        kind = kinds(plugin)[0]
        for profile in profiles_of(plugin, kind, rows_of(kind, _MANY), ws):
            assert profile.rows == _MANY, f"a profile of {_MANY} rows says {profile.rows}"
            size = profile.artifact.size
            assert size < 1_000_000, f"a profile of {_MANY} rows takes {size} bytes"
