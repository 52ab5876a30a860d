"""Versions: registered once, found by number, alias, digest or id, listed newest first."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import (
    Conflict,
    Facts,
    InvalidInput,
    Model,
    ModelVersion,
    NotFound,
    VersionPage,
    Workspace,
    is_digest,
)
from interlock_registry_mlflow.failures import ABSENT, code_of, mlflow_error
from interlock_registry_mlflow.lineage import (
    DELETED,
    DIGEST,
    ID,
    Source,
    abandon,
    attempt_of,
    lineage_tags,
    upload,
)
from interlock_registry_mlflow.lock import locked
from interlock_registry_mlflow.names import alias_of, name_text, number_of, storable
from interlock_registry_mlflow.outside import outside_number, read_outside
from interlock_registry_mlflow.record import is_ours, read_version, record_tags

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

_MOST = 1000  # versions in one answer of the server
_TAG_BYTES = 4
_MODEL_ID = re.compile(r"/(m-[0-9a-f]{32})(?:/|$)")


def register(
    backend: Backend,
    *,
    name: str,
    id: str,  # noqa: A002  (the contract's own word)
    model: Model,
    facts: Facts,
    experiment: str,
    ws: Workspace,
) -> ModelVersion:
    """The version that the id or the digest has already, else a new one.

    The files are copied before the lock is taken, however long that takes; the version is made
    under it.

    Raises:
        Conflict: the id stands for another model, another name, or a version that was deleted.
    """
    written = backend.written(name)
    storable(id, "id")
    known = _known(backend, written, id, model)
    if known is not None:
        return known
    source = _earlier(backend, experiment, id, model)
    tags = lineage_tags(id, model, facts)
    if source is None:
        source = upload(backend, experiment, model, facts, tags, ws)
    with locked(backend, written) as held:
        known = _known(backend, written, id, model)
        if known is None:
            held.still()
            made = _create(backend, written, source, {**tags, **dict(record_tags(model, facts))})
            return read_version(backend, made)
    if known.id != id:
        abandon(backend, source)
    return known


def find(backend: Backend, name: str, ref: str) -> ModelVersion | None:
    """The version that a number, an ``@alias``, a digest or an id names, or None."""
    try:
        written = backend.written(name)
        alias = storable(ref[1:], "alias") if ref.startswith("@") else ""
        number = number_of(ref)
        if not alias and number is None:
            key = DIGEST if is_digest(ref) else ID
            value = ref if key == DIGEST else storable(ref, "id")
            number = number_by_tag(backend, written, key, value) or outside_number(written, ref)
    except InvalidInput:
        return None  # nothing is stored under what cannot be stored
    found = _by_alias(backend, written, alias) if alias else live(backend, written, number)
    return None if found is None else _record(backend, found)


def page(backend: Backend, name: str, cursor: str | None, limit: int) -> VersionPage:
    """Up to ``limit`` versions below the cursor's number, newest first.

    Raises:
        InvalidInput: the cursor is no page's of this name, or the limit under 1.
    """
    if limit < 1:
        raise InvalidInput(f"limit is {limit}: expected 1 or more")
    below = None if cursor is None else _below(name, cursor)
    limit = min(limit, _MOST)
    try:
        written = backend.written(name)
    except InvalidInput:
        return VersionPage()
    numbers: dict[str, Any] = {}
    while True:
        rows = _newest(backend, written, below, limit + 1)
        numbers = numbers or (aliases_of(backend, written) if rows else {})
        for row in rows[:limit]:
            row.aliases = _pointing(numbers, row)
        found = [_record(backend, row) for row in rows[:limit]]
        items = [item for item in found if item is not None]
        if len(rows) <= limit:
            return VersionPage(items=items)
        below = int(rows[limit - 1].version)
        if items:
            return VersionPage(items=items, cursor=_cursor(name, below))


def delete(backend: Backend, name: str, number: str) -> None:
    """Remove a version. MLflow keeps its number; its logged model keeps the files, and says so.

    Raises:
        NotFound: there is no such version.
        Conflict: an alias still points at it.
    """
    from mlflow.entities import LoggedModelTag

    written, wanted = backend.written(name), number_of(number)
    with locked(backend, written) as held:
        found = live(backend, written, wanted)
        if found is None:
            raise NotFound(f"{name} has no version {number}")
        if found.aliases:
            pointing = ", ".join(sorted(f"@{alias_of(alias)}" for alias in found.aliases))
            raise Conflict(
                f"{name} {number} is {pointing}: move the alias first",
                expected=None,
                found=pointing,
            )
        held.still()
        model_id = model_id_of(found)
        if model_id:
            gone = LoggedModelTag(DELETED, str(int(time.time())))
            backend.tracking.set_logged_model_tags(model_id, [gone])
        backend.registry.delete_model_version(written, wanted)


def live(backend: Backend, written: str, number: int | None) -> Any:
    """MLflow's version of a number, or None."""
    if number is None:
        return None
    try:
        return backend.registry.get_model_version(written, str(number))
    except mlflow_error() as error:
        if code_of(error) in ABSENT:
            return None
        raise


