"""A release that went back here already: what is not changed is not tried on users again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from interlock.ledger import Reads
    from interlock_hookspecs import Endpoint

_BACK = ("rolled-back", "aborted")
_STANDS = ("open", "promoted")


@attrs.frozen(kw_only=True)
class GoneBack:
    """When and why an endpoint went back from a release.

    Attributes:
        release: which.
        how: ``rolled-back`` by what was measured of it, ``aborted`` by a person, or ``rollback``
            where it was live already.
        at: when, as the ledger writes a time.
        reason: why.
        rollout: the rollout that it was in; empty for a ``rollback``.
    """

    release: str
    how: str
    at: str
    reason: str
    rollout: str = ""


def gone_back(reads: Reads, endpoint: Endpoint, release_id: str) -> GoneBack | None:
    """How an endpoint went back from a release; None where it did not, or came to it again since.

    Args:
        reads: of the ledger.
        endpoint: where.
        release_id: which release.
    """
    where = (endpoint.project, endpoint.stack, endpoint.name)
    rollouts = reads.rollouts(
        endpoint.project,
        stack=endpoint.stack,
        endpoint=endpoint.name,
        release=release_id,
        limit=None,
    )
    # Before it was made it was live nowhere: a long life of the endpoint is not read for it.
    made = reads.events(endpoint.project, subject=release_id, after=0, limit=1)
    since = made[0]["sequence"] if made else 0
    return last_word(release_id, rollouts, reads.endpoint_history(*where, after=since))


def last_word(
    release_id: str, rollouts: Iterable[Mapping[str, Any]], history: Iterable[Mapping[str, Any]]
) -> GoneBack | None:
    """What an endpoint last came to of a release: where it went back, how.

    A rollout that was superseded says nothing of its release, and one that is open says that
    somebody tries it again.

    Args:
        release_id: which release.
        rollouts: those of it at the endpoint, as the ledger has them.
        history: what was live at the endpoint, oldest first, at least since the release was made:
            `endpoint_history`.
    """
    said = itertools.chain(_rolled(rollouts), _lived(release_id, history))
    _, last = max(said, key=lambda one: one[0], default=(0, None))
    return last


def _rolled(rollouts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, GoneBack | None]]:
    for row in rollouts:
        if row["status"] in _BACK:
            yield (
                row["sequence"],
                GoneBack(
                    release=row["release"],
                    how=row["status"],
                    at=row["ended_at"],
                    reason=row["reason"] or "",
                    rollout=row["id"],
                ),
            )
        elif row["status"] in _STANDS:
            yield row["sequence"], None


def _lived(
    release_id: str, history: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[int, GoneBack | None]]:
    lines = list(history)
    for line, following in itertools.zip_longest(lines, lines[1:]):
        if line["release"] != release_id:
            continue
        yield line["sequence"], None
        if following and following["reason"] == "rollback":
            reason = f"{following['actor']} rolled it back"
            yield (
                following["sequence"],
                GoneBack(release=release_id, how="rollback", at=following["at"], reason=reason),
            )
