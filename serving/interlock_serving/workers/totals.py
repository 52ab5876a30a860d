"""What an endpoint counted, for as long as it is: never less than anybody was told before.

Each place of the endpoint has a slot, with what was counted there by all who were in it, one after
the other. Whoever answers says first what it counted itself, in its own slot, and reads those of
the others then: what it answers stands in the slots when the next one is asked, whichever that is,
and whoever is killed.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from typing import Any

import attrs
import orjson

from interlock_serving.workers.slots import Slot

Plain = dict[str, Any]
Counts = dict[str, dict[str, Any]]
"""By the name of a count, and by what it is of: numbers, rows of them, and either by name."""

_OF_RELEASES = frozenset(("traffic", "cells", "seconds", "refused", "failed", "expired"))
"""Counts of releases, which begin anew where a release is taken out everywhere and put back."""
_TOLD = ("requests", "refused", "failed", "latencies")


@attrs.frozen
class Total:
    """What an endpoint counted.

    Attributes:
        counts: each of a release by its id, and ``traffic`` by release and whether it is a mirror.
        since: from when on each of these is.
        lost: captures that were lost.
        skipped: mirrors that were skipped.
    """

    counts: Counts
    since: dict[str, str]
    lost: int

    @property
    def skipped(self) -> int:
        """Copies of requests that no mirror took."""
        return int(self.counts["skipped"]["mirrors"])

    def traffic(self, states: Sequence[Plain]) -> list[Plain]:
        """The traffic of what is served, with the weight that the first says who serves it.

        Args:
            states: the readiness of each worker.
        """
        rows: dict[str, Plain] = {}
        for state in states:
            for row in state["traffic"]:
                rows.setdefault(key_of(row), row)
        counted = self.counts["traffic"]
        return [
            {**row, "since": self.since[key], **counted[key]}
            for key, row in rows.items()
            if key in counted
        ]


class Totals:
    """What a worker counted, together with the other places of its endpoint.

    Touched on the event loop's thread only.

    Args:
        slots: of each place.
        number: which of them is this worker's.
    """

    def __init__(self, slots: Sequence[Slot], number: int) -> None:
        self._slots = slots
        self._number = number
        before = _read(slots[number])
        self._since: dict[str, str] = before["since"]
        self._shown: int = before["shown"]
        self._base: Counts = before["counts"]
        """Counted here, and by nobody who counts now: by who was here before, of what is gone."""
        self._own: Counts = {}

    def total(self, own: Plain, metrics: Counts, others: Sequence[Plain] | None) -> Total:
        """Tell what this worker counted until now, and give what the endpoint did.

        Args:
            own, metrics, others: as `tell` takes them.
        """
        said = [_read(slot) for slot in self._slots]
        pids = {state["pid"] for state in others or ()}
        # Who died, whoever came after it has found on disk what it had lost, or will: until then,
        # and where the heir is in another place, it is as many as were told of.
        lost = own["captures_lost"] + sum(each["lost"] for each in said if each["pid"] in pids)
        self._shown = max(lost, self._shown, *(each["shown"] for each in said))
        said[self._number] = self.tell(own, metrics, others)
        # In the order of places, whoever is asked: sums of fractions differ by it.
        counts = functools.reduce(added, (each["counts"] for each in said))
        since = functools.reduce(_earliest, (each["since"] for each in said))
        return Total(_without(counts, _live([own, *(others or ())])), since, self._shown)

    def tell(self, own: Plain, metrics: Counts, others: Sequence[Plain] | None) -> Plain:
        """Say in this worker's slot what was counted there until now; gives what it said.

        Args:
            own: this worker's readiness.
            metrics: its counts for metrics; empty where they are not wanted.
            others: the readiness of each other worker that is there, as it last said; None while
                nothing was heard of them.
        """
        counts: Counts = {
            "traffic": {key_of(row): {name: row[name] for name in _TOLD} for row in own["traffic"]},
            "skipped": {"mirrors": own["mirrors_skipped"]},
            **metrics,
        }
        self._carry_over(counts)
        live = _live([own, *(others or ())])
        if others is not None and live:
            self._base = _without(self._base, live)
            self._since = {key: since for key, since in self._since.items() if key in live}
        for row in own["traffic"]:
            key = key_of(row)
            self._since[key] = min(row["since"], self._since.get(key, row["since"]))
        said = {
            "pid": own["pid"],
            "lost": own["captures_lost"],
            "shown": self._shown,
            "since": self._since,
            "counts": added(counts, self._base),
        }
        self._slots[self._number].write(orjson.dumps(said))
        return said

    def _carry_over(self, now: Counts) -> None:
        """Keep what was counted and is counted no more: its model is gone, or was opened anew."""
        for name, series in self._own.items():
            for of, count in series.items():
                if of not in now[name] or is_less(now[name][of], count):
                    kept = self._base.setdefault(name, {})
                    kept[of] = added(count, kept[of]) if of in kept else count
        # A copy: rows of numbers go on being counted in.
        self._own = orjson.loads(
            orjson.dumps({name: now[name] for name in _OF_RELEASES & now.keys()})
        )


def key_of(row: Plain) -> str:
    """What a row of traffic is of: a release, as a model or as a mirror."""
    return f"{row['release']} {row['mirror']:d}"


def added(one: Any, other: Any) -> Any:
    """Counts of any shape, added up: numbers, rows of them, and either by name.

    >>> added({"a": 1, "b": [1, 2]}, {"b": [0, 3], "c": {"d": 4}})
    {'a': 1, 'b': [1, 5], 'c': {'d': 4}}
    """
    if isinstance(one, dict):
        both = {name: added(one[name], other[name]) for name in one if name in other}
        return {**one, **other, **both}
    if isinstance(one, list):
        return [added(*pair) for pair in zip(one, other, strict=True)]
    return one + other


def is_less(one: Any, other: Any) -> bool:
    """Whether one of these counts is less than it is in others of the same shape.

    >>> is_less({"a": 9, "b": [1, 2]}, {"a": 1, "b": [1, 3]})
    True
    """
    if isinstance(other, dict):
        return any(name not in one or is_less(one[name], other[name]) for name in other)
    if isinstance(other, list):
        return any(is_less(*pair) for pair in zip(one, other, strict=True))
    return bool(one < other)


def _read(slot: Slot) -> Plain:
    said = slot.read()
    empty = {"pid": 0, "lost": 0, "shown": 0, "since": {}, "counts": {}}
    return orjson.loads(said) if said else empty


def _live(states: Sequence[Plain]) -> Collection[str]:
    """The releases that are served, by their ids, and each as a model or a mirror."""
    rows = [row for state in states for row in state["traffic"]]
    return {row["release"] for row in rows} | {key_of(row) for row in rows}


def _without(counts: Counts, live: Collection[str]) -> Counts:
    """Counts without those of releases that nobody serves."""
    return {
        name: {of: count for of, count in series.items() if of in live}
        if name in _OF_RELEASES
        else series
        for name, series in counts.items()
    }


def _earliest(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    return {key: min(each[key] for each in (one, other) if key in each) for key in {**one, **other}}
