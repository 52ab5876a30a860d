"""From an endpoint and its targets to the objects of Seldon Core v2 that serve exactly these.

Each release is a Model of its own. The endpoint is an Experiment, with one candidate or several, so
that clients call one name whatever is behind it: an Experiment ``N`` answers requests that say
``Seldon-Model: N.experiment``. It has no ``default``: that would be the name of one of its models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_deploy_seldon.core_v2.schema import checked
from interlock_deploy_seldon.core_v2.weights import apportion
from interlock_hookspecs import Endpoint, InvalidInput, Target, Unsupported

API_VERSION = "mlops.seldon.io/v1alpha1"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "interlock"
ENDPOINT_LABEL = "interlock/endpoint"
RELEASE = "interlock/release"
DIGEST = "interlock/digest"
PIPELINE = "-pipeline"  # Seldon Core refuses a pipeline with the name of one of its steps

Manifest = dict[str, Any]


@attrs.frozen(kw_only=True, eq=False)
class Stored:
    """Where the cluster reads a model.

    Attributes:
        uri: the folder, as its rclone names it.
        requirement: what its server must be able to run, for example ``onnx``.
    """

    uri: str
    requirement: str


@attrs.frozen(kw_only=True, eq=False)
class Rendered:
    """The objects of an endpoint.

    Attributes:
        models, pipelines: one a target; pipelines only where they are asked for.
        experiment: what splits requests among them.
    """

    models: tuple[Manifest, ...]
    pipelines: tuple[Manifest, ...]
    experiment: Manifest

    @property
    def all(self) -> tuple[Manifest, ...]:
        """All of them, in the order in which they may be made."""
        return (*self.models, *self.pipelines, self.experiment)

    def names(self, kind: str) -> set[str]:
        """The names of its Models, or of its Pipelines."""
        group = self.pipelines if kind == "Pipeline" else self.models
        return {each["metadata"]["name"] for each in group}


def refuse_unsplittable(targets: Sequence[Target]) -> None:
    """Refuse targets that an Experiment cannot have, before anything is done for them.

    Raises:
        InvalidInput, Unsupported: the weights, the mirrors, or a release that is there twice.
    """
    mirrors = [target for target in targets if target.mirror]
    if len(mirrors) > 1:
        msg = f"an endpoint of Seldon Core has one mirror at most, not {len(mirrors)}"
        raise Unsupported(msg)
    ids = [target.release.id for target in targets]
    twice = next((each for each in ids if ids.count(each) > 1), None)
    if twice is not None:
        msg = f"Seldon Core serves a release once at an endpoint, and {twice} is there twice"
        raise Unsupported(msg)
    if len(mirrors) == len(targets):
        raise InvalidInput("an endpoint needs a release that answers: it was given none")
    apportion(_weights(targets))


def render(
    endpoint: Endpoint,
    targets: Sequence[Target],
    stored: Mapping[str, Stored],
    options: CoreV2,
) -> Rendered:
    """The objects that serve these targets, each held against the schema.

    Args:
        endpoint: which endpoint.
        targets: what it is to serve.
        stored: where the cluster reads each model, by the name of its Model.
        options: how they run.

    Raises:
        InvalidInput, Unsupported: as `refuse_unsplittable`, or a setting does not fit the schema.
    """
    refuse_unsplittable(targets)
    models, pipelines = [], []
    for target in targets:
        name = model_name(endpoint, target)
        spec = _model(stored[name], options)
        models.append(checked(_object("Model", name, endpoint, options, spec, target)))
        if options.pipeline:
            whole = _object("Pipeline", name + PIPELINE, endpoint, options, _pipeline(name), target)
            pipelines.append(checked(whole))
    names = [each["metadata"]["name"] for each in pipelines or models]
    spec = _experiment(names, targets, options)
    experiment = checked(_object("Experiment", endpoint_name(endpoint), endpoint, options, spec))
    return Rendered(models=tuple(models), pipelines=tuple(pipelines), experiment=experiment)


def shares(targets: Sequence[Target]) -> dict[str, int]:
    """The weight of each release that answers, as its Experiment has it."""
    answering = [target.release.id for target in targets if not target.mirror]
    return dict(zip(answering, apportion(_weights(targets)), strict=True))


def served_by(experiment: Manifest) -> list[str]:
    """The names of what an Experiment sends requests to, its mirror last."""
    spec = experiment["spec"]
    mirror = [spec["mirror"]] if spec.get("mirror") else []
    return [each["name"] for each in (*spec["candidates"], *mirror)]


def _weights(targets: Sequence[Target]) -> list[float]:
    return [target.weight for target in targets if not target.mirror]


def _object(
    kind: str,
    name: str,
    endpoint: Endpoint,
    options: CoreV2,
    spec: Manifest,
    target: Target | None = None,
) -> Manifest:
    said = {
        "interlock/project": endpoint.project,
        "interlock/stack": endpoint.stack,
        "interlock/endpoint-name": endpoint.name,
    }
    if target is not None:
        said[RELEASE] = target.release.id
        said[DIGEST] = target.model.digest
        said["interlock/threshold"] = f"{target.release.threshold}"
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": options.namespace,
            "labels": {MANAGED_BY: MANAGER, ENDPOINT_LABEL: endpoint_name(endpoint)},
            "annotations": said,
        },
        "spec": spec,
    }


def _model(stored: Stored, options: CoreV2) -> Manifest:
    said = {
        "storageUri": stored.uri,
        "requirements": [stored.requirement],
        "secretName": options.storage_secret,
        "server": options.on_server,
        "memory": options.memory,
        "replicas": options.replicas,
    }
    return {key: value for key, value in said.items() if value not in ("", None)}


def _pipeline(name: str) -> Manifest:
    # What the cluster would fill in is said, so that what it gives back is what was written.
    return {
        "steps": [{"name": name, "inputsJoinType": "inner"}],
        "output": {"steps": [name], "stepsJoin": "inner"},
    }


def _experiment(names: Sequence[str], targets: Sequence[Target], options: CoreV2) -> Manifest:
    weights = shares(targets)
    spec: Manifest = {
        "candidates": [
            {"name": name, "weight": weights[target.release.id]}
            for name, target in zip(names, targets, strict=True)
            if not target.mirror
        ],
        "resourceType": "pipeline" if options.pipeline else "model",
    }
    for name, target in zip(names, targets, strict=True):
        if target.mirror:
            spec["mirror"] = {"name": name, "percent": 100}
    return spec