def aliases_of(backend: Backend, written: str) -> dict[str, Any]:
    """The aliases of a name and the numbers that they are on, as MLflow writes both.

    Its search is asked and not its ``get``, which reads every version of the name.
    """
    found = backend.registry.search_registered_models(f"name = '{written}'", max_results=1)
    return dict(found[0].aliases) if found else {}


def model_id_of(version: Any) -> str:
    """The logged model behind a version; empty where there is none."""
    found = _MODEL_ID.search(str(version.source))
    return found[1] if found else ""


def _by_alias(backend: Backend, written: str, alias: str) -> Any:
    try:
        return backend.registry.get_model_version_by_alias(written, alias)
    except mlflow_error() as error:
        # An alias that is well formed, and that the name does not have, is an invalid parameter.
        if code_of(error) in (*ABSENT, "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _known(
    backend: Backend,
    written: str,
    id: str,  # noqa: A002  (the contract's own word)
    model: Model,
) -> ModelVersion | None:
    """The version that the id made, under whatever name, or that the name has of this model."""
    search = backend.registry.search_model_versions
    ours = f"name LIKE '{name_text(backend.prefix)}%' and " if backend.prefix else ""
    for row in search(f"{ours}tags.`{ID}` = '{name_text(id)}'", max_results=1):
        digest = row.tags[DIGEST]
        if (row.name, digest) != (written, model.digest):
            raise Conflict(
                f"{id} stands for {row.name} {row.version} already: register with a new id",
                expected=model.digest,
                found=digest,
            )
        return read_version(backend, live(backend, written, row.version), existing=True)
    number = number_by_tag(backend, written, DIGEST, model.digest)
    found = live(backend, written, number)
    return None if found is None else read_version(backend, found, existing=True)


def _record(backend: Backend, version: Any) -> ModelVersion | None:
    return read_version(backend, version) if is_ours(version) else read_outside(backend, version)


def _pointing(numbers: Mapping[str, Any], version: Any) -> list[str]:
    return [alias for alias, number in numbers.items() if str(number) == str(version.version)]


def number_by_tag(backend: Backend, written: str, key: str, value: str) -> int | None:
    """The number of a version of a name that carries a tag, or None.

    Args:
        backend: where it is.
        written: the name, as MLflow has it.
        key: the tag's.
        value: the tag's, without a quote in it.
    """
    rows = backend.registry.search_model_versions(
        f"name = '{written}' and tags.`{key}` = '{value}'", max_results=1
    )
    return int(rows[0].version) if rows else None


def _newest(backend: Backend, written: str, below: int | None, limit: int) -> Any:
    under = "" if below is None else f" and version_number < {below}"
    return backend.registry.search_model_versions(
        f"name = '{written}'{under}", max_results=limit, order_by=["version_number DESC"]
    )


def _earlier(backend: Backend, experiment: str, id: str, model: Model) -> Source | None:  # noqa: A002  (the contract's own word)
    """What an attempt that was killed had copied already.

    Raises:
        Conflict: the id made a version, and that was deleted.
    """
    from mlflow.entities import LoggedModelStatus

    found = attempt_of(backend, experiment, id)
    if found is None:
        return None
    if DELETED in found.tags:
        raise Conflict(
            f"{id} made a version that was deleted: register with a new id",
            expected=model.digest,
            found=None,
        )
    if found.status != LoggedModelStatus.READY or found.tags.get(DIGEST) != model.digest:
        return None
    uri = f"models:/{found.model_id}" if backend.transport else found.artifact_location
    return Source(model_id=found.model_id, run_id=found.source_run_id, uri=uri)


def was_deleted(backend: Backend, experiment: str, id: str) -> bool:  # noqa: A002  (the contract's own word)
    """Whether an id made a version that was deleted since."""
    found = attempt_of(backend, experiment, id)
    return found is not None and DELETED in found.tags


def _create(backend: Backend, written: str, source: Source, tags: dict[str, str]) -> Any:
    from mlflow.entities.model_registry import ModelVersionTag

    given = {
        "name": written,
        "source": source.uri,
        "run_id": source.run_id,
        "model_id": source.model_id if backend.transport else None,
        "tags": [ModelVersionTag(key, value) for key, value in tags.items()],
    }
    try:
        return backend.registry.create_model_version(**given)
    except mlflow_error() as error:
        if code_of(error) not in ABSENT:
            raise
    backend.registry.create_registered_model(written)
    return backend.registry.create_model_version(**given)


def _cursor(name: str, number: int) -> str:
    """The number with a tag of it and the name, so that another listing's cursor is noticed."""
    content = f"{number}:{name}".encode("utf-8", "surrogatepass")
    return f"v1-{number}-{hashlib.blake2b(content, digest_size=_TAG_BYTES).hexdigest()}"


def _below(name: str, cursor: str) -> int:
    number = number_of(cursor.removeprefix("v1-").partition("-")[0])
    if number is None or cursor != _cursor(name, number):
        raise InvalidInput(
            f"the cursor is not one of the versions of {name}: start again without one"
        )
    return number
