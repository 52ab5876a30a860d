"""What an alias promises: it moves from where it was seen, and points at what there is."""

from __future__ import annotations

from typing import Any

from interlock_hookspecs import Conflict, NotFound, Workspace
from interlock_hookspecs.conformance.suite import Suite, another, ask, must_raise
from interlock_hookspecs.conformance.versions import NAME, alias_of, listed, move, register


class AliasPromises(Suite):
    """What core relies on in ``set_alias``."""

    def test_any_text_is_an_alias(self, plugin: Any, ws: Workspace) -> None:
        """Aliases that differ in case or accents are different aliases."""
        numbers = {
            alias: register(plugin, alias, ws).number for alias in ("Ä", "A\u0308", "a", "A")
        }
        for alias, number in numbers.items():
            move(plugin, None, number, alias=alias)
        for alias, number in numbers.items():
            assert alias_of(plugin, alias) == number, f"the alias {alias!r} is not kept apart"

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
