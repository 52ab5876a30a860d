"""A lock on a name, held on the server, by writers that know nothing of each other.

MLflow moves an alias and makes a version without asking what was there before. What it does do in
one step is refuse a second registered model of one name. So the lock is a registered model:
making it takes the lock, deleting it gives it back. A writer that dies leaves it behind; whoever
has seen the same holder for `LEASE` seconds renames it to a name made of that holder's token.
Only the first to try succeeds, because the second finds the new name taken, and so nobody breaks
a lock other than the one that they watched.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import PluginError, Unavailable
from interlock_registry_mlflow.failures import ABSENT, EXISTS, code_of, mlflow_error

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

LEASE = 60.0
"""Seconds after which a holder counts as dead. What it does takes milliseconds."""

PATIENCE = 2 * LEASE
"""Seconds that a writer waits for the others."""

_LAST_WRITE = LEASE / 2
"""Seconds into the lease after which a holder starts no write: its answer may be late."""

_HOLDER = "interlock.holder"
_PAUSES = (0.02, 0.1)


@attrs.frozen
class Held:
    """A lock in hand."""

    since: float

    def still(self) -> None:
        """Refuse to write where somebody may soon take this writer for dead.

        Raises:
            Unavailable: the server took too long to answer what was asked before.
        """
        if time.monotonic() - self.since > _LAST_WRITE:
            raise Unavailable("registry-mlflow: the server is too slow to write safely: try again")


@contextlib.contextmanager
def locked(backend: Backend, name: str) -> Iterator[Held]:
    """Hold the lock of a name, as MLflow calls it, while the block runs.

    Raises:
        Unavailable: others hold it for longer than `PATIENCE`.
    """
    lock, token = lock_name(name), uuid.uuid4().hex
    held = _take(backend.registry, lock, token, name)
    try:
        yield held
    finally:
        if time.monotonic() - held.since < _LAST_WRITE:
            # One that cannot be given back is taken from us when the lease is over.
            with contextlib.suppress(PluginError, mlflow_error()):
                backend.registry.delete_registered_model(lock)


def lock_name(name: str) -> str:
    """The registered model that is the lock of a name."""
    return f"interlock-lock-{hashlib.blake2b(name.encode(), digest_size=10).hexdigest()}"


def _take(registry: Any, lock: str, token: str, name: str) -> Held:
    from mlflow.entities.model_registry import RegisteredModelTag

    told = f"Held for a moment while Interlock writes to {name}."
    tags = [RegisteredModelTag(_HOLDER, token)]
    started = since = time.monotonic()
    watched = unanswered = None
    while time.monotonic() - started < PATIENCE:
        asked = time.monotonic()
        try:
            registry.create_registered_model(lock, tags=tags, description=told)
        except (Unavailable, mlflow_error()) as error:
            if code_of(error) not in EXISTS:
                # It may have been made all the same; asking who holds it tells.
                unanswered = unanswered or asked
        else:
            return Held(asked)
        holder = _holder(registry, lock)
        if holder == token and unanswered:
            return Held(unanswered)
        if holder != watched:
            watched, since = holder, time.monotonic()
        elif holder and time.monotonic() - since > LEASE:
            _break(registry, lock, holder)
        time.sleep(random.uniform(*_PAUSES))  # noqa: S311  (jitter, no secret)
    raise Unavailable(f"registry-mlflow: others have been writing to {name} for {PATIENCE:g} s")


def _holder(registry: Any, lock: str) -> str | None:
    try:
        tags = registry.get_registered_model(lock).tags
    except mlflow_error() as error:
        if code_of(error) in ABSENT:
            return None
        raise
    return str(tags.get(_HOLDER, "nobody"))


def _break(registry: Any, lock: str, holder: str) -> None:
    try:
        registry.rename_registered_model(lock, f"{lock}-broken-{holder}")
    except mlflow_error():
        # Of several that break it at once one does; what the others are told has no one code.
        if _holder(registry, lock) == holder:
            raise
