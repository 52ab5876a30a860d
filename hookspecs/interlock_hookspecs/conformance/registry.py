"""The registry's promises: identity, numbers, listing, aliases, deletion, many callers at once."""

from __future__ import annotations

from typing import Any

import attrs

from interlock_hookspecs import Conflict, InvalidInput, NotFound, Workspace
from interlock_hookspecs.conformance.aliasing import AliasPromises
from interlock_hookspecs.conformance.contending import ContendingPromises
from interlock_hookspecs.conformance.registering import RegisteringPromises
from interlock_hookspecs.conformance.suite import another, ask, has, must_raise, needs
from interlock_hookspecs.conformance.versions import (
    NAME,
    NAMES,
    UNSTORABLE,
    alias_of,
    hard_versions,
    holds,
    listed,
    move,
    register,
    wanted,
)
from interlock_hookspecs.conformance.workspace import LocalWorkspace


class RegistrySuite(RegisteringPromises, AliasPromises, ContendingPromises):
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
        for what, version in hard_versions(ws).items():
            given = {"name": version.name, "id": version.id, "model": version.model}
            told = bool(ask(plugin, "find_misfits", version=version))
            held = holds(
                lambda given=given, facts=version.facts: ask(  # type: ignore[misc]  # both are bound
                    plugin, "register_version", **given, facts=facts, ws=ws
                )
            )
            assert held is not told, f"{what}: it is {_words(told, held)}"
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

    def test_a_deleted_id_stays_used(self, plugin: Any, ws: Workspace) -> None:
        """The id of a deleted version makes no other, and a misfit tells so before it is tried."""
        needs(plugin, "delete_version")
        made = register(plugin, "a", ws)
        ask(plugin, "delete_version", name=NAME, number=made.number)
        if has(plugin, "find_misfits"):
            told = ask(another(plugin), "find_misfits", version=made)
            assert told, "an id that is used up is not said to be a misfit"
        with must_raise(Conflict, "the id of a deleted version makes another"):
            register(another(plugin), "a", ws, key=made.id)
        assert listed(plugin) == [], "a deleted version is back"

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
