"""Releases as the ledger has them. No other copy counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock.codec import decode_one
from interlock.errors import GateRefused, Tampered
from interlock.ledger.values import DONE
from interlock_hookspecs import Endpoint, Model, Release

if TYPE_CHECKING:
    from interlock.ledger.asked import ServerReads
    from interlock.session import Session


def verified_release(
    session: Session, release_id: str, endpoint: Endpoint, *, what: str, now: datetime | None = None
) -> Release:
    """The release, if it may be served at an endpoint now.

    Args:
        session: the opened stack.
        release_id: as the ledger has it.
        endpoint: where it is to be served.
        what: what is tried with it, for the record of a refusal: ``deploy``.
        now: an aware time; by default the clock's.

    Raises:
        GateRefused: the ledger has no such release, or it is revoked, expired, or another
            project's, stack's or endpoint's, or its model was rejected since. The refusal is
            recorded.
    """
    reads = session.reads
    row = reads.release(release_id)
    if row is None:
        reason = f"the ledger has no release {release_id}"
        record_refusal(session, release_id, what=what, reason=reason)
        raise GateRefused(reason, hint="a model is released by review: interlock run")
    why = unfit(reads, row, endpoint, now or datetime.now(UTC)) or rejected_since(reads, row)
    if why:
        reason = f"release {release_id} {why}"
        record_refusal(session, release_id, what=what, reason=reason)
        raise GateRefused(reason, hint="interlock show " + release_id)
    return decode_one(Release, row["body"])


def record_refusal(
    session: Session, subject: str, *, what: str, reason: str, run: str | None = None
) -> None:
    """Write down that somebody tried what a gate forbids."""
    payload = {"what": what, "reason": reason}
    session.ledger.append(session.project, "gate.refused", subject, payload, run=run)


def model_of(session: Session, release: Release) -> Model:
    """The model that a release is of, from the ledger's record of its run.

    Raises:
        Tampered: the run made no such model.
    """
    return decode_one(Model, outputs_behind(session, release)["candidate"]["model"])


def served_model(session: Session, release: Release) -> Model:
    """What is served of a release: its model, or that model as it was packaged before review.

    Raises:
        Tampered: the run made no such model.
    """
    outputs = outputs_behind(session, release)
    return decode_one(Model, outputs.get("packaged") or outputs["candidate"]["model"])


def outputs_behind(session: Session, release: Release) -> dict[str, Any]:
    """What the stages gave that led to a release, from its data to its reference profiles.

    A run may train again after something was released of it. What counts is then the training
    that made the released model, with what came before it and what was measured of it after.

    Raises:
        Tampered: the run made no such model.
    """
    outputs: dict[str, Any] = {}
    made = ""
    for stage in session.reads.stages(release.run):
        if stage["status"] not in DONE:
            continue
        if stage["stage"] in ("data", "train") and made == release.model:
            break
        if stage["stage"] == "train":
            made = decode_one(Model, stage["outputs"]["candidate"]["model"]).digest
        outputs.update(stage["outputs"])
    if made != release.model:
        what = f"its run made {made}" if made else "its run made none"
        msg = f"{release.id} is of {release.model}, {what}"
        raise Tampered(msg, hint="interlock audit verify")
    return outputs


def unfit(reads: ServerReads, row: Mapping[str, Any], endpoint: Endpoint, now: datetime) -> str:
    """Why a release may not be served at an endpoint; empty where it may."""
    if row["revoked_at"] is not None:
        return f"was revoked by {row['revoked_by']}: {row['revoked_reason']}"
    if row["expires"] is not None and now >= _instant(row["expires"]):
        return f"expired at {row['expires']}"
    belongs = (row["project"], row["stack"], row["endpoint"])
    asked = (endpoint.project, endpoint.stack, endpoint.name)
    if belongs != asked:
        return f"is for {'/'.join(belongs)}, not for {'/'.join(asked)}"
    reviews = reads.reviews(
        row["project"], run=row["run"], dossier=row["dossier"], outcome="released", limit=1
    )
    return "" if reviews else "was made by no review"


def rejected_since(reads: ServerReads, row: Mapping[str, Any]) -> str:
    """Who rejected the model of a release after it was made; empty where an approval answers it.

    What is served goes on: only a revocation ends that. But nothing begins to serve it again.
    """
    made = _instant(row["at"])
    approved = [
        said
        for said in reads.approvals(row["project"], dossier=row["dossier"], limit=None)
        if said["decision"] == "approve"
    ]
    for no in rejections(reads, row["project"], row["stack"], row["model"]):
        at = _instant(no["at"])
        # Of this very dossier only its own author takes a no back, as in a review.
        answered = any(
            _instant(yes["at"]) > at
            and (no["dossier"] != row["dossier"] or yes["actor"] == no["actor"])
            for yes in approved
        )
        if at > made and not answered:
            return f"is of a model that {no['actor']} rejected since: {no['reason']}"
    return ""


def last_good_release(session: Session, endpoint: Endpoint, *, but: str = "") -> str:
    """The release to go back to: see `find_last_good`.

    Raises:
        GateRefused: there is none. The refusal is recorded.
    """
    found = find_last_good(session.reads, endpoint, but=but)
    if found is not None:
        return str(found["id"])
    msg = f"no good release was live at {endpoint.name} before the present one"
    reads = session.reads
    live = reads.champion(endpoint.project, endpoint.stack, endpoint.name)
    subject = live["id"] if live else endpoint.name
    record_refusal(session, subject, what="rollback", reason=msg)
    raise GateRefused(msg, hint="interlock deployments --history")


def find_last_good(
    reads: ServerReads, endpoint: Endpoint, *, but: str = ""
) -> Mapping[str, Any] | None:
    """The latest release that was live at an endpoint before the present one, and is still good.

    That is one that is not revoked, expired, rejected since or rolled back from.

    Args:
        reads: of the ledger.
        endpoint: where it was live.
        but: one more release that it is not.

    Returns:
        Its row; None where there is none.
    """
    now = datetime.now(UTC)
    history = reads.endpoint_history(endpoint.project, endpoint.stack, endpoint.name)
    left = {
        before["release"]
        for before, after in itertools.pairwise(history)
        if after["reason"] == "rollback"
    }
    present = history[-1]["release"] if history else ""
    for entry in reversed(history):
        release_id = str(entry["release"])
        row = reads.release(release_id)
        if release_id in left | {present, but} or row is None:
            continue
        if not unfit(reads, row, endpoint, now) and not rejected_since(reads, row):
            return row
    return None


def rejections(
    reads: ServerReads, project: str, stack: str, model: str
) -> Iterator[Mapping[str, Any]]:
    """Every rejection of a model in a stack, whichever run and dossier it was given to."""
    for run in reads.runs_of(project, model=model, stack=stack):
        for said in reads.approvals(project, run=run["id"], limit=None):
            if said["decision"] == "reject":
                yield said


def _instant(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
