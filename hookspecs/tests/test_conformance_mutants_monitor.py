"""The monitor suite catches every monitor that breaks a promise, and says which."""

import itertools
import warnings

import attrs
from wrong_plugins import catches, each, unclaimed

from interlock_hookspecs import Maker, NotFound, Profile, Unsupported, hookimpl, plugin
from interlock_hookspecs.conformance.monitor import MonitorSuite
from interlock_hookspecs.conformance.rows import MARKER
from interlock_monitor_acme import AcmeMonitor, kept, read


class Changes(AcmeMonitor):
    """A mutant that changes each finding of a comparison."""

    @hookimpl
    def compare_window(self, profile, window, ws):
        return [self.change(one) for one in super().compare_window(profile, window, ws)]


class FindsNothing(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile):
        return ()

    @hookimpl
    def measure_performance(self, window):
        return ()


class FindsNoValues(Changes):
    def change(self, finding):
        return attrs.evolve(finding, status="unmeasured", value=None, reason="not today")

    @hookimpl
    def measure_performance(self, window):
        return ()


@plugin(contract="1.0")
class MakesProfilesForNobody:
    @hookimpl
    def build_profile(self, rows, ws):
        return [kept({}, rows.num_rows, ws)]


@plugin(contract="1.0")
class KeepsProfilesInMemory(AcmeMonitor):
    memory: dict = attrs.field(init=False, factory=dict)

    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        (made,) = super().build_profile(rows, predictions, task, ws)
        self.memory[made.artifact.digest] = read(made, ws)
        return [made]

    @hookimpl
    def compare_window(self, profile, window, ws):
        if profile.artifact.digest not in self.memory:
            raise NotFound("the profile is not in memory")
        return super().compare_window(profile, window, ws)


class KeepsEveryRow(AcmeMonitor):
    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        (made,) = super().build_profile(rows, predictions, task, ws)
        path = ws.scratch() / "rows.json"
        path.write_text(ws.locate(made.artifact).read_text() + " " * rows.nbytes * 10)
        return [attrs.evolve(made, artifact=ws.keep(path))]


class ForgetsHowManyRows(AcmeMonitor):
    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        (made,) = super().build_profile(rows, predictions, task, ws)
        return [attrs.evolve(made, rows=0)]


class NamesProfilesAlike(AcmeMonitor):
    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        return super().build_profile(rows, predictions, task, ws) * 2


class StampsProfilesWithTheTime(AcmeMonitor):
    ticks = itertools.count()

    @hookimpl
    def build_profile(self, rows, predictions, task, ws):
        (made,) = super().build_profile(rows, predictions, task, ws)
        path = ws.scratch() / "means.json"
        path.write_text(ws.locate(made.artifact).read_text() + " " * next(self.ticks))
        return [Profile(name=made.name, artifact=ws.keep(path), rows=made.rows)]


class CountsItsWindows(Changes):
    ticks = itertools.count()

    def change(self, finding):
        return attrs.evolve(finding, reason=f"window number {next(self.ticks)}")


class IsOffByAYear(Changes):
    def change(self, finding):
        return attrs.evolve(finding, end=finding.end + 1)


class CountsValuesAsServed(Changes):
    def change(self, finding):
        return attrs.evolve(finding, served=finding.n)


class CountsCells(Changes):
    def change(self, finding):
        return attrs.evolve(finding, n=finding.n * 5)


class NamesNoColumn(Changes):
    def change(self, finding):
        return attrs.evolve(finding, subject="")


@plugin(contract="1.0", measures=("accuracy",))
class FindsMoreThanItSays(AcmeMonitor):
    pass


class HasNoReason(Changes):
    def change(self, finding):
        return attrs.evolve(finding, reason="")


class AlertsOnABarePValue(Changes):
    def change(self, finding):
        return attrs.evolve(finding, status="alert", value=None, threshold=None)


class AlertsWithoutAThreshold(Changes):
    def change(self, finding):
        return attrs.evolve(finding, threshold=None)


class AlertsOnTheWrongSide(Changes):
    def change(self, finding):
        return attrs.evolve(finding, op="<")


class AlertsOnEverything(Changes):
    def change(self, finding):
        return attrs.evolve(finding, status="alert", value=1.0, threshold=0.5)


class SeesNothing(Changes):
    def change(self, finding):
        return attrs.evolve(finding, status="ok")


class RefusesSmallWindows(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile, window, ws):
        if window.rows.num_rows < 2:
            raise Unsupported("too few rows")
        return super().compare_window(profile, window, ws)


class NeedsEveryColumn(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile, window, ws):
        window.rows["city"]
        return super().compare_window(profile, window, ws)


class NeedsLabels(AcmeMonitor):
    @hookimpl
    def measure_performance(self, window, task):
        window.rows[task.target]
        return super().measure_performance(window, task)


