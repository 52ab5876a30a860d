"""Where a version comes from, as MLflow shows it: a run, its dataset, a logged model, tags."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import Facts, Model, Workspace
from interlock_registry_mlflow.failures import EXISTS, code_of, mlflow_error
from interlock_registry_mlflow.files import put_folder
from interlock_registry_mlflow.flavours import write_folder
from interlock_registry_mlflow.names import name_text

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

ID, DIGEST, DELETED, RUN = (f"interlock.{word}" for word in ("id", "digest", "deleted", "run"))
_LINEAGE = ("run", "data", "code", "estimator")
"""Facts of a registration that get a tag of their own, which people search by."""

_DATASET_DIGEST = 36  # characters that MLflow keeps of one
_TAG = 5000  # characters that every tag of MLflow's may have


@attrs.frozen(kw_only=True)
class Source:
    """A logged model of MLflow's, its files in place."""

    model_id: str
    run_id: str
    uri: str


def lineage_tags(id: str, model: Model, facts: Facts) -> dict[str, str]:  # noqa: A002  (the contract's own word)
    """The tags that a run, a logged model and a version of it share."""
    tags = {ID: name_text(id), DIGEST: model.digest, "interlock.format": model.format}
    found = {key: facts[key] for key in _LINEAGE if facts.get(key) is not None}
    return tags | {f"interlock.{key}": str(value)[:_TAG] for key, value in found.items()}


def upload(
    backend: Backend,
    experiment: str,
    model: Model,
    facts: Facts,
    tags: Mapping[str, str],
    ws: Workspace,
) -> Source:
    """Log a model with its run and its data, and copy its files.

    The run is the one that carries the tag ``interlock.run`` already, so that a tracker's run and
    the version's are the same; else a new one.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus, LoggedModelTag

    tracking = backend.tracking
    place = _experiment(backend, experiment)
    run_id = _run(backend, place, facts, tags)
    logged = tracking.create_logged_model(
        experiment_id=place,
        name="model",
        source_run_id=run_id,
        tags=[LoggedModelTag(key, value) for key, value in tags.items()],
        model_type=model.format,
    )
    folder = ws.scratch()
    write_folder(folder, model, ws, model_id=logged.model_id, run_id=run_id)
    put_folder(backend, folder, logged.artifact_location)
    tracking.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    tracking.log_outputs(run_id, [LoggedModelOutput(model_id=logged.model_id, step=0)])
    # A server resolves the id; a database is opened by people who may not, so it names the files.
    uri = f"models:/{logged.model_id}" if backend.transport else logged.artifact_location
    return Source(model_id=logged.model_id, run_id=run_id, uri=uri)


def abandon(backend: Backend, source: Source) -> None:
    """Take back a logged model that no version came of, because another writer was first."""
    backend.tracking.delete_logged_model(source.model_id)


def attempt_of(backend: Backend, experiment: str, id: str) -> Any:  # noqa: A002  (the contract's own word)
    """The logged model that a registration of this id left, or None."""
    place = _known_experiment(backend, experiment)
    if place is None:
        return None
    models = backend.tracking.search_logged_models(
        [place], filter_string=f"tags.`{ID}` = '{name_text(id)}'", max_results=1
    )
    return next(iter(models), None)


def _known_experiment(backend: Backend, name: str) -> str | None:
    if name not in backend.experiments:
        found = backend.tracking.get_experiment_by_name(name)
        if found is None:
            return None
        backend.experiments[name] = str(found.experiment_id)
    return backend.experiments[name]


def _experiment(backend: Backend, name: str) -> str:
    found = _known_experiment(backend, name)
    if found is None:
        location = str(Path(backend.files, name_text(name))) if backend.files else None
        try:
            return str(backend.tracking.create_experiment(name, location))
        except mlflow_error() as error:
            if code_of(error) not in EXISTS:
                raise
        found = str(backend.tracking.get_experiment_by_name(name).experiment_id)
    return found


def _run(backend: Backend, experiment: str, facts: Facts, tags: Mapping[str, str]) -> str:
    from mlflow.entities import RunStatus, RunTag, ViewType

    tracking = backend.tracking
    if RUN in tags and tags[RUN] == name_text(tags[RUN]):  # no quote in it, and no such thing
        found = tracking.search_runs(
            [experiment], f"tags.`{RUN}` = '{tags[RUN]}'", ViewType.ACTIVE_ONLY, 1
        )
        if found:
            _log_dataset(backend, found[0].info.run_id, facts)
            return str(found[0].info.run_id)
    now = int(time.time() * 1000)
    made = tracking.create_run(
        experiment_id=experiment,
        user_id="interlock",
        start_time=now,
        tags=[RunTag(key, value) for key, value in tags.items()],
        run_name=tags.get(RUN, tags[ID]),
    )
    run_id = str(made.info.run_id)
    _log_dataset(backend, run_id, facts)
    tracking.update_run_info(run_id, RunStatus.FINISHED, now, made.info.run_name)
    return run_id


def _log_dataset(backend: Backend, run_id: str, facts: Facts) -> None:
    """The data that a model was fitted on, as an input of its run; its digest is Interlock's."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    digest = facts.get("data")
    if not isinstance(digest, str):
        return
    dataset = Dataset(
        name="interlock",
        digest=digest.removeprefix("sha256:")[:_DATASET_DIGEST],
        source_type="interlock",
        source=json.dumps({"digest": digest}),
    )
    tags = [InputTag("mlflow.data.context", "training")]
    backend.tracking.log_inputs(run_id, [DatasetInput(dataset, tags)])
