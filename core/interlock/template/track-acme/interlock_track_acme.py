"""An experiment tracker in a folder: for each run its parameters, its metrics and its card."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import (
    Artifact,
    Event,
    PluginError,
    Unavailable,
    hookimpl,
    plugin,
    project_root,
    setting,
)

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@plugin(contract="1.0")
class AcmeTracker:
    """Keeps what an experiment is compared by: a log of JSON lines and a folder for each run."""

    folder: str = setting("experiments", doc="where to write, relative to the project")
    root: Path = project_root()

    @hookimpl
    def on_event(self, event: Event, ws: Workspace) -> None:
        if event.run is None:
            return
        home = self.root / self.folder / file_name(event.project) / file_name(event.run)
        try:
            home.mkdir(parents=True, exist_ok=True)
            with (home / "log.jsonl").open("a", encoding="ascii") as log:
                fcntl.flock(log, fcntl.LOCK_EX)
                for line in lines_of(event):
                    log.write(json.dumps({"event": event.id, **line}) + "\n")
            if event.kind == "review.held":
                keep_card(event.payload.get("card"), home / "card", ws)
        except OSError as error:
            msg = f"cannot write to {home}: {error.strerror}"
            raise Unavailable(msg) from error


def file_name(text: str) -> str:
    """A text as the name of a file, another one for another text."""
    # What is written in an event may come from anybody: no dots, no slashes, no length.
    return text if _PLAIN.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:32]


def lines_of(event: Event) -> Iterator[dict[str, Any]]:
    """What is worth tracking of an event: how the run goes, its parameters, its metrics."""
    yield {"kind": event.kind, "at": event.at.isoformat()}
    for name, value in table(table(event.payload.get("record")).get("facts")).items():
        if event.kind == "candidate.made":
            yield {"parameter": name, "value": value}
    checks = event.payload.get("checks")
    for check in checks if isinstance(checks, list) else ():
        found = table(check)
        if isinstance(found.get("value"), int | float):
            maker = str(table(found.get("maker")).get("plugin", "")).partition("-")[2]
            name = ".".join(filter(None, [maker, str(found.get("name"))]))
            yield {"metric": name, "of": found.get("subject", ""), "value": found["value"]}


def keep_card(card: object, place: Path, ws: Workspace) -> None:
    """Copy the model card of a review beside the log, where there is one and it is still kept."""
    try:
        source = ws.locate(Artifact(**table(card)))
    except (PluginError, TypeError, ValueError):
        return
    if source.is_dir():
        shutil.copytree(source, place, dirs_exist_ok=True)


def table(value: object) -> Mapping[str, Any]:
    """A value that is read as a table; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