class TakesUnlabelledForWrong(AcmeMonitor):
    @hookimpl
    def measure_performance(self, window, task):
        share = window.labelled / max(window.rows.num_rows, 1)
        found = self._finding("accuracy", "", window, n=0, status="ok", value=share, op="<",
                              threshold=0.5)  # fmt: skip
        return [attrs.evolve(found, status="alert") if share < 0.5 else found]


class StampsItself(Changes):
    def change(self, finding):
        return attrs.evolve(finding, maker=Maker(plugin="monitor-drift", version="9"))


class QuotesARow(Changes):
    def change(self, finding):
        return attrs.evolve(finding, facts={"largest": f"{MARKER}-3"})


class MergesOnlyTheFirst(AcmeMonitor):
    @hookimpl
    def merge_profiles(self, profile, others, ws):
        return profile


class MergesByTheLast(AcmeMonitor):
    @hookimpl
    def merge_profiles(self, profile, others, ws):
        made = super().merge_profiles(profile, others, ws)
        sums = {name: [n, 0.0, squares] for name, (n, _, squares) in read(made, ws).items()}
        return kept(sums, made.rows, ws)


class MergesWhatItCan(AcmeMonitor):
    @hookimpl
    def merge_profiles(self, profile, others, ws):
        common = [other for other in others if read(other, ws).keys() == read(profile, ws).keys()]
        return super().merge_profiles(profile, tuple(common), ws)


class SilencesWarnings(AcmeMonitor):
    @hookimpl
    def compare_window(self, profile, window, ws):
        warnings.simplefilter("ignore", FutureWarning)
        return super().compare_window(profile, window, ws)


MUTANTS = [
    (SilencesWarnings, "it_leaves_the_process_as_it_was", "the warning filters"),
    (FindsNothing, "it_finds", "nothing is found in a window of a binary model"),
    (FindsNoValues, "it_finds", "no finding in a sound window of a binary model has a value"),
    (MakesProfilesForNobody, "profiles_and_comparing_go_together", "useless without the other"),
    (KeepsProfilesInMemory, "a_profile_lasts", "NotFound: the profile is not in memory"),
    (KeepsEveryRow, "a_profile_lasts", "a profile of 2000 rows takes"),
    (ForgetsHowManyRows, "a_profile_lasts", "a profile of 2000 rows says 0"),
    (NamesProfilesAlike, "a_profile_lasts", "two profiles of one plugin have one name"),
    (StampsProfilesWithTheTime, "the_same_rows_give_the_same_profile",
     "equal rows give profiles of different digests"),
    (CountsItsWindows, "the_same_window_gives_the_same_findings",
     "the same window gives other findings"),
    (IsOffByAYear, "the_window_is_the_one_asked", "is of another window: (2016, 2018)"),
    (CountsValuesAsServed, "the_window_is_the_one_asked", "of 500 rows"),
    (CountsCells, "the_window_is_the_one_asked", "of 500 rows"),
    (NamesNoColumn, "a_finding_has_a_label_of_its_own", "two findings are called mean_shift"),
    (FindsMoreThanItSays, "a_finding_has_a_label_of_its_own",
     "mean_shift is not in its measures"),
    (HasNoReason, "a_status_says_what_it_means", "is unmeasured and does not say why"),
    (AlertsOnABarePValue, "a_status_says_what_it_means", "alerts without an effect size"),
    (AlertsWithoutAThreshold, "a_status_says_what_it_means", "alerts without a threshold"),
    (AlertsOnTheWrongSide, "a_status_says_what_it_means", "which is not past < 0.5"),
    (AlertsOnEverything, "rows_like_the_reference_raise_nothing",
     "alerts on rows like the reference"),
    (SeesNothing, "rows_that_moved_are_noticed", "rows that moved raise no alert"),
    (AlertsOnEverything, "few_rows_are_no_alarm", "a window of 0 rows raises an alert"),
    (RefusesSmallWindows, "few_rows_are_no_alarm", "a window of 0 rows breaks it: Unsupported"),
    (NeedsEveryColumn, "missing_columns_are_no_fault", "a missing feature breaks it: KeyError"),
    (NeedsLabels, "labels_may_be_missing", "a window without the target breaks it: KeyError"),
    (TakesUnlabelledForWrong, "labels_may_be_missing",
     "a window without the target raises the alert accuracy"),
    (StampsItself, "the_stamp_is_left_to_core", "says itself who made it"),
    (QuotesARow, "no_value_of_a_row_is_repeated", "repeats a value of a data row"),
    (MergesOnlyTheFirst, "merged_profiles_are_those_of_all_rows",
     "profiles of 1500 rows merge to one of 500"),
    (MergesByTheLast, "merged_profiles_are_those_of_all_rows",
     "is another against the merged profile"),
    (MergesWhatItCan, "foreign_profiles_do_not_merge", "profiles of other columns are merged"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A monitor with one broken promise fails that promise's test, in words that say it."""
    catches(MonitorSuite, lambda folder: mutant(), test, sentence)


def test_the_monitor_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation every promise is held."""
    assert unclaimed(MonitorSuite, lambda folder: AcmeMonitor()) == []
