"""An endpoint brought to what it is to serve, in an order in which no request fails.

New Models first, and the wait until they are ready; then the Experiment, which moves requests at
once; then, a while later, what is used no longer goes. Each step looks at what is there and changes
the difference, so whoever is killed in the middle is gone on with by the next who asks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from interlock_deploy_seldon.core_v2.cluster import Cluster, merged, refuse_foreign
from interlock_deploy_seldon.core_v2.folder import Folder
from interlock_deploy_seldon.core_v2.formats import refuse_unservable
from interlock_deploy_seldon.core_v2.manifests import (
    PIPELINE,
    Manifest,
    Rendered,
    refuse_unsplittable,
    render,
    served_by,
)
from interlock_deploy_seldon.core_v2.names import endpoint_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_deploy_seldon.core_v2.readiness import wait
from interlock_deploy_seldon.core_v2.storage import store
from interlock_hookspecs import Deployment, Endpoint, PluginError, Target, Unavailable

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace

_GONE_SECONDS = 60.0


class Writer(Protocol):
    """Where objects are written."""

    def put(self, manifest: Manifest) -> bool:
        """Write one; gives whether it was another before."""

    def delete(self, kind: str, name: str) -> None:
        """Take one away; that there is none is no error."""


def apply(
    endpoint: Endpoint,
    key: str,
    targets: tuple[Target, ...],
    options: CoreV2,
    ws: Workspace,
) -> Deployment:
    """Make an endpoint serve exactly these targets.

    Args:
        endpoint: which endpoint.
        key: the deployment's id.
        targets: what it is to serve.
        options: where and how.
        ws: locates the models.

    Raises:
        NotFound, InvalidInput, Unsupported: what is asked for cannot be; nothing was changed.
        Conflict: objects of somebody else are in the way.
        Unavailable: the cluster or the store cannot be reached, or it did not come to be ready.
    """
    refuse_unsplittable(targets)
    for target in targets:
        refuse_unservable(target.model)
    # The cluster first: where it cannot be reached, nothing is uploaded.
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster(options)) if options.render_to is None else None
        if cluster is not None:
            cluster.get("Experiment", endpoint_name(endpoint))
        stored = {target.model.digest: store(target.model, options, ws) for target in targets}
        rendered = render(endpoint, targets, stored, options)
        if cluster is not None:
            _apply_to_cluster(cluster, rendered, options)
        else:
            _apply_to_folder(endpoint, rendered, options)
    return deployment_of(endpoint, key, targets, options)


def deployment_of(
    endpoint: Endpoint, key: str, targets: tuple[Target, ...], options: CoreV2
) -> Deployment:
    """The deployment of an endpoint that serves these targets."""
    name = endpoint_name(endpoint)
    return Deployment(
        id=key,
        endpoint=endpoint,
        targets=targets,
        address=address_of(endpoint, options),
        facts={
            "target": "core-v2",
            "namespace": options.namespace,
            "experiment": name,
            "header": f"Seldon-Model: {name}.experiment",
        },
    )


def address_of(endpoint: Endpoint, options: CoreV2) -> str:
    """Where clients call an endpoint, with its header."""
    return f"{options.mesh_url}/v2/models/{endpoint_name(endpoint)}"


def remove(endpoint: Endpoint, options: CoreV2) -> None:
    """Take away what serves an endpoint; that there is nothing is no error.

    Raises:
        Unavailable: the cluster cannot be reached, or lets go of nothing.
    """
    name = endpoint_name(endpoint)
    if options.render_to is not None:
        folder = Folder(options.root / options.render_to, name)
        for kind in ("Experiment", "Pipeline", "Model"):
            for each in folder.of_endpoint(kind):
                folder.delete(kind, each["metadata"]["name"])
        return
    with Cluster(options) as cluster:
        for kind in ("Experiment", "Pipeline", "Model"):
            gone = [each["metadata"]["name"] for each in cluster.of_endpoint(kind, name)]
            for each in gone:
                cluster.delete(kind, each)
            _await_gone(cluster, kind, gone)


def _apply_to_cluster(cluster: Cluster, rendered: Rendered, options: CoreV2) -> None:
    experiment = rendered.experiment
    before = cluster.get("Experiment", experiment["metadata"]["name"])
    if before is not None:
        refuse_foreign(before, experiment)
    made: list[Manifest] = []
    try:
        for group in (rendered.models, rendered.pipelines):
            for manifest in group:
                _await_unless_dying(cluster, manifest)
                if cluster.get(manifest["kind"], manifest["metadata"]["name"]) is None:
                    made.append(manifest)
                cluster.put(manifest)
            _await_ready(cluster, group, options)
        _await_unless_dying(cluster, experiment)
        cluster.put(experiment)
        _await_ready(cluster, [experiment], options)
    except PluginError:
        _take_back(cluster, made, before, experiment)
        raise
    _drop_unused(cluster, rendered, options)


def _apply_to_folder(endpoint: Endpoint, rendered: Rendered, options: CoreV2) -> None:
    """Write files, and believe what the cluster says of them only.

    Raises:
        Unavailable: nobody tells that the cluster serves what was written.
    """
    if options.render_to is None:
        raise ValueError("there is no folder to render to")
    folder = Folder(options.root / options.render_to, endpoint_name(endpoint))
    if not options.has_cluster:
        for manifest in rendered.all:
            folder.put(manifest)
        msg = (
            f"the manifests are in {folder.path}, and no cluster is named that says whether they "
            "are applied: apply them, or name one (kubeconfig = ...) and ask again"
        )
        raise Unavailable(msg)
    with Cluster(options) as cluster:
        for group in (rendered.models, rendered.pipelines, (rendered.experiment,)):
            for manifest in group:
                folder.put(manifest)
            try:
                _await_ready(cluster, group, options)
            except PluginError as error:
                msg = f"the manifests are in {folder.path}, not yet in the cluster: {error}"
                raise Unavailable(msg) from error
        unused = [
            (kind, each["metadata"]["name"])
            for kind in ("Pipeline", "Model")
            for each in folder.of_endpoint(kind)
            if each["metadata"]["name"] not in _names(rendered, kind)
        ]
        if unused:
            time.sleep(options.settle_seconds)
        for kind, name in unused:
            folder.delete(kind, name)


def _await_ready(cluster: Cluster, wanted: Sequence[Manifest], options: CoreV2) -> None:
    def look(manifest: Manifest) -> Manifest | None:
        return cluster.get(manifest["kind"], manifest["metadata"]["name"])

    wait(wanted, look, is_as_written, options.ready_seconds)


def is_as_written(found: Manifest, manifest: Manifest) -> bool:
    """Whether an object is what a manifest says it is to be."""
    return merged(found, manifest) == found


def _await_unless_dying(cluster: Cluster, manifest: Manifest) -> None:
    """Wait for the end of an object of the same name that is being deleted."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    found = cluster.get(kind, name)
    if found is not None and found["metadata"].get("deletionTimestamp"):
        _await_gone(cluster, kind, [name])


