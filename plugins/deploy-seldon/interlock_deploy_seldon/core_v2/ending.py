"""What an endpoint needs no more: its objects go, and after them what was uploaded for them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from interlock_deploy_seldon.core_v2.cluster import Cluster, is_as_written
from interlock_deploy_seldon.core_v2.folder import folder_of
from interlock_deploy_seldon.core_v2.manifests import PIPELINE, Manifest, Rendered, served_by
from interlock_deploy_seldon.core_v2.names import endpoint_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_deploy_seldon.core_v2.storage import discard
from interlock_hookspecs import Endpoint, PluginError, Unavailable

_GONE_SECONDS = 60.0
_TIDY_SECONDS = 10.0
"""How long what nobody needs may take to go; a Model that takes longer keeps its upload."""


def remove(endpoint: Endpoint, options: CoreV2) -> None:
    """Take away what serves an endpoint; that there is nothing is no error.

    Raises:
        Unavailable: the cluster cannot be reached, or lets go of nothing.
    """
    name = endpoint_name(endpoint)
    if options.render_to is not None:
        folder = folder_of(endpoint, options)
        for kind in ("Experiment", "Pipeline", "Model"):
            for each in folder.of_endpoint(kind, name):
                folder.delete(kind, each["metadata"]["name"])
        return
    with Cluster(options) as cluster:
        uris = uris_of(cluster.of_endpoint("Model", name))
        for kind in ("Experiment", "Pipeline", "Model"):
            gone = [each["metadata"]["name"] for each in cluster.of_endpoint(kind, name)]
            for each in gone:
                cluster.delete(kind, each)
            await_gone(cluster, kind, gone)
        discard_unread(cluster, endpoint, uris, options)


def take_back(
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
        models = [each["metadata"]["name"] for each in made if each["kind"] == "Model"]
        await_gone(cluster, "Model", models, _TIDY_SECONDS)


def drop_unused(cluster: Cluster, rendered: Rendered, options: CoreV2) -> None:
    """Delete the Models and Pipelines that an endpoint uses no more, a while after a switch."""
    label = rendered.experiment["metadata"]["name"]
    unused = [
        (kind, each["metadata"]["name"])
        for kind in ("Pipeline", "Model")
        for each in cluster.of_endpoint(kind, label)
        if each["metadata"]["name"] not in rendered.names(kind)
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
    gone = [(kind, name) for kind, name in unused if name.removesuffix(PIPELINE) not in used]
    for kind, name in gone:
        cluster.delete(kind, name)
    with contextlib.suppress(Unavailable):
        models = [name for kind, name in gone if kind == "Model"]
        await_gone(cluster, "Model", models, _TIDY_SECONDS)


def discard_unread(cluster: Cluster, endpoint: Endpoint, uris: set[str], options: CoreV2) -> None:
    """Remove what of this was uploaded for Models of an endpoint that are gone.

    Who is still there, or on its way out, may read what it names.
    """
    with contextlib.suppress(PluginError):
        discard(uris - uris_of(cluster.of_endpoint("Model", endpoint_name(endpoint))), options)


def uris_of(models: Sequence[Manifest]) -> set[str]:
    """Where Models read what they serve."""
    return {each["spec"]["storageUri"] for each in models}


def await_unless_dying(cluster: Cluster, manifest: Manifest) -> None:
    """Wait for the end of an object of the same name that is being deleted."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    found = cluster.get(kind, name)
    if found is not None and found["metadata"].get("deletionTimestamp"):
        await_gone(cluster, kind, [name])


def await_gone(
    cluster: Cluster, kind: str, names: Sequence[str], seconds: float = _GONE_SECONDS
) -> None:
    """Wait until objects that were deleted are gone.

    Raises:
        Unavailable: one is still there after so many seconds.
    """
    deadline, pause = time.monotonic() + seconds, 0.02
    for name in names:
        while cluster.get(kind, name) is not None:
            if time.monotonic() > deadline:
                msg = f"{kind} {name} was deleted, and is still there after {seconds:g} s"
                raise Unavailable(msg)
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
