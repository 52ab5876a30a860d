"""The release that a run is held against: the live one, and never what the run itself comes to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock.codec import decode, digest_of
from interlock.ledger.values import DONE
from interlock.lifecycle.endpoints import endpoint_of
from interlock.lifecycle.releases import outputs_behind, rejected_since, unfit
from interlock.lifecycle.stages import train
from interlock_hookspecs import Release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interlock.lifecycle.context import Context


def held_against(context: Context, what: str) -> Release | None:
    """The release whose rows and model a run's are measured beside; None where there is none.

    That is the champion. Where the champion was made of these very inputs and still holds, it is
    what this run comes to, and no measure of it: then it is the release that the champion itself
    was held against. So a project that has not changed is measured as it was, and its dossier is
    the one that was released.

    Args:
        context: a run whose dataset is known.
        what: the output in which a stage keeps the id of that release: ``reference`` for its
            rows, ``champion`` for its model.
    """
    session = context.session
    reads = session.ledger.reads
    live = reads.champion(session.project, session.stack.name, session.stack.endpoint)
    if live is None:
        return None
    champion = decode(Release, live["body"])
    if not _unchanged(context, live, champion):
        return champion
    outputs = outputs_behind(session, champion)
    if what not in outputs:  # a ledger of before: it was not kept then
        return champion
    before = reads.release(outputs[what]) if outputs[what] else None
    return decode(Release, before["body"]) if before else None


def _unchanged(context: Context, live: Mapping[str, Any], champion: Release) -> bool:
    """Whether a run fits the champion once more, and the champion is still good."""
    session = context.session
    if context.origin is not None:
        return False  # what was promoted was measured elsewhere
    if context.has("candidate") and context.candidate.model.digest != champion.model:
        return False  # fitted again, it came out otherwise
    reads, endpoint = session.ledger.reads, endpoint_of(session)
    if unfit(reads, live, endpoint, datetime.now(UTC)) or rejected_since(reads, live):
        return False
    fitted = [
        stage
        for stage in reads.stages(champion.run)
        if stage["stage"] == "train"
        and stage["status"] in DONE
        and stage["outputs"]["candidate"]["model"]["artifact"]["digest"] == champion.model
    ]
    return bool(fitted) and fitted[-1]["inputs"] == digest_of(train.inputs(context))
