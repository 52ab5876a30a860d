"""Writes what happened to a file, one JSON object a line, for whatever reads such logs."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import attrs

from interlock_hookspecs import Event, Unavailable, hookimpl, plugin, project_root, setting


@plugin(contract="1.0")
class AcmeEvents:
    """A log of events in JSON lines, whole under any number of writers."""

    file: str = setting("events.jsonl", doc="where to write, relative to the project")
    kinds: tuple[str, ...] = setting((), doc="only these kinds of event, for example release.made")
    root: Path = project_root()

    @hookimpl
    def on_event(self, event: Event) -> None:
        if self.kinds and event.kind not in self.kinds:
            return
        line = json.dumps(
            {
                "id": event.id,
                "project": event.project,
                "sequence": event.sequence,
                "kind": event.kind,
                "at": event.at.isoformat(),
                "actor": attrs.asdict(event.actor),
                "subject": event.subject,
                "digest": event.digest,
                "payload": dict(event.payload),
            },
            separators=(",", ":"),
        )
        self._append(f"{line}\n".encode("ascii"))

    def _append(self, line: bytes) -> None:
        """Write a line whole: one that was cut short by a full disk is taken back."""
        path = self.root / self.file
        try:
            with path.open("ab", buffering=0) as log:
                fcntl.flock(log, fcntl.LOCK_EX)
                end = log.seek(0, os.SEEK_END)
                try:
                    written = log.write(line)
                    if written != len(line):
                        written += log.write(line[written:])
                except OSError:
                    log.truncate(end)
                    raise
        except OSError as error:
            msg = f"cannot write to {path}: {error.strerror}"
            raise Unavailable(msg) from error
