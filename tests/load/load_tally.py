"""What came of asking an endpoint, over whichever protocol: each answer is checked here."""

from __future__ import annotations

from collections import Counter
from typing import Any

BROKEN = "the connection broke"
_KEPT = 20
_CELLS = 4_000
_CELL_SECONDS = 0.001


class Tally:
    """What came of asking.

    Attributes:
        plan: where, what, and what is to be answered.
        answered: by release.
        by: how many of them over each protocol.
        wrong: how many answers are none of the release that they name.
        examples: the first few of them.
        unanswered: of each request that got no answer its connection, its number, why, and the
            process of the worker.
        greetings: connections that broke before they knew their worker.
        refused: connections that nobody took.
        cells: answers by their time, a millisecond each.
        longest: seconds of the slowest answer.
        stopping: whether nothing more is to be asked.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.answered: Counter[str] = Counter()
        self.by: Counter[str] = Counter()
        self.wrong = 0
        self.examples: list[Any] = []
        self.unanswered: list[tuple[int, int, str, int]] = []
        self.greetings = 0
        self.refused = 0
        self.cells = [0] * (_CELLS + 1)
        self.longest = 0.0
        self.stopping = False

    def told(self, seconds: float, askers: list[Asker]) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "seconds": seconds,
            "answered": self.answered,
            "by": self.by,
            "wrong": self.wrong,
            "examples": self.examples,
            "unanswered": self.unanswered,
            "greetings": self.greetings,
            "refused": self.refused,
            "p50": self._quantile(0.5),
            "p99": self._quantile(0.99),
            "longest": self.longest,
            "asked": [asker.number for asker in askers],
            "workers": [asker.workers for asker in askers],
        }

    def took(self, seconds: float) -> None:
        """Count the time of an answer, whatever it says."""
        self.cells[min(_CELLS, int(seconds / _CELL_SECONDS))] += 1
        self.longest = max(self.longest, seconds)

    def _quantile(self, share: float) -> float:
        left = share * sum(self.cells)
        for place, count in enumerate(self.cells):
            left -= count
            if left <= 0:
                return (place + 1) * _CELL_SECONDS
        return self.longest


class Asker:
    """Who asks one request after the other, over one connection at a time.

    Attributes:
        place: which of the connections.
        protocol: over which it asks.
        tally: of all.
        number: how many requests it asked.
        workers: from which number on which process answered.
    """

    def __init__(self, place: int, protocol: str, tally: Tally) -> None:
        self.place = place
        self.protocol = protocol
        self.tally = tally
        self.number = 0
        self.workers: list[tuple[int, int]] = []

    @property
    def worker(self) -> int:
        """The process that is asked; 0 before one is known."""
        return self.workers[-1][1] if self.workers else 0

    def meet(self, worker: int) -> None:
        """Say which process the next requests go to."""
        self.workers.append((self.number, worker))

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next request: its id, and the row that it asks about."""
        rows = self.tally.plan["rows"]
        asked = f"{self.place}-{self.number}", rows[self.number % len(rows)]
        self.number += 1
        return asked

    def take(self, release: str, name: str, given: dict[str, Any]) -> None:
        """Hold an answer to the latest request against what its release must say."""
        tally, number = self.tally, self.number - 1
        tally.answered[release] += 1
        tally.by[self.protocol] += 1
        wanted = tally.plan["expected"].get(release)
        row = number % len(tally.plan["rows"])
        if name != f"{self.place}-{number}" or wanted is None or given != wanted[row]:
            tally.wrong += 1
            if len(tally.examples) < _KEPT:
                tally.examples.append([self.protocol, release, name, given])

    def miss(self, why: str) -> None:
        """The latest request got no answer."""
        self.tally.unanswered.append((self.place, self.number - 1, why, self.worker))

    async def run(self) -> None:
        """Ask until told to stop."""
        raise NotImplementedError
