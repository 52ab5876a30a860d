"""A released model, converted and laid out in a folder, for where Interlock does not reach."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import orjson

from interlock.codec import decode, encode
from interlock.errors import GateRefused, UsageError
from interlock.ids import short
from interlock.ledger import Entry
from interlock.lifecycle.context import read_rows
from interlock.lifecycle.endpoints import current_deployment, endpoint_of
from interlock.lifecycle.packaging import compare
from interlock.lifecycle.releases import (
    model_of,
    outputs_behind,
    record_refusal,
    verified_release,
)
from interlock.lifecycle.split import split_rows
from interlock_hookspecs import Check, Dataset, Model, Release, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.session import Session

SUMS, RELEASE = "SHA256SUMS", "release.json"


@attrs.frozen(kw_only=True)
class Exported:
    """What was laid out.

    Attributes:
        release: of which release.
        model: what it was converted to.
        checks: how far its answers are from the model's, on the held-out rows.
        folder: where it is, an absolute path.
        files: their names, sorted.
    """

    release: Release
    model: Model
    checks: tuple[Check, ...]
    folder: Path
    files: tuple[str, ...]


def export_release(session: Session, text: str | None, word: str, folder: Path) -> Exported:
    """Convert what was released, and lay it out with its checksums.

    Args:
        session: the opened stack.
        text: a release, or a run or a version that led to one; None for what is live.
        word: the format.
        folder: made here; it may not exist.

    Raises:
        UsageError: there is no such release, or the folder is there.
        GateRefused: the release may not be used, or the converted model answers otherwise.
        HookFailed: the model does not convert.
    """
    folder = folder.absolute()
    if folder.exists():
        msg = f"{folder} is there already"
        raise UsageError(msg, hint="name a folder that is not: --to FOLDER")
    release_id = _named(session, text)
    release = verified_release(session, release_id, endpoint_of(session), what="export")
    model, heldout = model_of(session, release), _heldout(session, release)
    with session.workspace(release.run) as ws:
        made = ws.package_model(word, model, heldout)
        answers, own = (ws.open_model(one).predict(heldout) for one in (made, model))
        checks, alike = compare(answers, own, model.signature, release.threshold)
        if not alike:
            reason = f"as {word} it does not answer as the model does"
            record_refusal(session, release.id, what="export", reason=reason, run=release.run)
            said = ", ".join(f"{check.label} {check.value:.6g}" for check in checks)
            msg = f"{reason}: {said}"
            raise GateRefused(msg, hint="take another format, or another estimator")
        files = _lay_out(session, release, made, folder)
    payload = {"format": word, "model": encode(made), "checks": encode(checks)}
    entry = Entry("release.exported", release.id, payload, release.run)
    session.ledger.append_all(session.project, [entry])
    return Exported(release=release, model=made, checks=checks, folder=folder, files=files)


def _named(session: Session, text: str | None) -> str:
    reads = session.ledger.reads
    if text is None:
        current = current_deployment(session)
        if current is None or not current.targets:
            msg = f"nothing is deployed at {session.stack.endpoint}"
            raise UsageError(msg, hint="name a release, or interlock run")
        return max(current.targets, key=lambda target: target.weight).release.id
    table, row = reads.find(text, project=session.project)
    if table == "releases":
        return str(row["id"])
    run = row["id"] if table == "runs" else row.get("run")
    for found in reads.releases(session.project, run=run, limit=1) if run else ():
        return str(found["id"])
    msg = f"{short(str(row['id']))} led to no release"
    why = f"interlock review --explain {short(str(run))} says why"
    raise UsageError(msg, hint=why if run else "interlock runs")


def _heldout(session: Session, release: Release) -> pa.Table:
    """The rows that the released model was judged on, under the task of its run."""
    dataset = decode(Dataset, outputs_behind(session, release)["dataset"])
    run = session.ledger.reads.run(release.run)
    task = decode(Task, run["body"]["task"]) if run else session.task
    return split_rows(read_rows(session, dataset), task, session.project)[1]


def _lay_out(session: Session, release: Release, made: Model, folder: Path) -> tuple[str, ...]:
    """Write the files beside the folder's place, and move them there as one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        place = Path(scratch, "made")
        if made.artifact.folder:
            session.store.unfold(made.artifact, place)
        else:
            place.mkdir()
            with session.store.located(made.artifact) as path:
                shutil.copyfile(path, place / made.artifact.name)
        told = orjson.dumps(encode(release), option=orjson.OPT_INDENT_2) + b"\n"
        (place / RELEASE).write_bytes(told)
        files = sorted(
            path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()
        )
        sums = [f"{_sha256(place / name)}  {name}\n" for name in files]
        (place / SUMS).write_text("".join(sums), encoding="utf-8")
        place.rename(folder)
    return (*files, SUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
