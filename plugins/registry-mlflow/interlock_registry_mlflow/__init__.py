"""A model registry on an MLflow server, or on the database of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    Artifact,
    Candidate,
    Event,
    Facts,
    InvalidInput,
    Misfit,
    Model,
    ModelVersion,
    Secret,
    Task,
    Unavailable,
    VersionPage,
    Workspace,
    hookimpl,
    plugin,
    project_root,
    reveal,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_registry_mlflow.backend import Backend
    from interlock_registry_mlflow.waiting import Waiting

_SLOWEST = 25.0  # seconds; a write that hangs for longer could outlive the lock that guards it


@plugin(contract="1.0")
class MlflowRegistry:
    """Keeps versions, aliases and a copy of each model's files where users of MLflow find them."""

    uri: str | Secret[str] = setting(
        "sqlite:///.interlock/mlflow.db",
        doc="the MLflow server, https://HOST, or the file of its database, sqlite:///FILE, "
        "relative to the project's folder",
    )
    token: str | Secret[str] = setting("", doc="sent to the server as a bearer token")
    username: str | Secret[str] = setting("", doc="for basic authentication, with `password`")
    password: str | Secret[str] = setting("", doc="for basic authentication")
    ca: str = setting(
        "", doc="a file of the authorities that vouch for the server, where the system's do not"
    )
    experiment: str = setting(
        "", doc="the experiment that holds the runs and files; by default the model's name"
    )
    prefix: str = setting(
        "", doc="put before every model's name, where several projects share one MLflow"
    )
    timeout: float = setting(
        10.0,
        doc="seconds that the server may be silent",
        validator=[attrs.validators.gt(0), attrs.validators.le(_SLOWEST)],
    )
    attempts: int = setting(
        4, doc="how often a request is made that may be repeated", validator=attrs.validators.ge(1)
    )
    pickles: tuple[str, ...] = setting(
        (),
        doc="pickles that `models import` may open, which runs whatever they hold: NAME, "
        "NAME/VERSION, or the digest of the file",
    )
    root: Path = project_root()
    _backend: tuple[int, Backend] | None = attrs.field(init=False, default=None, repr=False)

    @hookimpl
    def register_version(
        self,
        name: str,
        id: str,  # noqa: A002  (the contract's own word)
        model: Model,
        facts: Facts,
        ws: Workspace,
    ) -> ModelVersion:
        from interlock_registry_mlflow.versions import register

        with self._open().use() as backend:
            self._waiting().send(backend)
            version = register(
                backend,
                name=name,
                id=id,
                model=model,
                facts=facts,
                experiment=self.experiment or f"{self.prefix}{name}",
                ws=ws,
            )
        if version.existing:
            ws.log.info("%s has this model already, as version %s", name, version.number)
        return version

    @hookimpl
    def get_version(self, name: str, ref: str) -> ModelVersion | None:
        from interlock_registry_mlflow.versions import find

        with self._open().use() as backend:
            return find(backend, name, ref)

    @hookimpl
    def list_versions(self, name: str, cursor: str | None, limit: int) -> VersionPage:
        from interlock_registry_mlflow.versions import page

        with self._open().use() as backend:
            return page(backend, name, cursor, limit)

    @hookimpl
    def set_alias(self, name: str, alias: str, expected: str | None, number: str | None) -> None:
        from interlock_registry_mlflow.aliases import move

        with self._open().use() as backend:
            move(backend, name=name, alias=alias, expected=expected, number=number)
            self._waiting().send(backend)

    @hookimpl
    def delete_version(self, name: str, number: str) -> None:
        from interlock_registry_mlflow.versions import delete

        with self._open().use() as backend:
            delete(backend, name, number)

    @hookimpl
    def fetch_version(self, version: ModelVersion, ws: Workspace) -> Artifact:
        from interlock_registry_mlflow.fetching import fetch

        with self._open().use() as backend:
            return fetch(backend, version, ws)

    @hookimpl
    def import_candidate(
        self, source: str, inputs: tuple[str, ...], rows: pa.Table, task: Task, ws: Workspace
    ) -> Candidate | None:
        from interlock_registry_mlflow.importing import WORD, bring

        if not source.startswith(WORD):
            return None
        with self._open().use() as backend:
            return bring(backend, source, inputs, rows, task, ws, self.pickles)

    @hookimpl
    def on_event(self, event: Event) -> None:
        if event.kind not in ("release.made", "release.revoked"):
            return
        from interlock_registry_mlflow.releases import note, told_of

        told = told_of(event)
        if told is None:
            return
        waiting = self._waiting()
        try:
            with self._open().use() as backend:
                waiting.send(backend)
                note(backend, told)
        except Unavailable as error:
            waiting.add(told)
            raise Unavailable(f"{error}; the release's tag waits in {waiting.path}") from error

    @hookimpl
    def find_misfits(self, version: ModelVersion) -> list[Misfit]:
        from interlock_registry_mlflow.names import storable

        texts = [("name", f"{self.prefix}{version.name}", "name"), ("id", version.id, "id")]
        texts += [("alias", alias, f"alias {alias}") for alias in version.aliases]
        found = []
        for kind, text, what in texts:
            try:
                storable(text, kind)
            except InvalidInput as refusal:
                found.append(Misfit(what=what, reason=str(refusal)))
        if not found:
            from interlock_registry_mlflow.versions import was_deleted

            experiment = self.experiment or f"{self.prefix}{version.name}"
            with self._open().use() as backend:
                if was_deleted(backend, experiment, version.id):
                    found.append(Misfit(what="id", reason="it made a version that was deleted"))
        return found

    def _waiting(self) -> Waiting:
        from interlock_registry_mlflow.waiting import Waiting

        return Waiting.of(self.root, reveal(self.uri), self.prefix)

    def _open(self) -> Backend:
        """The backend of this process: a fork opens its own."""
        process = os.getpid()
        if self._backend is None or self._backend[0] != process:
            from interlock_registry_mlflow.backend import open_backend
            from interlock_registry_mlflow.quiet import import_client

            import_client()
            opened = open_backend(
                self.uri,
                self.root,
                self.prefix,
                token=self.token,
                username=self.username,
                password=self.password,
                verify=str(self.root / self.ca) if self.ca else True,
                timeout=self.timeout,
                attempts=self.attempts,
            )
            self._backend = (process, opened)
        return self._backend[1]
