"""What the lifecycle, the commands and the server ask of a ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import desc, select

from interlock.ledger.asked import ServerReads, with_targets
from interlock.ledger.rows import Rows, by_id
from interlock.ledger.tables import PROJECTIONS
from interlock.ledger.values import DONE, PAGE, Row


class Reads(Rows, ServerReads):
    """Questions to a ledger, by name."""

    def runs(
        self,
        project: str | None = None,
        *,
        status: str | None = None,
        stack: str | None = None,
        actor: str | None = None,
        model: str | None = None,
        since: datetime | None = None,
        limit: int | None = PAGE,
        before: str | None = None,
    ) -> list[Row]:
        """Runs, newest first."""
        return self.listing(
            "runs",
            project,
            limit=limit,
            before=before,
            since=since,
            status=status,
            stack=stack,
            actor=actor,
            model=model,
        )

    def run(self, identifier: str) -> Row | None:
        """A run, or None."""
        return self.one("runs", identifier)

    def stages(self, run: str) -> list[Row]:
        """The stage executions of a run, in order."""
        table = PROJECTIONS["stages"]
        return sorted(self.rows(select(table).where(table.c.run == run)), key=by_id)

    def finished_stage(self, run: str, stage: str) -> Row | None:
        """The latest execution of a stage in a run that has a result, or None."""
        table = PROJECTIONS["stages"]
        return self.row(
            select(table)
            .where(table.c.run == run, table.c.stage == stage, table.c.status.in_(DONE))
            .order_by(desc(table.c.sequence))
        )

    def stage_outputs(self, run: str, stage: str) -> dict[str, Any] | None:
        """What a stage of a run gave, or None where it has no result."""
        row = self.finished_stage(run, stage)
        return None if row is None else row["outputs"]

    def stage_by_inputs(self, project: str, stage: str, inputs: str) -> Row | None:
        """The latest execution of a stage that finished with the same inputs, or None."""
        columns = PROJECTIONS["stages"].c
        return self.row(
            select(PROJECTIONS["stages"])
            .where(
                columns.project == project,
                columns.stage == stage,
                columns.inputs == inputs,
                columns.status == "finished",
            )
            .order_by(desc(columns.sequence))
        )

    def datasets(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Datasets, the greatest digest first; ``run`` filters."""
        return self.listing("datasets", project, **filters)

    def candidates(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Candidates, newest first; ``run`` and ``model`` filter."""
        return self.listing("candidates", project, **filters)

    def checks(self, run: str, phase: str | None = None) -> list[Row]:
        """The checks of a run as last measured, by phase, in the order they were given."""
        table = PROJECTIONS["checks"]
        statement = select(table).where(table.c.run == run)
        if phase is not None:
            statement = statement.where(table.c.phase == phase)
        return self.rows(statement.order_by(table.c.phase, table.c.ordinal))

    def profiles(self, run: str) -> list[Row]:
        """The reference profiles of a run."""
        table = PROJECTIONS["profiles"]
        return self.rows(select(table).where(table.c.run == run).order_by(table.c.ordinal))

    def versions(
        self, project: str | None = None, *, status: str | None = "registered", **filters: Any
    ) -> list[Row]:
        """Registered versions, newest first; ``run``, ``name``, ``model`` and ``status`` filter.

        A status is ``intended``, ``registered``, or ``existing`` where the registry had the
        digest already; None for all.
        """
        return self.listing("versions", project, status=status, **filters)

    def version(self, identifier: str) -> Row | None:
        """A version, or None."""
        return self.one("versions", identifier)

    def intended_version(self, run: str) -> str | None:
        """The id of the version that a run was about to register when it stopped, or None."""
        rows = self.listing("versions", self._project_of(run), run=run, status="intended", limit=1)
        return str(rows[0]["id"]) if rows else None

    def alias(self, project: str, name: str, alias: str) -> Row | None:
        """What an alias points at, as last moved by us, or None."""
        table = PROJECTIONS["aliases"]
        return self.row(
            select(table).where(
                table.c.project == project, table.c.name == name, table.c.alias == alias
            )
        )

    def latest_review(self, run: str) -> Row | None:
        """The last review of a run, or None."""
        rows = self.listing("reviews", self._project_of(run), run=run, limit=1)
        return rows[0] if rows else None

    def review(self, identifier: str) -> Row | None:
        """A review, or None."""
        return self.one("reviews", identifier)

    def verdicts(self, run: str) -> list[Row]:
        """The verdicts of the last review of a run."""
        held = self.latest_review(run)
        if held is None:
            return []
        table = PROJECTIONS["verdicts"]
        return self.rows(
            select(table).where(table.c.review == held["id"]).order_by(table.c.ordinal)
        )

    def releases(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Releases, newest first; ``run``, ``stack``, ``endpoint``, ``model``, ``dossier``."""
        return self.listing("releases", project, **filters)

    def endpoint_deployment(self, project: str, stack: str, endpoint: str) -> Row | None:
        """The latest deployment of an endpoint that was not removed, or None.

        One that failed counts where there is no other: what served before it serves on.
        """
        table = PROJECTIONS["deployments"]
        here = (
            select(table)
            .where(
                table.c.project == project,
                table.c.endpoint == endpoint,
                table.c.stack == stack,
                table.c.status != "removed",
            )
            .order_by(desc(table.c.id))
        )
        row = self.row(here.where(table.c.status != "failed")) or self.row(here)
        return None if row is None else with_targets(row)

    def rollouts(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Rollouts, newest first; ``stack``, ``endpoint``, ``release`` and ``status`` filter."""
        return self.listing("rollouts", project, **filters)

    def rollout(self, identifier: str) -> Row | None:
        """A rollout, or None."""
        return self.one("rollouts", identifier)

    def labels(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Labels that arrived, newest first; ``digest`` filters."""
        return self.listing("labels", project, **filters)

    def windows(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Windows looked at, newest first; ``release``, ``endpoint`` and ``key`` filter."""
        return self.listing("windows", project, **filters)

    def window_by_key(self, project: str, key: str) -> Row | None:
        """The window that exactly these rows and labels were looked at in, or None."""
        rows = self.listing("windows", project, key=key, limit=1)
        return rows[0] if rows else None

    def last_window_end(
        self, project: str, stack: str, endpoint: str, *, now: datetime, far: int | None = None
    ) -> int | str | None:
        """Where monitoring of an endpoint left off: a period, or a time as text; or None.

        A window of times that ends after ``now``, or of periods that ends after ``far``, says
        nothing of what is still to come in it.
        """
        table = PROJECTIONS["windows"]
        latest = (
            select(table.c.end)
            .where(
                table.c.project == project,
                table.c.endpoint == endpoint,
                table.c.stack == stack,
                table.c.end.is_not(None),
            )
            .order_by(desc(table.c.id))
        )
        ends = [row["end"] for row in self.rows(latest)]
        # A look back at an older window does not move the end; the newest says which kind it is.
        alike = [end for end in ends if type(end) is type(ends[0])]
        if isinstance(ends[0] if ends else "", int):
            over = [end for end in alike if far is None or end <= far]
        else:
            over = [end for end in alike if datetime.fromisoformat(end) <= now]
        return max(over, default=None)

    def findings(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Findings, newest first; ``window``, ``release`` and ``status`` filter."""
        return self.listing("findings", project, **filters)

    def find(self, text: str, *, project: str | None = None) -> tuple[str, Row]:
        """What an id, a short id or the beginning of a digest names: its table and its row."""
        from interlock.ledger.find import find

        return find(self, text, project=project)

    def _project_of(self, run: str) -> str | None:
        row = self.run(run)
        return None if row is None else row["project"]
