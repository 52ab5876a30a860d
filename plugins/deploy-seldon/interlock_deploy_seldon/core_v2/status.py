"""How an endpoint is, read back from the cluster."""

from __future__ import annotations

from interlock_deploy_seldon.core_v2.applying import address_of
from interlock_deploy_seldon.core_v2.cluster import Cluster
from interlock_deploy_seldon.core_v2.manifests import RELEASE, Manifest, served_by
from interlock_deploy_seldon.core_v2.names import endpoint_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_deploy_seldon.core_v2.readiness import state_of
from interlock_hookspecs import Deployment, EndpointStatus, PluginError


def status_of(deployment: Deployment, options: CoreV2) -> EndpointStatus:
    """How an endpoint is, as its objects say. Whatever is wrong is a status."""
    if deployment.address != address_of(deployment.endpoint, options):
        return _dead(f"it was not made here: there is nothing at {deployment.address!r}")
    if options.render_to is not None and not options.has_cluster:
        return _dead("its manifests were written to a folder, and no cluster is named to ask")
    name = endpoint_name(deployment.endpoint)
    try:
        with Cluster(options, quick=True) as cluster:
            experiment = cluster.get("Experiment", name)
            models = cluster.of_endpoint("Model", name) if experiment is not None else []
            pipelines = cluster.of_endpoint("Pipeline", name) if options.pipeline else []
    except PluginError as error:
        return _dead(str(error))
    if experiment is None:
        return _dead(f"the cluster has no Experiment {name}")
    return _told(experiment, models, pipelines)


def _told(
    experiment: Manifest, models: list[Manifest], pipelines: list[Manifest]
) -> EndpointStatus:
    known = {each["metadata"]["name"]: each for each in (*models, *pipelines)}
    served = served_by(experiment)
    parts = {name: state_of(known.get(name)) for name in served}
    whole = state_of(experiment)
    ready = whole.ready and all(state.ready for state in parts.values())
    wrong = [f"{name}: {state.why}" for name, state in parts.items() if not state.ready]
    if not whole.ready:
        wrong.insert(0, whole.why)
    releases = [
        known[name]["metadata"].get("annotations", {}).get(RELEASE, "")
        for name in served
        if name in known
    ]
    return EndpointStatus(
        live=any(state.ready for state in parts.values()),
        ready=ready,
        serving=tuple(each for each in releases if each),
        detail="; ".join(wrong) or f"{len(served)} of {len(served)} ready, as the cluster says",
    )


def _dead(detail: str) -> EndpointStatus:
    return EndpointStatus(live=False, ready=False, detail=detail)
