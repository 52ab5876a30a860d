"""From the setting ``uri`` to MLflow: a server, or the database of one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from interlock_hookspecs import InvalidInput, Model, Secret, Unavailable, Unsupported, reveal
from interlock_registry_mlflow.failures import explained
from interlock_registry_mlflow.names import name_of, storable

if TYPE_CHECKING:
    from interlock_registry_mlflow.transport import Transport


@attrs.frozen(eq=False, kw_only=True)
class Backend:
    """MLflow, and what an error calls it.

    Attributes:
        registry: MLflow's store of registered models.
        tracking: MLflow's store of runs and logged models.
        transport: to the server; None where the database is opened here.
        place: what an error calls it; no secret.
        files: where files of a database's own experiments go; empty for a server, which knows.
        close: leaves no connection open, so that the process may fork.
        prefix: put before every name, so that several projects share one MLflow.
        experiments: the ids of those that were asked for, by name.
        outside: what was read of versions that Interlock did not register.
    """

    registry: Any
    tracking: Any
    transport: Transport | None
    place: str
    files: str
    close: Callable[[], None]
    prefix: str = ""
    experiments: dict[str, str] = attrs.field(factory=dict, repr=False)
    outside: dict[tuple[str, int, int], Model] = attrs.field(factory=dict, repr=False)

    def written(self, name: str) -> str:
        """A model's name as MLflow has it.

        Raises:
            InvalidInput: MLflow cannot store it.
        """
        return storable(f"{self.prefix}{name}" if name else "", "name")

    def name(self, written: str) -> str:
        """The name behind a `written` one."""
        return name_of(written).removeprefix(self.prefix)

    @contextlib.contextmanager
    def use(self) -> Iterator[Backend]:
        """The backend for one hook, MLflow's errors explained."""
        with explained(self.place):
            try:
                yield self
            finally:
                self.close()


def open_backend(uri: str | Secret[str], root: Path, prefix: str, **connection: Any) -> Backend:
    """The backend behind the setting ``uri``.

    Args:
        uri: ``http(s)://HOST`` of a server, or ``sqlite:///FILE``.
        root: the folder that a relative file starts from.
        prefix: put before every name.
        connection: what a `Transport` takes beside its address.

    Raises:
        InvalidInput: it is neither, or holds credentials.
        Unsupported: what a database takes is not installed.
        Unavailable: the database cannot be opened.
    """
    text = reveal(uri)
    scheme = text.partition(":")[0].lower()
    if scheme in ("http", "https"):
        server = _server(text.rstrip("/"), hidden=isinstance(uri, Secret), **connection)
        return attrs.evolve(server, prefix=prefix)
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
        return attrs.evolve(_database(root / text.removeprefix("sqlite:///")), prefix=prefix)
    raise InvalidInput(
        "registry-mlflow: `uri` is neither a server nor a file: write http://HOST:PORT, "
        "https://HOST, or sqlite:///FILE"
    )


def _server(base: str, *, hidden: bool, **connection: Any) -> Backend:
    from interlock_registry_mlflow.stores import ServerRegistry, ServerTracking
    from interlock_registry_mlflow.transport import Transport

    parts = urlsplit(base)
    if parts.username or parts.password or parts.query or not parts.hostname:
        raise InvalidInput(
            "registry-mlflow: `uri` is an address and nothing else: credentials go into `token`, "
            "or `username` and `password`"
        )
    place = "the server that `uri` names" if hidden else base
    transport = Transport(base=base, place=place, **connection)
    return Backend(
        registry=ServerRegistry(transport),
        tracking=ServerTracking(transport),
        transport=transport,
        place=place,
        files="",
        close=lambda: None,
    )


def _database(file: Path) -> Backend:
    try:
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
        from sqlalchemy.exc import DBAPIError
    except ModuleNotFoundError as error:
        raise Unsupported(
            f"registry-mlflow: {error.name} is not installed: "
            'pip install "interlock-registry-mlflow[sqlite]"'
        ) from error
    file = file.absolute()
    files = file.parent / "mlartifacts"
    with explained(str(file)), _one_at_a_time(file):
        try:
            tracking = Tracking(f"sqlite:///{file}", str(files))
            registry = Registry(f"sqlite:///{file}")
        except DBAPIError as error:
            raise Unavailable(f"registry-mlflow: {file} cannot be used: {error.orig}") from error

    def close() -> None:
        tracking.engine.dispose()
        registry.engine.dispose()

    return Backend(
        registry=registry,
        tracking=tracking,
        transport=None,
        place=str(file),
        files=str(files),
        close=close,
    )


@contextlib.contextmanager
def _one_at_a_time(file: Path) -> Iterator[None]:
    """Let one process make the tables; MLflow's migrations fail where two begin at once."""
    import fcntl

    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
