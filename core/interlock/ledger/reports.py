"""What a verification says."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Problem:
    """Something in the ledger that is not as the events say.

    Attributes:
        project: whose; empty for the ledger as a whole.
        sequence: the event at which it shows; None where it belongs to none.
        table: where.
        key: which row.
        column: which column; empty for the row as a whole.
        found: what is there, shortened.
        expected: what the events say should be there, shortened.

    >>> print(Problem(project="employment", sequence=3, table="releases", key="release-1",
    ...               column="revoked_at", found="None", expected="'2026-01-01'"))
    employment, event 3: releases release-1, revoked_at: found None, expected '2026-01-01'
    """

    project: str
    sequence: int | None
    table: str
    key: str
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = self.project or "the ledger"
        if self.sequence is not None:
            place += f", event {self.sequence}"
        where = f"{self.table} {self.key}" + (f", {self.column}" if self.column else "")
        return f"{place}: {where}: found {self.found}, expected {self.expected}"


@attrs.frozen(kw_only=True)
class Report:
    """What a verification found.

    Attributes:
        ledger: the ledger's id.
        projects: the projects that were verified.
        events: how many events were replayed.
        erased: the ids of events whose payload was erased, with a tombstone.
        problems: what is wrong, in the order of the events, at most as many as were asked for.
        more: whether there may be more problems than are listed.
        anchored: whether a checkpoint from outside was held against it; without one, a cut
            tail, a restored copy or a chain rewritten whole cannot show.
        signed: whether that checkpoint's signature was checked.

    >>> Report(ledger="ledger-1", projects=(), events=0).sentence
    'consistent, not anchored'
    """

    ledger: str
    projects: tuple[str, ...]
    events: int
    erased: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    more: bool = False
    anchored: bool = False
    signed: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def sentence(self) -> str:
        """The report in a few words."""
        if self.problems:
            return f"not as recorded: {self.problems[0]}"
        if not self.anchored:
            return "consistent, not anchored"
        by = (
            "a signed checkpoint" if self.signed else "a checkpoint whose signature was not checked"
        )
        return f"consistent, extends {by}"
