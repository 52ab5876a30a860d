"""Tags of releases that MLflow was not told because it was away, on a disk until it is back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import attrs

from interlock_hookspecs import PluginError, Unavailable, bytes_digest
from interlock_registry_mlflow.releases import Told, note

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

_MOST = 10_000  # releases; a file that nobody ever empties does not grow for ever
_LONGEST = 5.0  # seconds that an alias or a version waits for tags of before


@attrs.frozen
class Waiting:
    """A file of what waits for one MLflow, a line each, oldest first; processes share it.

    Attributes:
        path: the file.
        server: whose they are: another stack's MLflow is told nothing of them.
    """

    path: Path
    server: str

    @classmethod
    def of(cls, root: Path, uri: str, prefix: str) -> Waiting:
        """What waits in a project's folder for the MLflow of a stack; no address is written."""
        server = bytes_digest(f"{uri}\n{prefix}".encode()).removeprefix("sha256:")[:16]
        return cls(root / ".interlock" / "mlflow-releases.jsonl", server)

    def add(self, told: Told) -> None:
        """Write one down.

        Raises:
            Unavailable: the file cannot be written, or is full.
        """
        try:
            with self._locked() as file:
                lines = file.read().splitlines()
                if len(lines) >= _MOST:
                    raise Unavailable(f"registry-mlflow: {self.path} is full")
                line = {"server": self.server, **attrs.asdict(told)}
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise Unavailable(f"registry-mlflow: {self.path}: {error.strerror}") from error

    def send(self, backend: Backend) -> None:
        """Tell what waits; what MLflow refuses is dropped, and all else stays while it is away."""
        if not self.path.exists():
            return
        # Nothing depends on a tag: whatever goes wrong here fails no registration.
        with contextlib.suppress(OSError), self._locked() as file:
            lines, left, until = file.read().splitlines(), [], time.monotonic() + _LONGEST
            for line in lines:
                told = self._mine(line)
                if told is None or time.monotonic() > until:
                    left.append(line)
                    continue
                try:
                    note(backend, told, late=True)
                except Unavailable:
                    left.append(line)
                    until = 0.0
                except PluginError:
                    continue
            if len(left) < len(lines):
                file.seek(0)
                file.truncate()
                file.write(b"".join(line + b"\n" for line in left))

    def _mine(self, line: bytes) -> Told | None:
        try:
            said = json.loads(line)
            server = said.pop("server")
            return Told(**said) if server == self.server else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None  # torn by a crash, or of a later version

    @contextlib.contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file
