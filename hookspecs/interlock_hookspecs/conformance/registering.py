"""What a registration promises: the same version comes back, under its names and its facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interlock_hookspecs import Conflict, InvalidInput, Workspace
from interlock_hookspecs.conformance.suite import Suite, another, ask, must_raise
from interlock_hookspecs.conformance.versions import (
    FACTS,
    NAME,
    NAMES,
    UNSTORABLE,
    alias_of,
    hard_versions,
    listed,
    model_of,
    move,
    register,
)
from interlock_hookspecs.conformance.zones import AHEAD, BEHIND, in_zone


class RegisteringPromises(Suite):
    """What core relies on in ``register_version`` and ``get_version``."""

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

    def test_the_time_is_the_same_in_every_zone(self, plugin: Any, ws: Workspace) -> None:
        """A version has one time, whatever zone the process that registers or reads it is in."""
        before = datetime.now(UTC) - timedelta(minutes=5)
        with in_zone(AHEAD):
            made = register(plugin, "a", ws)
        if made.at is None:
            pytest.skip("optional: the registry keeps no time")
        with in_zone(BEHIND):
            found = ask(another(plugin), "get_version", name=NAME, ref=made.number)
        assert before < made.at < before + timedelta(minutes=10), "`at` is off by the time zone"
        assert found.at == made.at, "the time depends on the time zone of who reads it"

    def test_a_hard_version_comes_back_whole_or_is_refused(
        self, plugin: Any, ws: Workspace
    ) -> None:
        """Empty, huge or hostile, models and facts come back whole; else they are InvalidInput."""
        for what, version in hard_versions(ws).items():
            given = {"name": version.name, "id": version.id, "model": version.model}
            try:
                ask(plugin, "register_version", **given, facts=version.facts, ws=ws)
            except InvalidInput:
                continue
            found = ask(another(plugin), "get_version", name=version.name, ref=version.id)
            assert found is not None, f"{what}: a version is not found"
            assert found.model == version.model, f"{what}: the model that comes back is another"
            kept = {key: found.facts.get(key) for key in version.facts}
            assert kept == dict(version.facts), f"{what}: the facts that come back are others"
