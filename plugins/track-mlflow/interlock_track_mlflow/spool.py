"""Notes on a disk until the server has them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import attrs

from interlock_hookspecs import Unavailable
from interlock_track_mlflow.notes import Note


@attrs.frozen
class Spool:
    """A file of notes, a line each, oldest first. Several processes may use it at once.

    Attributes:
        path: the file.
        most: how many bytes it may have; a note more is refused.
    """

    path: Path
    most: int

    def add(self, notes: Sequence[Note]) -> None:
        """Write notes down, for good.

        Raises:
            Unavailable: the file cannot be written, or is full.
        """
        text = "".join(json.dumps(note) + "\n" for note in notes)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                if file.seek(0, os.SEEK_END) + len(text) > self.most:
                    raise Unavailable(
                        f"track-mlflow: {self.path} is full, and MLflow has not taken what waits "
                        "there: this is not tracked"
                    )
                file.write(text.encode())
        except OSError as error:
            raise Unavailable(f"track-mlflow: {self.path}: {error.strerror}") from error

    def waiting(self) -> list[Note]:
        """What waits; a line that was torn by a crash is passed over."""
        if not self.path.exists():
            return []
        with self._locked() as file:
            lines = file.read().splitlines()
        return [note for line in lines if (note := _read(line)) is not None]

    def drop(self, count: int) -> None:
        """Forget the oldest notes, which the server has."""
        with self._locked() as file:
            lines = [line for line in file.read().splitlines() if _read(line) is not None]
            file.seek(0)
            file.truncate()
            file.write(b"".join(line + b"\n" for line in lines[count:]))

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else is sending at the moment; nobody begins while the block runs."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".sending").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def _read(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