def _await_gone(cluster: Cluster, kind: str, names: Sequence[str]) -> None:
    deadline, pause = time.monotonic() + _GONE_SECONDS, 0.02
    for name in names:
        while cluster.get(kind, name) is not None:
            if time.monotonic() > deadline:
                msg = f"{kind} {name} was deleted, and is still there after {_GONE_SECONDS:g} s"
                raise Unavailable(msg)
            time.sleep(pause)
            pause = min(2 * pause, 1.0)


def _take_back(
    cluster: Cluster, made: Sequence[Manifest], before: Manifest | None, experiment: Manifest
) -> None:
    """Leave the endpoint as it was, as far as the cluster still listens."""
    with contextlib.suppress(PluginError):
        now = cluster.get("Experiment", experiment["metadata"]["name"])
        if before is None and now is not None and is_as_written(now, experiment):
            cluster.delete("Experiment", experiment["metadata"]["name"])
        elif before is not None and now is not None and now["spec"] != before["spec"]:
            cluster.put({**experiment, "spec": before["spec"]})
        for manifest in reversed(made):
            cluster.delete(manifest["kind"], manifest["metadata"]["name"])


def _drop_unused(cluster: Cluster, rendered: Rendered, options: CoreV2) -> None:
    label = rendered.experiment["metadata"]["name"]
    unused = [
        (kind, each["metadata"]["name"])
        for kind in ("Pipeline", "Model")
        for each in cluster.of_endpoint(kind, label)
        if each["metadata"]["name"] not in _names(rendered, kind)
        and not each["metadata"].get("deletionTimestamp")
    ]
    if not unused:
        return
    # Requests in flight end first, and Seldon's mesh hears of the switch: an Experiment does not
    # say which of its generations it is ready with.
    time.sleep(options.settle_seconds)
    # Somebody may have switched back meanwhile: what the endpoint sends requests to stays.
    now = cluster.get("Experiment", label)
    used = {each.removesuffix(PIPELINE) for each in served_by(now)} if now is not None else set()
    for kind, name in unused:
        if name.removesuffix(PIPELINE) not in used:
            cluster.delete(kind, name)


def _names(rendered: Rendered, kind: str) -> set[str]:
    group = rendered.pipelines if kind == "Pipeline" else rendered.models
    return {each["metadata"]["name"] for each in group}
