"""The validate suite catches what only hostile, hard, very many or far-away rows bring to light."""

import unicodedata
from collections import Counter
from datetime import datetime

import attrs
import pyarrow as pa
import pyarrow.compute as pc
from wrong_plugins import catches, each

from interlock_hookspecs import Check, hookimpl
from interlock_hookspecs.conformance.validate import ValidateSuite
from interlock_validate_acme import AcmeChecks


class CountsDaysOfItsWall(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        times = rows["at"].to_pylist() if "at" in rows.column_names else ()
        days = {datetime.fromtimestamp(time.timestamp()).date() for time in times}  # noqa: DTZ006  (the mistake)
        return [Check(name="days", value=len(days)), *super().check_data(rows, task)]


class ComposesNamesOfColumns(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        return [attrs.evolve(check, subject=unicodedata.normalize("NFC", check.subject))
                for check in super().check_data(rows, task)]  # fmt: skip


class FindsColumnsByPath(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        return [check for check in super().check_data(rows, task) if "." not in check.subject]


class FoldsTheCaseOfGroups(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        (name,) = task.sensitive
        groups = Counter(str(value).lower() for value in rows[name].to_pylist())
        sizes = [Check(name="rows", subject=f"{name}={group}", value=n)
                 for group, n in sorted(groups.items())]  # fmt: skip
        return [*sizes, *super().check_data(rows, task)]


class CountsInfinityAsANumber(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        found = super().check_data(rows, task)
        largest = {
            name: pc.max(rows[name]).as_py()
            for name in rows.column_names
            if pa.types.is_floating(rows[name].type)
        }
        return [attrs.evolve(one, facts={"largest": largest.get(one.subject)}) for one in found]


class LooksAtTheFirstThousands(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        return super().check_data(rows.slice(0, 50_000), task)

    @hookimpl
    def check_model(self, predictor, heldout, task):
        return super().check_model(predictor, heldout.slice(0, 50_000), task)


MUTANTS = [
    (CountsDaysOfItsWall, "a_time_is_measured_alike_in_every_zone",
     "in another time zone, the same rows give another days"),
    (ComposesNamesOfColumns, "any_text_is_the_name_of_a_column",
     "two checks have one name and subject"),
    (FindsColumnsByPath, "any_text_is_the_name_of_a_column",
     "nulls['a.b'] is not measured as nulls[x] is"),
    (FoldsTheCaseOfGroups, "any_text_names_a_group",
     "hostile names of groups give another ['rows']"),
    (CountsInfinityAsANumber, "hard_values_are_no_fault",
     "a feature of infinity: ValueError is raised"),
    (LooksAtTheFirstThousands, "every_row_counts", "after the first 50000 rows, no row counts"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A validator with one broken promise fails that promise's test, in words that say it."""
    catches(ValidateSuite, lambda folder: mutant(), test, sentence)
