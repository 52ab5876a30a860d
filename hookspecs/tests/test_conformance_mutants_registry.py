"""The registry suite catches every registry that breaks a promise, and says which."""

import unicodedata

import attrs
import pytest
from wrong_plugins import catches, each, unclaimed

from interlock_hookspecs import (
    Conflict,
    Facts,
    InvalidInput,
    NotFound,
    Secret,
    VersionPage,
    hookimpl,
    plugin,
    setting,
)
from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_hookspecs.conformance.suite import run
from interlock_registry_acme import AcmeRegistry, number_of, several


class ForgetsBetweenProcesses(AcmeRegistry):
    def _transaction(self):
        self.file = f"{id(self)}.db"
        return super()._transaction()


class NeverSaysExisting(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        return attrs.evolve(super().register_version(name, id, model, facts), existing=False)


class RegistersADigestAgain(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        made = super().register_version(name, id, model, facts)
        if made.existing and made.id != id:
            copy = "select name, number + 1, ?, digest, body, at, 0 from versions where id = ?"
            with self._transaction() as db:
                db.execute(f"insert into versions {copy}", [id, made.id])
            return self.get_version(name, id)
        return made


class GivesAnIdToTwoModels(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        try:
            return super().register_version(name, id, model, facts)
        except Conflict:
            return self.get_version(name, id)


class UsesADeletedNumberAgain(AcmeRegistry):
    @hookimpl
    def delete_version(self, name, number):
        super().delete_version(name, number)
        with self._transaction() as db:
            db.execute("delete from versions where deleted = 1")


class DeletesUnderAnAlias(AcmeRegistry):
    @hookimpl
    def delete_version(self, name, number):
        with self._transaction() as db:
            db.execute("delete from aliases where number = ?", [number])
        super().delete_version(name, number)


class ListsOldestFirst(AcmeRegistry):
    @hookimpl
    def list_versions(self, name, cursor, limit):
        page = super().list_versions(name, cursor, limit)
        return attrs.evolve(page, items=page.items[::-1])


class PagesByOffset(AcmeRegistry):
    @hookimpl
    def list_versions(self, name, cursor, limit):
        start = number_of(cursor) if cursor else 0
        with self._transaction() as db:
            found = several(db, "name = ?", name, limit=1000)
        end = start + limit
        return VersionPage(items=found[start:end], cursor=str(end) if end < len(found) else None)


class IgnoresTheLimit(AcmeRegistry):
    @hookimpl
    def list_versions(self, name, cursor, limit):
        return super().list_versions(name, cursor, limit + 1)


class StartsOverAtAForeignCursor(AcmeRegistry):
    @hookimpl
    def list_versions(self, name, cursor, limit):
        try:
            return super().list_versions(name, cursor, limit)
        except InvalidInput:
            return super().list_versions(name, None, limit)


class MovesAnAliasFromAnywhere(AcmeRegistry):
    @hookimpl
    def set_alias(self, name, alias, expected, number):
        found = self.get_version(name, f"@{alias}")
        super().set_alias(name, alias, found and found.number, number)


class SaysNothingInAConflict(AcmeRegistry):
    @hookimpl
    def set_alias(self, name, alias, expected, number):
        try:
            super().set_alias(name, alias, expected, number)
        except Conflict as error:
            raise Conflict(str(error), expected=None, found=None) from error


class PointsAnAliasAtNothing(AcmeRegistry):
    @hookimpl
    def set_alias(self, name, alias, expected, number):
        try:
            super().set_alias(name, alias, expected, number)
        except NotFound:
            return


class KeepsAnAliasThatWasTakenAway(AcmeRegistry):
    @hookimpl
    def set_alias(self, name, alias, expected, number):
        super().set_alias(name, alias, expected, number or expected)


class ForgetsTheOrderOfAliases(AcmeRegistry):
    @hookimpl
    def get_version(self, name, ref):
        found = super().get_version(name, ref)
        return found and attrs.evolve(found, aliases=found.aliases[::-1])


class RaisesForAnUnknownReference(AcmeRegistry):
    @hookimpl
    def get_version(self, name, ref):
        found = super().get_version(name, ref)
        if found is None:
            raise NotFound(ref)
        return found


class FindsTheNearest(AcmeRegistry):
    @hookimpl
    def get_version(self, name, ref):
        return super().get_version(name, ref.strip().lstrip("0"))


class FoldsCase(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        return super().register_version(name.lower(), id, model, facts)


class NormalizesNames(AcmeRegistry):
    @hookimpl
    def list_versions(self, name, cursor, limit):
        return super().list_versions(unicodedata.normalize("NFC", name), cursor, limit)


class CutsLongNames(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        return super().register_version(name[:255], id, model, facts)


class KeepsFactsAsText(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        kept = Facts({key: str(value) for key, value in facts.items()})
        return super().register_version(name, id, model, kept)


class AnswersWithADictionary(AcmeRegistry):
    @hookimpl
    def get_version(self, name, ref):
        return attrs.asdict(super().get_version(name, ref))


class PromisesToHoldEverything(AcmeRegistry):
    @hookimpl
    def find_misfits(self, version):
        return []


class RefusesWhatItSaidToFit(AcmeRegistry):
    @hookimpl
    def set_alias(self, name, alias, expected, number):
        if len(alias) > 500:
            raise InvalidInput("the alias is long")
        super().set_alias(name, alias, expected, number)


class RegistersWhenOnlyAsked(AcmeRegistry):
    @hookimpl
    def find_misfits(self, version):
        found = super().find_misfits(version)
        if not found and version.aliases:
            self.register_version(version.name, version.id, version.model, version.facts)
        return found


class ForgetsThatItDeleted(AcmeRegistry):
    @hookimpl
    def find_misfits(self, version):
        return [found for found in super().find_misfits(version) if found.what != "id"]


class BringsADeletedIdBack(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        with self._transaction() as db:
            db.execute("update versions set deleted = 0 where id = ?", [id])
        return super().register_version(name, id, model, facts)


@plugin(contract="1.0")
class PrintsItsToken(AcmeRegistry):
    token: str | Secret[str] = setting("", doc="a secret")

    def __repr__(self):
        token = self.token.reveal() if isinstance(self.token, Secret) else self.token
        return f"PrintsItsToken({token})"


@plugin(contract="2.0")
class IsOfAnotherContract(AcmeRegistry):
    pass


@plugin(contract="1.0")
class TellsItsToken(AcmeRegistry):
    token: str | Secret[str] = setting("", doc="a secret")

    @hookimpl
    def set_alias(self, name, alias, expected, number):
        try:
            super().set_alias(name, alias, expected, number)
        except NotFound as error:
            token = self.token.reveal() if isinstance(self.token, Secret) else self.token
            raise NotFound(f"{error} with {token}") from error


MUTANTS = [
    (TellsItsToken, "no_error_shows_a_secret", "an error shows the secret setting 'token'"),
    (ForgetsBetweenProcesses, "a_version_comes_back_as_it_went_in",
     "a registered version is not there for the next process"),
    (KeepsFactsAsText, "a_version_comes_back_as_it_went_in", "changed value or type on their way"),
    (AnswersWithADictionary, "a_version_comes_back_as_it_went_in", "get_version gives dict"),
    (NeverSaysExisting, "the_same_id_twice_is_one_version",
     "a version that existed is not called existing"),
    (RegistersADigestAgain, "the_same_model_twice_is_one_version",
     "one digest became two versions"),
    (GivesAnIdToTwoModels, "an_id_stands_for_one_model",
     "an id was used again for another model: nothing is raised where Conflict is promised"),
    (UsesADeletedNumberAgain, "a_deleted_number_stays_used",
     "the number of a deleted version was used again"),
    (DeletesUnderAnAlias, "an_aliased_version_is_not_deleted",
     "a version was deleted under its alias"),
    (ListsOldestFirst, "the_listing_is_newest_first", "are not all versions, newest first"),
    (IgnoresTheLimit, "the_listing_is_newest_first", "a page of 2 where 1 were asked for"),
    (PagesByOffset, "a_listing_stays_put", "a registration meanwhile repeats or hides a version"),
    (StartsOverAtAForeignCursor, "a_foreign_cursor_is_refused", "the foreign cursor '' is taken"),
    (MovesAnAliasFromAnywhere, "an_alias_moves_from_where_it_was_seen",
     "moved for somebody who saw 2: nothing is raised where Conflict is promised"),
    (SaysNothingInAConflict, "an_alias_moves_from_where_it_was_seen",
     "the Conflict does not say what was expected and found"),
    (PointsAnAliasAtNothing, "an_alias_points_at_a_version_that_exists",
     "an alias points at a version that does not exist"),
    (KeepsAnAliasThatWasTakenAway, "an_alias_is_taken_away",
     "an alias that was taken away is still there"),
    (ForgetsTheOrderOfAliases, "aliases_are_sorted", "aliases are not all, sorted"),
    (RaisesForAnUnknownReference, "an_unknown_reference_finds_nothing", "NotFound"),
    (FindsTheNearest, "an_unknown_reference_finds_nothing", "finds a version"),
    (FoldsCase, "any_text_is_a_name", "is not kept apart"),
    (NormalizesNames, "any_text_is_a_name", "is not kept apart"),
    (CutsLongNames, "a_name_is_stored_whole_or_refused", "a name was stored as another"),
    (PromisesToHoldEverything, "a_misfit_is_told_before",
     "a name is not said to be a misfit, and refused all the same"),
    (RefusesWhatItSaidToFit, "a_misfit_is_told_before",
     "an alias is not said to be a misfit, and refused all the same"),
    (RegistersWhenOnlyAsked, "a_misfit_is_told_before",
     "a version was stored when only its misfits were asked"),
    (ForgetsThatItDeleted, "a_deleted_id_stays_used",
     "an id that is used up is not said to be a misfit"),
    (BringsADeletedIdBack, "a_deleted_id_stays_used",
     "the id of a deleted version makes another: nothing is raised where Conflict is promised"),
    (PrintsItsToken, "a_secret_setting_is_not_printed",
     "the repr shows the secret setting 'token'"),
    (IsOfAnotherContract, "it_keeps_to_the_form", "it was written for contract 2.0"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A registry with one broken promise fails that promise's test, in words that say it."""
    catches(RegistrySuite, lambda folder: mutant(root=folder), test, sentence)


def test_the_registry_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation nothing is broken, and only the capability it lacks is unclaimed."""
    left = [one.test for one in unclaimed(RegistrySuite, lambda folder: AcmeRegistry(root=folder))]
    assert left == ["test_the_bytes_come_back"]


def test_a_declared_breach_is_expected_and_nothing_else_is():
    """A promise that a backend declares as broken is not counted, until it holds after all."""

    class Declares(RegistrySuite):
        cannot = {  # noqa: RUF012
            "test_any_text_is_a_name": "the service folds case",
            "test_aliases_are_sorted": "said in error",
        }

    outcomes = {one.test: one for one in run(Declares, lambda folder: FoldsCase(root=folder))}
    assert outcomes["test_any_text_is_a_name"].status == "declared"
    assert outcomes["test_any_text_is_a_name"].why == "the service folds case"
    assert outcomes["test_aliases_are_sorted"].status == "broken"
    with pytest.raises(TypeError, match="no such test"):
        type("Typo", (RegistrySuite,), {"cannot": {"test_any_text_is_a_nmae": "why"}})
