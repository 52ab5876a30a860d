"""The folder in which an MLServer finds its models, and who of ours needs which of them.

A model's folder is named by what is in it, so that several processes that serve one model share it.
Each of them holds a lock on it for as long as it needs it, and whoever leaves last has it unloaded
and removes it. A lock ends with its process: what a killed one left is swept by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_deploy_seldon.mlserver.packing import Pack, write_settings
from interlock_hookspecs import InvalidInput, PluginError, Unavailable, folder_digest

if TYPE_CHECKING:
    from interlock_deploy_seldon.mlserver.api import Api

_OURS = "interlock-"
_HIDDEN = ".interlock"
"""Where locks are, and folders that are not complete: MLServer does not look there."""
_LOCK = "lock"
_MAKING = "making-"
_MAKING_SECONDS = 3600.0
"""What is older is of a process that is gone: no model takes as long to be written."""


@attrs.frozen(eq=False)
class Held:
    """A model in the repository that this process needs.

    Attributes:
        name: its name there, and its folder's.
        pack: how it is asked.
        lock: the open file that says so.
    """

    name: str
    pack: Pack
    lock: int


def is_changing(root: Path) -> bool:
    """Whether a process has the MLServer of a folder load or unload a model at this moment."""
    try:
        lock = os.open(root / _HIDDEN / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


class Repository:
    """A model repository that this process writes to, and the MLServer that reads it.

    Args:
        root: the folder, as this machine has it.
        api: the MLServer.

    Raises:
        InvalidInput: there is no such folder, or others may write to it.
        Unavailable: it cannot be written to.
    """

    def __init__(self, root: Path, api: Api) -> None:
        self._root = root
        self._api = api
        self._hidden = root / _HIDDEN
        try:
            mode = root.stat().st_mode
        except OSError as error:
            raise InvalidInput(f"repository {root}: {error.strerror}") from error
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise InvalidInput(
                f"repository {root} can be written to by anybody, and what lies there runs in "
                "MLServer: chmod o-w"
            )
        try:
            self._hidden.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"repository {root} cannot be written: {error.strerror}") from error

    def take(self, write: Callable[[Path], Pack]) -> Held:
        """Have a model in the repository, loaded and ready.

        Args:
            write: writes its files into a folder, and says how it is asked.

        Raises:
            PluginError: it cannot be written, or MLServer does not load it.
        """
        with tempfile.TemporaryDirectory(prefix=_MAKING, dir=self._hidden) as made:
            folder = Path(made) / "model"
            folder.mkdir(mode=0o750)
            pack = write(folder)
            name = _OURS + folder_digest(folder).partition(":")[2][:24]
            write_settings(folder, name, pack)
            with self._alone():
                lock = os.open(self._lock(name), os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH)
                    if not (self._root / name).exists():
                        folder.rename(self._root / name)
                    held = Held(name, pack, lock)
                    self._load(held)
                except BaseException:
                    self._leave(name, lock)
                    raise
        return held

    def see_to(self, held: Held) -> None:
        """Load a model again where MLServer has lost it: it may have been started anew.

        Raises:
            PluginError: MLServer does not answer, or does not load it.
        """
        if not self._api.is_ready(held.name):
            with self._alone():
                self._load(held)

    def leave(self, held: Held) -> None:
        """Need a model no longer: the last one who leaves has it unloaded and removed."""
        with self._alone():
            self._leave(held.name, held.lock)

    def sweep(self) -> None:
        """Remove the models of processes that are gone."""
        with self._alone():
            for path in self._root.glob(f"{_OURS}*"):
                lock = os.open(self._lock(path.name), os.O_RDWR | os.O_CREAT, 0o600)
                self._leave(path.name, lock)
        for path in self._hidden.glob(f"{_MAKING}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _MAKING_SECONDS:
                    shutil.rmtree(path)

    def _load(self, held: Held) -> None:
        if self._api.is_ready(held.name):
            return
        try:
            self._api.load(held.name)
        except Unavailable:
            raise
        except PluginError as error:
            raise PluginError(f"MLServer does not load the model: {error}") from error

    def _leave(self, name: str, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else needs it
        else:
            with contextlib.suppress(PluginError):
                self._api.unload(name)
            shutil.rmtree(self._root / name, ignore_errors=True)
            self._lock(name).unlink(missing_ok=True)
        finally:
            os.close(lock)

    def _lock(self, name: str) -> Path:
        return self._hidden / f"{name}.lock"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Alone among the processes that change what is in the repository."""
        lock = os.open(self._hidden / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
