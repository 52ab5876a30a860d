"""A monitor's promises: profiles that last and merge, sound findings, and no false alarm."""

from __future__ import annotations

from typing import Any

import pytest

from interlock_hookspecs import InvalidInput, Workspace
from interlock_hookspecs.conformance.measuring import undeclared
from interlock_hookspecs.conformance.rows import MARKER, kinds, rows_of, stored_otherwise
from interlock_hookspecs.conformance.suite import another, ask, has, must_raise, needs
from interlock_hookspecs.conformance.traffic import TrafficPromises
from interlock_hookspecs.conformance.windows import (
    END,
    START,
    alerts,
    compared,
    found_in,
    moved,
    performance,
    profiles_of,
    sound,
    unbroken,
    window_of,
)
from interlock_hookspecs.conformance.workspace import LocalWorkspace


class MonitorSuite(TrafficPromises):
    """What core relies on in a monitor: profiles, windows compared with them, performance.

    Attributes:
        sees_drift: whether a window of rows that have moved by three standard deviations must
            raise an alert; False for a plugin that alerts on nothing until it is given a bound.
    """

    role = "monitor"
    sees_drift = True

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Find what there is to find in a window of each kind."""
        for kind in kinds(plugin):
            found_in(plugin, window_of(kind, rows_of(kind)), ws)

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Compare a window that lacks columns."""
        kind = kinds(plugin)[0]
        rows = rows_of(kind).drop_columns(["y", "city"])
        found_in(plugin, window_of(kind, rows), ws)

    def test_it_finds(self, plugin: Any, ws: Workspace) -> None:
        """For each kind of task that it serves, a window of traffic gives a finding."""
        assert kinds(plugin), "the plugin serves no kind of task that works end to end"
        for kind in kinds(plugin):
            found = found_in(plugin, window_of(kind, rows_of(kind, 2000, 1)), ws)
            assert found, f"nothing is found in a window of a {kind} model"
            values = [finding for finding in found if finding.value is not None]
            assert values, f"no finding in a sound window of a {kind} model has a value"

    def test_profiles_and_comparing_go_together(self, plugin: Any) -> None:
        """A plugin that makes profiles compares windows with them, and the other way round."""
        both = has(plugin, "build_profile") == has(plugin, "compare_window")
        assert both, "one of build_profile and compare_window is useless without the other"

    def test_a_profile_lasts(self, plugin: Any, ws: Workspace) -> None:
        """A profile is a small artifact that another process compares with as its maker does."""
        needs(plugin, "build_profile")
        for kind in kinds(plugin):
            profiles = profiles_of(plugin, kind, rows_of(kind, 2000), ws)
            assert profiles, f"no profile of a {kind} model's rows is made"
            window = window_of(kind, rows_of(kind, 500, 1))
            once = compared(plugin, profiles, window, ws)
            again = compared(another(plugin), profiles, window, ws)
            assert once == again, "another instance finds something else with one profile"
            names = [profile.name for profile in profiles]
            assert len(set(names)) == len(names), "two profiles of one plugin have one name"
            for profile in profiles:
                assert profile.rows == 2000, f"a profile of 2000 rows says {profile.rows}"
                size = profile.artifact.size
                assert size < 1_000_000, f"a profile of 2000 rows takes {size} bytes"

    def test_the_same_rows_give_the_same_profile(self, plugin: Any, ws: Workspace) -> None:
        """Equal rows, however stored and whoever asks, give a profile of the same digest."""
        needs(plugin, "build_profile")
        for kind in kinds(plugin):
            rows = rows_of(kind)
            seen = {
                tuple(profile.artifact.digest for profile in profiles_of(one, kind, table, ws))
                for one in (plugin, another(plugin))
                for table in (rows, stored_otherwise(rows))
            }
            assert len(seen) == 1, "equal rows give profiles of different digests"

    def test_the_same_window_gives_the_same_findings(self, plugin: Any, ws: Workspace) -> None:
        """Asked again, also after another window, or with rows stored otherwise: the same."""
        for kind in kinds(plugin):
            rows = rows_of(kind, 500, 1)
            once = found_in(plugin, window_of(kind, rows), ws)
            found_in(plugin, window_of(kind, rows_of(kind, 50, 3)), ws)
            again = found_in(plugin, window_of(kind, rows), ws)
            assert again == once, "the same window gives other findings"
            stored = found_in(plugin, window_of(kind, stored_otherwise(rows)), ws)
            assert stored == once, "rows stored otherwise give other findings"

    def test_the_window_is_the_one_asked(self, plugin: Any, ws: Workspace) -> None:
        """A finding has its window's ends and its number of rows, and rests on no more."""
        for kind in kinds(plugin):
            for finding in found_in(plugin, window_of(kind, rows_of(kind, 500, 1)), ws):
                ends = (finding.start, finding.end)
                assert ends == (START, END), f"{finding.label} is of another window: {ends}"
                assert finding.served == 500, f"{finding.label} says {finding.served} of 500 rows"
                assert finding.n <= 500, f"{finding.label} rests on {finding.n} of 500 rows"

    def test_a_finding_has_a_label_of_its_own(self, plugin: Any, ws: Workspace) -> None:
        """No two findings in a window have one name and subject."""
        for kind in kinds(plugin):
            found = found_in(plugin, window_of(kind, rows_of(kind, 500, 1)), ws)
            wrong = undeclared(plugin, kind, (finding.name for finding in found))
            assert not wrong, f"{wrong} is not in its measures: a bound on it is refused"
            labels = [finding.label for finding in found]
            twice = {label for label in labels if labels.count(label) > 1}
            assert not twice, f"two findings are called {min(twice, default='')}"

    def test_a_status_says_what_it_means(self, plugin: Any, ws: Workspace) -> None:
        """An alert has a value past its threshold, an ok one not; unmeasured says why."""
        for kind in kinds(plugin):
            for seed, sign in ((1, 1.0), (2, -1.0)):
                window = window_of(kind, moved(rows_of(kind, 2000, seed), 3.0 * sign))
                for found in found_in(plugin, window, ws):
                    sound(found)
            for found in found_in(plugin, window_of(kind, rows_of(kind, 3, 1)), ws):
                sound(found)

    def test_rows_like_the_reference_raise_nothing(self, plugin: Any, ws: Workspace) -> None:
        """Windows drawn as the reference was raise no alert."""
        for kind in kinds(plugin):
            for seed in (11, 12, 13):
                found = found_in(plugin, window_of(kind, rows_of(kind, 2000, seed)), ws)
                spoken = [label for label in alerts(found) if "phone" not in label]
                assert not spoken, f"{spoken[:1]} alerts on rows like the reference"

    def test_rows_that_moved_are_noticed(self, plugin: Any, ws: Workspace) -> None:
        """Rows that have moved by three standard deviations raise an alert, which says where."""
        needs(plugin, "compare_window")
        if not self.sees_drift:
            pytest.skip("declared: the plugin alerts on nothing until it is given a bound")
        for kind in kinds(plugin):
            window = window_of(kind, moved(rows_of(kind, 2000, 1), 3.0))
            assert alerts(found_in(plugin, window, ws)), "rows that moved raise no alert"

    def test_few_rows_are_no_alarm(self, plugin: Any, ws: Workspace) -> None:
        """A window of no row, or of one, raises neither an error nor an alert."""
        for kind in kinds(plugin):
            for n in (0, 1):
                window = window_of(kind, rows_of(kind, 10, 1).slice(0, n))
                found = unbroken(plugin, f"a window of {n} rows", window, ws)
                assert not alerts(found), f"a window of {n} rows raises an alert"

    def test_missing_columns_are_no_fault(self, plugin: Any, ws: Workspace) -> None:
        """A column that clients did not send, or one of nothing but nulls, breaks nothing."""
        import pyarrow as pa

        for kind in kinds(plugin):
            rows = rows_of(kind, 500, 1)
            unbroken(plugin, "a missing feature", window_of(kind, rows.drop_columns(["city"])), ws)
            place = rows.column_names.index("city")
            empty = rows.set_column(place, "city", pa.nulls(500, pa.string()))
            unbroken(plugin, "a feature of nulls", window_of(kind, empty), ws)

    def test_labels_may_be_missing(self, plugin: Any, ws: Workspace) -> None:
        """A window without labels, or with a few, breaks nothing and raises no alert."""
        import pyarrow as pa

        needs(plugin, "measure_performance")
        for kind in kinds(plugin):
            rows = rows_of(kind, 500, 1)
            place = rows.column_names.index("y")
            few = pa.array([*rows["y"].to_pylist()[:3], *[None] * 497], rows["y"].type)
            tables = {
                "a window without the target": rows.drop_columns(["y"]),
                "a window of null labels": rows.set_column(
                    place, "y", pa.nulls(500, rows["y"].type)
                ),
                "a window of three labels": rows.set_column(place, "y", few),
            }
            for what, table in tables.items():
                found = unbroken(plugin, what, window_of(kind, table), ws)
                for finding in found:
                    if finding.name in performance(plugin, kind):
                        assert finding.status != "alert", f"{what} raises the alert {finding.label}"

    def test_the_stamp_is_left_to_core(self, plugin: Any, ws: Workspace) -> None:
        """A finding comes without a maker: who made it is core's to say."""
        kind = kinds(plugin)[0]
        for finding in found_in(plugin, window_of(kind, rows_of(kind, 500, 1)), ws):
            assert finding.maker is None, f"{finding.label} says itself who made it"

    def test_no_value_of_a_row_is_repeated(self, plugin: Any, ws: Workspace) -> None:
        """What a finding says names columns, and no value of a data row."""
        for kind in kinds(plugin):
            window = window_of(kind, moved(rows_of(kind, 2000, 1), 3.0))
            for finding in found_in(plugin, window, ws):
                said = f"{finding.subject} {finding.reason} {dict(finding.facts)}"
                assert MARKER not in said, f"{finding.name} repeats a value of a data row"
                assert "\n" not in finding.reason, f"{finding.label} explains itself in lines"

    def test_merged_profiles_are_those_of_all_rows(self, plugin: Any, ws: Workspace) -> None:
        """A merged profile compares as the one that all rows together would have given."""
        import pyarrow as pa

        needs(plugin, "merge_profiles")
        for kind in kinds(plugin):
            rows = rows_of(kind, 500)
            one = profiles_of(plugin, kind, rows, ws)[0]
            whole = profiles_of(plugin, kind, pa.concat_tables([rows] * 3), ws)[0]
            merged = ask(plugin, "merge_profiles", profile=one, others=(one, one), ws=ws)
            assert merged.rows == 1500, f"profiles of 1500 rows merge to one of {merged.rows}"
            assert merged.name == one.name, "a merged profile is of another kind"
            window = window_of(kind, rows_of(kind, 500, 1))
            for left, right in zip(
                compared(plugin, (merged,), window, ws),
                compared(plugin, (whole,), window, ws),
                strict=True,
            ):
                near = (left.value or 0) == pytest.approx(right.value or 0, abs=0.02)
                assert left.label == right.label, "a merged profile finds other things"
                assert near, f"{left.label} is another against the merged profile"

    def test_foreign_profiles_do_not_merge(self, plugin: Any, ws: Workspace) -> None:
        """Profiles of other columns are InvalidInput to merge."""
        needs(plugin, "merge_profiles")
        kind = kinds(plugin)[0]
        one = profiles_of(plugin, kind, rows_of(kind), ws)[0]
        other = profiles_of(plugin, kind, rows_of(kind).drop_columns(["city", "größe [cm]"]), ws)[0]
        with must_raise(InvalidInput, "profiles of other columns are merged"):
            ask(plugin, "merge_profiles", profile=one, others=(other,), ws=ws)
