"""The record verified, and its checkpoints kept outside the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.errors import ArtifactError, LedgerError, StoreFailed, UsageError
from interlock_hookspecs import Artifact

if TYPE_CHECKING:
    from interlock.session import Session

KEY_VARIABLE = "INTERLOCK_SIGNING_KEY"
"""Names the file of the Ed25519 private key (PEM) that checkpoints are signed with."""

_NAMING = (("runs", "body"), ("stages", "outputs"), ("reviews", "body"), ("labels", "body"))


def checkpoint_path(session: Session) -> Path:
    """Where the checkpoint of this session's ledger is kept."""
    return session.home / "checkpoints" / f"{session.ledger.id}.json"


def keep_checkpoint(session: Session) -> None:
    """Write where the ledger stands now, signed when a key is set.

    Raises:
        LedgerError: the key is none, or the file cannot be written.
    """
    from interlock.ledger import write_checkpoint

    path = checkpoint_path(session)
    path.parent.mkdir(parents=True, exist_ok=True)
    key = os.environ.get(KEY_VARIABLE)
    write_checkpoint(session.ledger, path, Path(key) if key else None)


def heads(session: Session) -> dict[str, Any]:
    """The ledger's id, and each project's last sequence and digest."""
    from interlock.ledger import head

    now = head(session.ledger)
    return {
        "ledger": now.ledger,
        "projects": [
            {"project": project, "sequence": last.sequence, "digest": last.digest}
            for project, last in now.heads.items()
        ],
    }


def verify_everything(
    session: Session, *, checkpoint: Path | None, key: Path | None, artifacts: bool
) -> dict[str, Any]:
    """Verify the ledger, and what else is asked for.

    Args:
        session: the opened stack.
        checkpoint: a file that the ledger must extend.
        key: the public key that the checkpoint must be signed with.
        artifacts: whether every recorded artifact is read and its digest checked.

    Returns:
        ``ok``, ``events``, ``anchor`` (how far this reaches) and ``problems`` as sentences.

    Raises:
        LedgerError, Tampered: the checkpoint is none, or its signature is missing or wrong.
    """
    from interlock.ledger import read_checkpoint, verify

    if key is not None and checkpoint is None:
        msg = "--key goes with --checkpoint: it is the checkpoint that is signed"
        raise UsageError(msg)
    known = read_checkpoint(checkpoint, key) if checkpoint else None
    report = verify(
        session.ledger,
        progress=lambda done, total: session.reporter.progress("verifying", done, total),
        checkpoint=known,
    )
    problems = [str(problem) for problem in report.problems]
    if report.more:
        problems.append("and more")
    if artifacts and report.ok:
        problems += _wrong_artifacts(session)
    anchor = report.sentence
    if report.ok and known is None and checkpoint_path(session).exists():
        anchor += f" (--checkpoint {os.path.relpath(checkpoint_path(session))} shows a cut tail)"
    return {
        "ok": not problems,
        "ledger": report.ledger,
        "events": report.events,
        "erased": list(report.erased),
        "anchor": anchor,
        "problems": problems,
    }


def _wrong_artifacts(session: Session) -> Iterator[str]:
    """Each recorded artifact that is missing or whose bytes are others."""
    for artifact in recorded_artifacts(session):
        try:
            session.store.check(artifact, afresh=True)
        except StoreFailed:
            # The next artifact would wait as long, and tell as little.
            raise
        except (ArtifactError, LedgerError) as error:
            yield str(error)


def recorded_artifacts(session: Session) -> Iterator[Artifact]:
    """Every artifact that the project's record names, each digest once."""
    seen: set[str] = set()
    for table, column in _NAMING:
        for row in session.ledger.reads.listing(table, session.project, limit=None):
            for artifact in artifacts_in(row[column]):
                if artifact.digest not in seen:
                    seen.add(artifact.digest)
                    yield artifact


def artifacts_in(value: Any) -> Iterator[Artifact]:
    """The artifacts that a record names, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from artifacts_in(item)
    elif isinstance(value, dict):
        if value.keys() == {"digest", "size", "name", "folder"}:
            yield Artifact(**value)
            return
        for item in value.values():
            yield from artifacts_in(item)
