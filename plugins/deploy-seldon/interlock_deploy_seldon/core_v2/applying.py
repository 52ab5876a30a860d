"""An endpoint brought to what it is to serve, in an order in which no request fails.

New Models first, and the wait until they are ready; then the Experiment, which moves requests at
once; then, a while later, what is used no longer goes, and after it what was uploaded for it: a
rollback uploads again, from what core keeps. Each step looks at what is there and changes the
difference, so whoever is killed in the middle is gone on with by the next who asks.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from interlock_deploy_seldon.core_v2.cluster import Cluster, is_as_written, refuse_foreign
from interlock_deploy_seldon.core_v2.ending import (
    await_unless_dying,
    discard_unread,
    drop_unused,
    take_back,
    uris_of,
)
from interlock_deploy_seldon.core_v2.folder import folder_of
from interlock_deploy_seldon.core_v2.formats import refuse_unservable
from interlock_deploy_seldon.core_v2.manifests import (
    DIGEST,
    Manifest,
    Rendered,
    Stored,
    refuse_unsplittable,
    render,
)
from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_deploy_seldon.core_v2.readiness import wait
from interlock_deploy_seldon.core_v2.storage import store
from interlock_hookspecs import Deployment, Endpoint, PluginError, Target, Unavailable

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace


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
        objects = cluster or folder_of(endpoint, options)
        models = objects.of_endpoint("Model", endpoint_name(endpoint))
        before = {each["metadata"]["name"]: _kept(each) for each in models}
        stored: dict[str, Stored] = {}
        try:
            for target in targets:
                name = model_name(endpoint, target)
                stored[name] = store(target.model, name, before.get(name, ""), options, ws)
            rendered = render(endpoint, targets, stored, options)
            if cluster is not None:
                _apply_to_cluster(cluster, rendered, before, options)
            else:
                _apply_to_folder(endpoint, rendered, options)
        finally:
            if cluster is not None:
                uploaded = {each.uri for each in stored.values()}
                discard_unread(cluster, endpoint, uploaded | uris_of(models), options)
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


def _kept(model: Manifest) -> str:
    """Where a Model reads what it serves; empty where it is being deleted."""
    dying = model["metadata"].get("deletionTimestamp")
    return "" if dying else str(model["spec"]["storageUri"])


def _apply_to_cluster(
    cluster: Cluster, rendered: Rendered, kept: Mapping[str, str], options: CoreV2
) -> None:
    experiment = rendered.experiment
    before = cluster.get("Experiment", experiment["metadata"]["name"])
    if before is not None:
        refuse_foreign(before, experiment)
    made: list[Manifest] = []
    fit = functools.partial(_sharing, kept)
    try:
        for group in (rendered.models, rendered.pipelines):
            for manifest in group:
                await_unless_dying(cluster, manifest)
                if cluster.get(manifest["kind"], manifest["metadata"]["name"]) is None:
                    _refuse_overtaken(manifest, kept)
                    made.append(manifest)
                cluster.put(manifest, fit)
            _await_ready(cluster, group, options, fit)
        await_unless_dying(cluster, experiment)
        cluster.put(experiment)
        _await_ready(cluster, [experiment], options, fit)
    except PluginError:
        take_back(cluster, made, before, experiment)
        raise
    drop_unused(cluster, rendered, options)


def _apply_to_folder(endpoint: Endpoint, rendered: Rendered, options: CoreV2) -> None:
    """Write files, and believe what the cluster says of them only.

    Raises:
        Unavailable: nobody tells that the cluster serves what was written.
    """
    folder = folder_of(endpoint, options)
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
                _await_ready(cluster, group, options, _alone)
            except PluginError as error:
                msg = f"the manifests are in {folder.path}, not yet in the cluster: {error}"
                raise Unavailable(msg) from error
        unused = [
            (kind, each["metadata"]["name"])
            for kind in ("Pipeline", "Model")
            for each in folder.of_endpoint(kind, endpoint_name(endpoint))
            if each["metadata"]["name"] not in rendered.names(kind)
        ]
        if unused:
            time.sleep(options.settle_seconds)
        for kind, name in unused:
            folder.delete(kind, name)


def _refuse_overtaken(manifest: Manifest, kept: Mapping[str, str]) -> None:
    """Make no Model that reads what was uploaded for one that somebody deleted meanwhile.

    Raises:
        Unavailable: it would.
    """
    name = manifest["metadata"]["name"]
    if manifest["kind"] == "Model" and manifest["spec"]["storageUri"] == kept.get(name):
        msg = f"Model {name} was deleted meanwhile, by somebody else who deploys: deploy again"
        raise Unavailable(msg)


def _sharing(kept: Mapping[str, str], found: Manifest, manifest: Manifest) -> Manifest:
    """A manifest that lets a Model read what another who deploys the same uploaded meanwhile.

    One upload is as good as the other. Were each to write its own, the last one's would be read,
    and the others would wait in vain for theirs.

    Args:
        kept: where Models read before, by their names.
        found: the object as it is now.
        manifest: as it is wanted.
    """
    if manifest["kind"] != "Model" or not _has_digest_of(found, manifest):
        return manifest
    read = found["spec"]["storageUri"]
    if read == kept.get(manifest["metadata"]["name"]):
        return manifest
    return {**manifest, "spec": {**manifest["spec"], "storageUri": read}}


def _alone(found: Manifest, manifest: Manifest) -> Manifest:  # noqa: ARG001  (as `_sharing`)
    return manifest


def _has_digest_of(found: Manifest, manifest: Manifest) -> bool:
    there = found["metadata"].get("annotations") or {}
    return bool(there.get(DIGEST) == manifest["metadata"]["annotations"][DIGEST])


def _await_ready(
    cluster: Cluster,
    wanted: Sequence[Manifest],
    options: CoreV2,
    fit: Callable[[Manifest, Manifest], Manifest],
) -> None:
    def look(manifest: Manifest) -> Manifest | None:
        return cluster.get(manifest["kind"], manifest["metadata"]["name"])

    def matches(found: Manifest, manifest: Manifest) -> bool:
        return is_as_written(found, fit(found, manifest))

    wait(wanted, look, matches, options.ready_seconds)
