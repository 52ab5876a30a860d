"""The registry's promises: identity, numbers, listing, aliases, deletion, many callers at once."""

from __future__ import annotations

import multiprocessing
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from interlock_hookspecs import (
    Conflict,
    InvalidInput,
    NotFound,
    Workspace,
)
from interlock_hookspecs.conformance.suite import Suite, another, ask, must_raise, needs
from interlock_hookspecs.conformance.versions import (
    FACTS,
    NAME,
    alias_of,
    at_once,
    holds,
    listed,
    model_of,
    move,
    register,
    wanted,
)
from interlock_hookspecs.conformance.workspace import LocalWorkspace

CALLERS = 8
NAMES = (
    "Zürich/modèle ✓",
    "Zu\u0308rich/mode\u0300le ✓",
    "a'b\"c;--",
    "../up",
    "A",
    "a",
    "a%",
    " ",
    "*",
)
UNSTORABLE = ("\0", "a\0b", "\ud800", "n" * 100_000)


class RegistrySuite(Suite):
    """What core relies on in a registry. ``delete_version`` and ``fetch_version`` are optional."""

    role = "registry"

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Register, list, and move an alias."""
        made = register(plugin, "a", ws)
        listed(plugin)
        move(plugin, alias_of(plugin), made.number)

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (a pointer has no bytes)
        """Move an alias under a name without versions."""
        move(plugin, None, "1")

    def test_a_version_comes_back_as_it_went_in(self, plugin: Any, ws: Workspace) -> None:
        """A version has the id, the name, the model and the facts it was registered with."""
        made = register(plugin, "a", ws)
        read = ask(another(plugin), "get_version", name=NAME, ref=made.number)
        assert read is not None, "a registered version is not there for the next process"
        for version in (made, read):
            assert (version.id, version.name) == (f"version-{NAME}-a", NAME), "id or name changed"
            assert version.model == model_of("a", ws), "the model that comes back is another"
            kept = {key: (type(value), value) for key, value in version.facts.items()}
            given = {key: (type(value), value) for key, value in FACTS.items()}
            assert kept.items() >= given.items(), "the facts changed value or type on their way"
            assert version.aliases == (), "a new version has an alias that nobody set"
        assert not made.existing, "a new version says that it existed"

    def test_the_time_is_the_registrations(self, plugin: Any, ws: Workspace) -> None:
        """A version that has a time has that of its registration."""
        before = datetime.now(UTC) - timedelta(minutes=5)
        made = register(plugin, "a", ws)
        if made.at is None:
            pytest.skip("optional: the registry keeps no time")
        assert before < made.at < before + timedelta(minutes=10), "`at` is not the time it happened"
        found = ask(another(plugin), "get_version", name=NAME, ref=made.number)
        assert found.at == made.at, "the time changes from one call to the next"

    def test_every_reference_finds_the_version(self, plugin: Any, ws: Workspace) -> None:
        """Number, alias, digest and id find the same version."""
        register(plugin, "a", ws)
        made = register(plugin, "b", ws)
        move(plugin, None, made.number)
        for ref in (made.number, "@champion", made.model.digest, made.id):
            found = ask(plugin, "get_version", name=NAME, ref=ref)
            assert found is not None, f"{ref} finds nothing"
            assert (found.id, found.number) == (made.id, made.number), (
                f"{ref} finds another version"
            )
            assert found.aliases == ("champion",), "a version does not show its alias"

    def test_an_unknown_reference_finds_nothing(self, plugin: Any, ws: Workspace) -> None:
        """What names no version is answered with None: no error, and no nearest match."""
        made = register(plugin, "a", ws)
        move(plugin, None, made.number)
        refs = ["", "@", "@challenger", "champion", "no-such-id", "999999", "sha256:" + "0" * 64]
        for ref in (*refs, "-1", f"0{made.number}", f" {made.number}", "9" * 40, "\0", "%"):
            assert ask(plugin, "get_version", name=NAME, ref=ref) is None, (
                f"{ref!r} finds a version"
            )
        for ref in (made.number, "@champion", made.model.digest, made.id):
            found = ask(plugin, "get_version", name="another", ref=ref)
            assert found is None, f"{ref!r} finds the version of another name"

    def test_the_same_id_twice_is_one_version(self, plugin: Any, ws: Workspace) -> None:
        """Asked again with an id, the registry gives the version that exists, and says so."""
        made = register(plugin, "a", ws)
        again = register(another(plugin), "a", ws)
        assert again.number == made.number, "one id registered twice made two versions"
        assert again.existing, "a version that existed is not called existing"
        assert len(listed(plugin)) == 1, "a repeated registration shows twice in the listing"

    def test_the_same_model_twice_is_one_version(self, plugin: Any, ws: Workspace) -> None:
        """A digest that the name has gives the version that exists, under its first id."""
        made = register(plugin, "a", ws)
        again = register(plugin, "a", ws, key="version-later")
        assert (again.number, again.id) == (made.number, made.id), "one digest became two versions"
        assert again.existing, "a version that existed is not called existing"
        assert not ask(plugin, "get_version", name=NAME, ref=made.id).existing, (
            "`existing` is remembered"
        )
        assert len(listed(plugin)) == 1, "one digest shows twice in the listing"

    def test_an_id_stands_for_one_model(self, plugin: Any, ws: Workspace) -> None:
        """An id that stands for another model is a Conflict, and nothing is registered."""
        register(plugin, "a", ws, key="version-1")
        with must_raise(Conflict, "an id was used again for another model"):
            register(plugin, "b", ws, key="version-1")
        assert len(listed(plugin)) == 1, "a refused registration left a version behind"

    def test_names_are_apart(self, plugin: Any, ws: Workspace) -> None:
        """Two names may hold one model, each with versions and aliases of its own."""
        first = register(plugin, "a", ws)
        other = register(plugin, "a", ws, name="other")
        assert not other.existing, "a model counts as registered because another name has it"
        assert [found.id for found in listed(plugin)] == [first.id], "a listing mixes two names"
        move(plugin, None, first.number)
        assert alias_of(plugin, name="other") is None, "an alias of one name shows on another"

    def test_numbers_are_distinct(self, plugin: Any, ws: Workspace) -> None:
        """Each version of a name has a number of its own."""
        numbers = [register(plugin, word, ws).number for word in "abcde"]
        assert len(set(numbers)) == len(numbers), "a number was used twice"

    def test_any_text_is_a_name(self, plugin: Any, ws: Workspace) -> None:
        """Names that differ in case, accents or punctuation are different names, kept as given."""
        for name in NAMES:
            register(plugin, "a", ws, name=name)
        for name in NAMES:
            found = [(version.name, version.id) for version in listed(plugin, name=name)]
            assert found == [(name, f"version-{name}-a")], f"the name {name!r} is not kept apart"

    def test_any_text_is_an_alias(self, plugin: Any, ws: Workspace) -> None:
        """Aliases that differ in case or accents are different aliases."""
        numbers = {
            alias: register(plugin, alias, ws).number for alias in ("Ä", "A\u0308", "a", "A")
        }
        for alias, number in numbers.items():
            move(plugin, None, number, alias=alias)
        for alias, number in numbers.items():
            assert alias_of(plugin, alias) == number, f"the alias {alias!r} is not kept apart"

    def test_a_name_is_stored_whole_or_refused(self, plugin: Any, ws: Workspace) -> None:
        """A name that cannot be stored is refused as InvalidInput, never cut or changed."""
        for name in UNSTORABLE:
            try:
                made = register(plugin, "a", ws, name=name, key=f"version-{len(name)}-{name[0]!r}")
            except InvalidInput:
                continue
            found = ask(plugin, "get_version", name=name, ref=made.number)
            assert found is not None, "a name was stored as another"
            assert found.name == name, "a name was cut or changed"

    def test_a_misfit_is_told_before(self, plugin: Any, ws: Workspace) -> None:
        """What the registry says it cannot hold it refuses; all else it holds."""
        needs(plugin, "find_misfits")
        for place, name in enumerate((NAME, *NAMES, *UNSTORABLE)):
            key = f"version-{place}"
            told = bool(ask(plugin, "find_misfits", version=wanted(key, name, ws)))
            held = holds(lambda name=name, key=key: register(plugin, "a", ws, name=name, key=key))  # type: ignore[misc]  # both are bound
            assert held is not told, f"a name is {_words(told, held)}"
        number = register(plugin, "a", ws).number
        for alias in ("Zürich ✓", *UNSTORABLE):
            version = wanted("version-alias", NAME, ws, alias)
            told = bool(ask(plugin, "find_misfits", version=version))
            held = holds(lambda alias=alias: move(plugin, None, number, alias=alias))  # type: ignore[misc]  # the alias is bound
            assert held is not told, f"an alias is {_words(told, held)}"
        ids = [found.id for found in listed(plugin)]
        assert "version-alias" not in ids, "a version was stored when only its misfits were asked"

    def test_the_listing_is_newest_first(self, plugin: Any, ws: Workspace) -> None:
        """Pages hold every version once, newest first, none longer than asked; unknown: none."""
        ids = [register(plugin, f"{place}", ws).id for place in range(12)]
        for limit in (1, 5, 12, 100):
            found = [version.id for version in listed(another(plugin), limit=limit)]
            assert len(found) == len(set(found)), f"pages of {limit} show a version twice"
            assert found == ids[::-1], f"pages of {limit} are not all versions, newest first"
        assert listed(plugin, name="unknown") == [], "an unknown name has versions"

    def test_a_listing_stays_put(self, plugin: Any, ws: Workspace) -> None:
        """A version registered while somebody pages moves nothing onto a page already read."""
        ids = [register(plugin, f"{place}", ws).id for place in range(6)]
        page = ask(plugin, "list_versions", name=NAME, cursor=None, limit=3)
        register(plugin, "new", ws)
        rest = ask(plugin, "list_versions", name=NAME, cursor=page.cursor, limit=10)
        found = [version.id for version in (*page.items, *rest.items)]
        assert found == ids[::-1], "a registration meanwhile repeats or hides a version"

    def test_a_foreign_cursor_is_refused(self, plugin: Any, ws: Workspace) -> None:
        """A cursor that this registry did not give is InvalidInput."""
        register(plugin, "a", ws)
        for cursor in ("", "not-a-cursor", "-1", "\0"):
            with must_raise(InvalidInput, f"the foreign cursor {cursor!r} is taken"):
                ask(plugin, "list_versions", name=NAME, cursor=cursor, limit=10)

    def test_an_alias_moves_from_where_it_was_seen(self, plugin: Any, ws: Workspace) -> None:
        """An alias moves only from the version that the caller saw; else Conflict says both."""
        one, two = (register(plugin, word, ws).number for word in "ab")
        move(plugin, None, one)
        assert alias_of(another(plugin)) == one, "an alias is not there for the next process"
        for expected, number in ((two, two), (None, two), (two, None), (None, None)):
            with must_raise(
                Conflict, f"an alias on {one} moved for somebody who saw {expected}"
            ) as caught:
                move(plugin, expected, number)
            said = (caught.value.expected, caught.value.found)
            assert said == (expected, one), "the Conflict does not say what was expected and found"
            assert alias_of(plugin) == one, "an alias that was refused moved all the same"
        move(plugin, one, two)
        assert alias_of(plugin) == two, "an alias did not move"
        assert ask(plugin, "get_version", name=NAME, ref=one).aliases == (), (
            "an alias is on two versions"
        )

    def test_an_alias_is_taken_away(self, plugin: Any, ws: Workspace) -> None:
        """An alias moved to None is gone, and can be set anew from None."""
        made = register(plugin, "a", ws)
        move(plugin, None, made.number)
        move(plugin, made.number, None)
        assert alias_of(plugin) is None, "an alias that was taken away is still there"
        move(plugin, None, made.number)
        assert alias_of(plugin) == made.number, "an alias that was taken away cannot be set again"

    def test_an_alias_points_at_a_version_that_exists(self, plugin: Any, ws: Workspace) -> None:
        """An alias to a number that there is not is NotFound, and stays where it was."""
        made = register(plugin, "a", ws)
        move(plugin, None, made.number)
        with must_raise(NotFound, "an alias points at a version that does not exist"):
            move(plugin, made.number, "999999")
        assert alias_of(plugin) == made.number, "an alias that was refused moved all the same"
        with must_raise(NotFound, "an alias was set under a name without versions"):
            ask(
                plugin,
                "set_alias",
                name="unknown",
                alias="champion",
                expected=None,
                number=made.number,
            )

    def test_aliases_are_sorted(self, plugin: Any, ws: Workspace) -> None:
        """A version's aliases come in one order, whatever order they were set in."""
        made = register(plugin, "a", ws)
        for alias in ("shadow", "champion", "blue"):
            move(plugin, None, made.number, alias=alias)
        for version in (ask(plugin, "get_version", name=NAME, ref=made.number), *listed(plugin)):
            assert version.aliases == ("blue", "champion", "shadow"), "aliases are not all, sorted"

    def test_many_callers_get_distinct_numbers(self, plugin: Any, ws: Workspace) -> None:
        """Registrations at once, from several threads, each give a version of its own."""
        words = [f"{place}" for place in range(CALLERS)]
        acts = [lambda word=word: register(another(plugin), word, ws) for word in words]
        numbers = [version.number for version in at_once(acts)]
        assert len(set(numbers)) == CALLERS, "registrations at once were given one number"
        assert len(listed(plugin)) == CALLERS, "registrations at once lost a version"

    def test_many_callers_of_one_id_get_one_version(self, plugin: Any, ws: Workspace) -> None:
        """One id registered by several at once is one version, and new to exactly one of them."""
        made = at_once([lambda: register(another(plugin), "a", ws)] * CALLERS)
        assert len({version.number for version in made}) == 1, "one id at once made two versions"
        assert [version.existing for version in made].count(False) == 1, "`existing` is wrong"
        assert len(listed(plugin)) == 1, "one id at once shows twice in the listing"

    def test_one_of_many_moves_the_alias(self, plugin: Any, ws: Workspace) -> None:
        """Of several that move an alias from the same version at once, exactly one succeeds."""
        numbers = [register(plugin, f"{place}", ws).number for place in range(CALLERS)]

        def tried(number: str) -> bool:
            try:
                move(another(plugin), None, number)
            except Conflict:
                return False
            return True

        done = at_once([lambda number=number: tried(number) for number in numbers])  # type: ignore[misc]  # the number is bound
        assert done.count(True) == 1, "several callers moved one alias from the same version"
        assert alias_of(plugin) == numbers[done.index(True)], "the alias is not where it was moved"

    def test_many_processes_register(self, plugin: Any, ws: Workspace) -> None:
        """Registrations at once, from several processes, each give a version of its own."""
        if "fork" not in multiprocessing.get_all_start_methods():
            pytest.skip("this platform cannot fork; threads are tried in its stead")
        context = multiprocessing.get_context("fork")
        words = [f"{place}" for place in range(4)]
        children = [
            context.Process(target=register, args=(another(plugin), word, ws)) for word in words
        ]
        with warnings.catch_warnings():
            # Python warns of a fork beside threads; these children only call the plugin.
            warnings.simplefilter("ignore", DeprecationWarning)
            for child in children:
                child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0] * 4, "a process could not register"
        numbers = {version.number for version in listed(plugin)}
        assert len(numbers) == len(words), "processes at once share a number or lost a version"

    def test_a_killed_registration_can_be_made_again(self, plugin: Any, ws: Workspace) -> None:
        """Killed while it registers, a process leaves whole versions; the same ids then follow."""
        if "fork" not in multiprocessing.get_all_start_methods():
            pytest.skip("this platform cannot fork a process to be killed")
        words = [f"{place}" for place in range(6)]
        child = multiprocessing.get_context("fork").Process(
            target=_register_all, args=(another(plugin), words, ws)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        while child.is_alive() and not listed(plugin):
            child.join(0.01)
        child.kill()
        child.join(60)
        whole = {version.number for version in listed(plugin)}
        numbers = [register(plugin, word, ws).number for word in words]
        assert len(set(numbers)) == len(words), "after a kill, two ids share a number"
        assert whole <= set(numbers), "a kill left a version that no id stands for"
        assert len(listed(plugin)) == len(words), "after a kill, the listing is not of all versions"

    def test_a_deleted_version_is_gone(self, plugin: Any, ws: Workspace) -> None:
        """A deleted version is found by nothing and listed nowhere; a missing one is NotFound."""
        needs(plugin, "delete_version")
        kept, gone = register(plugin, "a", ws), register(plugin, "b", ws)
        ask(plugin, "delete_version", name=NAME, number=gone.number)
        for ref in (gone.number, gone.model.digest, gone.id):
            assert ask(another(plugin), "get_version", name=NAME, ref=ref) is None, (
                "a deleted version is found"
            )
        assert [version.id for version in listed(plugin)] == [kept.id], (
            "a deleted version is listed"
        )
        for number in (gone.number, "999999", "x"):
            with must_raise(NotFound, "a version that is not there was deleted"):
                ask(plugin, "delete_version", name=NAME, number=number)

    def test_a_deleted_number_stays_used(self, plugin: Any, ws: Workspace) -> None:
        """The number of a deleted version is never given again."""
        needs(plugin, "delete_version")
        numbers = [register(plugin, word, ws).number for word in "ab"]
        for number in numbers:
            ask(plugin, "delete_version", name=NAME, number=number)
        fresh = register(another(plugin), "c", ws).number
        assert fresh not in numbers, "the number of a deleted version was used again"

    def test_an_aliased_version_is_not_deleted(self, plugin: Any, ws: Workspace) -> None:
        """A version that an alias points at is a Conflict to delete, and stays."""
        needs(plugin, "delete_version")
        made = register(plugin, "a", ws)
        move(plugin, None, made.number)
        with must_raise(Conflict, "a version was deleted under its alias"):
            ask(plugin, "delete_version", name=NAME, number=made.number)
        assert alias_of(plugin) == made.number, "a version that was not deleted is gone"

    def test_the_bytes_come_back(self, plugin: Any, ws: Workspace) -> None:
        """A registry that keeps its own copy gives back the bytes of the version's digest."""
        needs(plugin, "fetch_version")
        made = register(plugin, "a", ws)
        found = ask(another(plugin), "get_version", name=NAME, ref=made.number)
        kept = ask(plugin, "fetch_version", version=attrs.evolve(found, aliases=()), ws=ws)
        assert kept.digest == made.model.digest, "the registry gives back other bytes"
        assert ws.locate(kept).read_text(encoding="utf-8") == "a", "the bytes are others"


def _words(told: bool, held: bool) -> str:
    said = "said not to fit" if told else "not said to be a misfit"
    return f"{said}, and {'held' if held else 'refused'} all the same"


def _register_all(plugin: Any, words: list[str], ws: Workspace) -> None:
    for word in words:
        register(plugin, word, ws)
