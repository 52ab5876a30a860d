"""What a registry promises many callers at once, and one that is killed."""

from __future__ import annotations

import functools
from typing import Any

from interlock_hookspecs import Conflict, Workspace
from interlock_hookspecs.conformance.suite import Suite, another
from interlock_hookspecs.conformance.together import (
    CALLERS,
    PROCESSES,
    at_once,
    forking,
    in_processes,
    quiet_forks,
)
from interlock_hookspecs.conformance.versions import alias_of, listed, move, register

MOVES = 2


class ContendingPromises(Suite):
    """What holds for threads and processes that register and move aliases together."""

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
        words = [f"{place}" for place in range(PROCESSES)]
        made = in_processes(
            [functools.partial(register, another(plugin), word, ws) for word in words]
        )
        numbers = {version.number for version in made}
        assert len(numbers) == len(words), "processes at once were given one number"
        assert {version.number for version in listed(plugin)} == numbers, (
            "processes at once lost a version"
        )

    def test_many_processes_move_the_alias(self, plugin: Any, ws: Workspace) -> None:
        """Processes that move one alias at once undo no move of another's."""
        steps = PROCESSES * MOVES
        numbers = [register(plugin, f"{place}", ws).number for place in range(steps + 1)]
        move(plugin, None, numbers[0])
        in_processes(
            [functools.partial(_climb, another(plugin), numbers) for _ in range(PROCESSES)]
        )
        # Each has moved it a version on so many times, from where it saw it.
        found = numbers.index(alias_of(plugin) or "")
        assert found == steps, (
            f"of {steps} moves by {PROCESSES} processes, {steps - found} are lost"
        )

    def test_a_killed_registration_can_be_made_again(self, plugin: Any, ws: Workspace) -> None:
        """Killed while it registers, a process leaves whole versions; the same ids then follow."""
        words = [f"{place}" for place in range(6)]
        child = forking().Process(target=_register_all, args=(another(plugin), words, ws))
        with quiet_forks():
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


def _climb(plugin: Any, numbers: list[str]) -> None:
    """Move the alias a version on, as often as each caller does, from wherever it is seen."""
    moved = 0
    while moved < MOVES:
        seen = alias_of(plugin)
        assert seen in numbers, f"an alias on {numbers[0]} is on {seen}"
        try:
            move(plugin, seen, numbers[numbers.index(seen) + 1])
        except Conflict:
            continue
        moved += 1


def _register_all(plugin: Any, words: list[str], ws: Workspace) -> None:
    for word in words:
        register(plugin, word, ws)
