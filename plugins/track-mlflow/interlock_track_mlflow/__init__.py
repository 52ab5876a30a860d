"""Tells an MLflow server of runs: parameters, checks as metrics, the data, the model card."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    Event,
    InvalidInput,
    Secret,
    Unavailable,
    hookimpl,
    plugin,
    project_root,
    reveal,
    setting,
)

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace
    from interlock_track_mlflow.server import Server
    from interlock_track_mlflow.spool import Spool

_ENDS = ("run.finished", "run.cancelled", "release.made", "review.held")
"""When a server is told what waits: a request for each event would slow a run down."""

_AWAY = 30.0  # seconds that a server which did not answer is left alone
_LONGEST = 20.0  # seconds that a command waits for what is told in one go


@plugin(contract="1.0")
class MlflowTracker:
    """Notes on a disk what happens in a run, and tells an MLflow server when a step is over."""

    uri: str | Secret[str] = setting(doc="the MLflow server, for example https://mlflow.example")
    token: str | Secret[str] = setting("", doc="sent to the server as a bearer token")
    username: str | Secret[str] = setting("", doc="for basic authentication, with `password`")
    password: str | Secret[str] = setting("", doc="for basic authentication")
    ca: str = setting(
        "", doc="a file of the authorities that vouch for the server, where the system's do not"
    )
    experiment: str = setting(
        "", doc="the experiment that the runs go to; by default one of the project's name"
    )
    timeout: float = setting(
        5.0, doc="seconds that the server may be silent", validator=attrs.validators.gt(0)
    )
    spool_bytes: int = setting(
        64 << 20,
        doc="how much may wait in .interlock/mlflow-spool.jsonl for a server that is away",
        validator=attrs.validators.gt(0),
    )
    root: Path = project_root()
    _server: tuple[int, Server] | None = attrs.field(init=False, default=None, repr=False)
    _away_until: float = attrs.field(init=False, default=0.0, repr=False)

    @hookimpl
    def on_event(self, event: Event, ws: Workspace) -> None:
        from interlock_track_mlflow.notes import notes_of
        from interlock_track_mlflow.spool import Spool

        spool = Spool(self.root / ".interlock" / "mlflow-spool.jsonl", self.spool_bytes)
        notes = list(notes_of(event))
        if notes:
            spool.add(notes)
        if event.kind in _ENDS and time.monotonic() >= self._away_until:
            self._flush(spool, ws)

    def _flush(self, spool: Spool, ws: Workspace) -> None:
        """Tell what waits, the oldest first, for as long as a command can wait.

        Raises:
            Unavailable: the server is away; the notes stay.
        """
        from interlock_track_mlflow.server import Refused

        with spool.alone() as alone:
            started, told, refused = time.monotonic(), 0, ""
            try:
                for note in spool.waiting() if alone else []:
                    if time.monotonic() - started > _LONGEST:
                        break
                    try:
                        self._open().send(note, ws)
                    except Refused as error:
                        refused = str(error)
                    told += 1
            except Unavailable as error:
                self._away_until = time.monotonic() + _AWAY
                raise Unavailable(
                    f"track-mlflow: {error}; what it was not told waits in {spool.path}"
                ) from None
            finally:
                if told:
                    spool.drop(told)
        if refused:
            ws.log.warning("MLflow took not all of what it was told: %s", refused)

    def _open(self) -> Server:
        """The server of this process: a fork opens its own connections."""
        process = os.getpid()
        if self._server is None or self._server[0] != process:
            from interlock_track_mlflow.server import Server, authorities

            base = reveal(self.uri).rstrip("/")
            if not base.startswith(("http://", "https://")) or "@" in base:
                raise InvalidInput("track-mlflow: `uri` is no https://HOST without credentials")
            made = Server(
                base,
                "the server that `uri` names" if isinstance(self.uri, Secret) else base,
                self.experiment,
                self.timeout,
                self.token,
                self.username,
                self.password,
                authorities(self.root, self.ca),
            )
            self._server = (process, made)
        return self._server[1]
