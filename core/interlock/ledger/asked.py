"""What a server asks of a ledger, however that is read: with SQLAlchemy or without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from interlock.ledger.values import PAGE, Row


class ServerReads(ABC):
    """The questions of a server, made of a few that a way to read must answer."""

    @abstractmethod
    def listing(
        self, table: str, project: str | None, *, limit: int | None = PAGE, **equal: Any
    ) -> list[Row]:
        """A page of a listing, newest first; filters that are None do not filter."""

    @abstractmethod
    def one(self, table: str, identifier: str) -> Row | None:
        """The row with an id, or None."""

    @abstractmethod
    def stages(self, run: str) -> list[Row]:
        """The stage executions of a run, in order."""

    @abstractmethod
    def endpoint_deployment(self, project: str, stack: str, endpoint: str) -> Row | None:
        """The latest deployment of an endpoint that was not removed, or None.

        One that failed counts where there is no other: what served before it serves on.
        """

    @abstractmethod
    def events(
        self,
        project: str,
        *,
        after: int | None = None,
        subject: str | None = None,
        limit: int | None = PAGE,
    ) -> list[Row]:
        """Events of a project in order: the first after a sequence, or else the latest.

        Each has project, sequence, id, kind, at, actor (the subject's name), verified, subject,
        run, digest and payload, which is None where it was erased.
        """

    def runs_of(self, project: str, *, model: str, stack: str) -> list[Row]:
        """Every run of a stack that made a model, newest first."""
        return self.listing("runs", project, model=model, stack=stack, limit=None)

    def reviews(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Reviews, newest first; ``run``, ``dossier`` and ``outcome`` filter."""
        return self.listing("reviews", project, **filters)

    def approvals(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Approvals and rejections, newest first; ``run``, ``dossier`` and ``actor`` filter."""
        return self.listing("approvals", project, **filters)

    def release(self, identifier: str) -> Row | None:
        """A release, or None."""
        return self.one("releases", identifier)

    def champion(self, project: str, stack: str, endpoint: str) -> Row | None:
        """The release that is live at an endpoint, or None; the server may be down meanwhile."""
        deployed = self.endpoint_deployment(project, stack, endpoint)
        return self.release(deployed["live"]) if deployed and deployed["live"] else None

    def deployments(self, project: str | None = None, **filters: Any) -> list[Row]:
        """Deployments, newest first; ``stack``, ``endpoint`` and ``status`` filter."""
        return [with_targets(row) for row in self.listing("deployments", project, **filters)]

    def deployment(self, identifier: str) -> Row | None:
        """A deployment, its record with the targets it is to serve now; or None."""
        row = self.one("deployments", identifier)
        return None if row is None else with_targets(row)

    def endpoint_history(
        self, project: str, stack: str, endpoint: str, *, after: int = 0
    ) -> list[Row]:
        """What was live at an endpoint, oldest first: deployment, sequence, at, release, reason.

        All of it, or only what went live after a sequence.
        """
        from interlock.ledger.history import lived

        def events(deployment: str, after: int) -> list[Row]:
            return self.events(project, subject=deployment, after=after, limit=None)

        deployments = self.deployments(project, stack=stack, endpoint=endpoint, limit=None)
        return lived(deployments, events, after=after)

    def open_rollout(self, project: str, stack: str, endpoint: str) -> Row | None:
        """What is being rolled out at an endpoint, or None."""
        found = self.listing(
            "rollouts", project, stack=stack, endpoint=endpoint, status="open", limit=1
        )
        return found[0] if found else None


def with_targets(row: Row) -> Row:
    """The deployment's record with the targets of the last change to them."""
    if row["body"] is None or row["targets"] is None:
        return row
    return {**row, "body": {**row["body"], "targets": row["targets"]}}
