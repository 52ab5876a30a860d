"""The monitor suite catches what only hard traffic, far zones or many callers bring to light."""

import time
import unicodedata
from datetime import UTC

import attrs
import pyarrow as pa
import pyarrow.compute as pc
from wrong_plugins import catches, each

from interlock_hookspecs import hookimpl
from interlock_hookspecs.conformance.monitor import MonitorSuite
from interlock_monitor_acme import AcmeMonitor, numbers


class HoldsItsWindowOnItself(AcmeMonitor):
    held = {}  # noqa: RUF012  (what is wrong with it)

    @hookimpl
    def compare_window(self, profile, window, ws):
        self.held["window"] = window
        time.sleep(0.1)
        return super().compare_window(profile, self.held["window"], ws)


class TellsTheTimeOfItsWall(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile, window, ws):
        found = super().compare_window(profile, window, ws)
        if isinstance(window.start, int):
            return found
        start = window.start.astimezone().replace(tzinfo=UTC)
        return [attrs.evolve(one, start=start) for one in found]


class ComposesNamesOfColumns(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile, window, ws):
        found = super().compare_window(profile, window, ws)
        return [attrs.evolve(one, subject=unicodedata.normalize("NFC", one.subject))
                for one in found]  # fmt: skip


class TakesADotForAPath(AcmeMonitor):
    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        plain = [name for name in rows.column_names if "." not in name]
        return super().build_profile(rows.select(plain), predictions, task, ws)


class CountsInfinityAsANumber(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile, window, ws):
        found = super().compare_window(profile, window, ws)
        largest = {
            name: pc.max(window.rows[name]).as_py()
            for name in window.rows.column_names
            if pa.types.is_floating(window.rows[name].type)
        }
        return [attrs.evolve(one, facts={"largest": largest.get(one.subject)}) for one in found]


class ComparesWithTheFirstRow(AcmeMonitor):
    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        for name in numbers(rows, task):
            rows[name][0]
        return super().build_profile(rows, predictions, task, ws)


class KeepsALittleOfEachRow(AcmeMonitor):
    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        (made,) = super().build_profile(rows, predictions, task, ws)
        path = ws.scratch() / "rows.json"
        path.write_text(ws.locate(made.artifact).read_text() + " " * (rows.num_rows * 20))
        return [attrs.evolve(made, artifact=ws.keep(path))]


MUTANTS = [
    (HoldsItsWindowOnItself, "many_watch_at_once",
     "watched at once with others, a window has other findings"),
    (TellsTheTimeOfItsWall, "a_window_of_times_keeps_its_ends",
     "is of another window"),
    (ComposesNamesOfColumns, "any_text_is_the_name_of_a_column",
     "two findings have one name and subject"),
    (TakesADotForAPath, "any_text_is_the_name_of_a_column",
     "mean_shift['a.b'] is not found as mean_shift[x] is"),
    (CountsInfinityAsANumber, "hard_values_are_no_fault",
     "a feature of infinity breaks it: ValueError"),
    (ComparesWithTheFirstRow, "an_empty_reference_is_no_alarm",
     "a reference of 0 rows breaks it: IndexError"),
    (KeepsALittleOfEachRow, "many_rows_fit_a_profile", "a profile of 100000 rows takes"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A monitor with one broken promise fails that promise's test, in words that say it."""
    catches(MonitorSuite, lambda folder: mutant(), test, sentence)
