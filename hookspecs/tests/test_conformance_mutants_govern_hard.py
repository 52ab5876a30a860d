"""The govern suite catches what only lookalikes, large dossiers or far zones bring to light."""

import unicodedata

import attrs
from wrong_plugins import catches, each

from interlock_govern_acme import AcmeGate
from interlock_hookspecs import hookimpl
from interlock_hookspecs.conformance.govern import GovernSuite


class ReadsSubjectsOtherwise(AcmeGate):
    """A mutant that answers a bound with checks whose subjects it has changed."""

    @hookimpl
    def review(self, dossier):
        checks = [attrs.evolve(one, subject=self.read(one.subject)) for one in dossier.checks]
        return super().review(attrs.evolve(dossier, checks=checks))


class ComposesSubjects(ReadsSubjectsOtherwise):
    def read(self, subject):
        return unicodedata.normalize("NFC", subject)


class StripsSubjects(ReadsSubjectsOtherwise):
    def read(self, subject):
        return subject.strip()


class RaisesTheFirstLetter(ReadsSubjectsOtherwise):
    def read(self, subject):
        return subject[:1].lower() + subject[1:]


class SaysTheDayOfItsWall(AcmeGate):
    @hookimpl
    def describe_model(self, dossier):
        days = " ".join(str(one.at.astimezone().date()) for one in dossier.approvals)
        found = super().describe_model(dossier)
        return [attrs.evolve(one, body=f"{one.body} {days}") for one in found]


class RendersTheDayOfItsWall(AcmeGate):
    @hookimpl
    def render_card(self, dossier, sections, ws):
        folder = ws.scratch() / "card"
        folder.mkdir()
        days = " ".join(str(one.at.astimezone().date()) for one in dossier.approvals)
        (folder / "card.md").write_text(f"approved {days}", encoding="utf-8")
        return ws.keep(folder)


class RecursesOverChecks(AcmeGate):
    @hookimpl
    def review(self, dossier):
        def judged(checks):
            return checks and checks[:1] + judged(checks[1:])

        return super().review(attrs.evolve(dossier, checks=judged(dossier.checks)))


class LimitsAPurpose(AcmeGate):
    @hookimpl
    def describe_model(self, dossier):
        if len(dossier.facts.purpose) > 100_000:
            raise ValueError("field larger than field limit")
        return super().describe_model(dossier)


class TakesTheFirstWordOfASource(AcmeGate):
    @hookimpl
    def describe_model(self, dossier):
        dossier.source.split()[0]
        return super().describe_model(dossier)


MUTANTS = [
    (ComposesSubjects, "a_bound_is_answered_by_its_own_check",
     "answers a bound on 'größe=Ä'"),
    (StripsSubjects, "a_bound_is_answered_by_its_own_check",
     "a check of 'größe=Ä ' answers a bound on 'größe=Ä'"),
    (RaisesTheFirstLetter, "a_bound_is_answered_by_its_own_check",
     "a check of 'Größe=Ä' answers a bound on 'größe=Ä'"),
    (SaysTheDayOfItsWall, "a_time_is_said_alike_in_every_zone",
     "in another time zone, it says something else"),
    (RendersTheDayOfItsWall, "a_time_is_said_alike_in_every_zone",
     "in another time zone, a card has other bytes"),
    (RecursesOverChecks, "nothing_breaks_it", "thousands of checks breaks it: RecursionError"),
    (LimitsAPurpose, "nothing_breaks_it", "a purpose of a megabyte breaks it: ValueError"),
    (TakesTheFirstWordOfASource, "nothing_breaks_it", "empty texts breaks it: IndexError"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A gate with one broken promise fails that promise's test, in words that say it."""
    catches(GovernSuite, lambda folder: mutant(), test, sentence)
