"""What the target is told: where the cluster is, where it reads models, how it runs them."""

from __future__ import annotations

from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class CoreV2:
    """The settings of the target, as the plugin's class has them under the same names.

    Attributes:
        namespace: where the objects are made.
        kubeconfig: a file that says how a cluster is reached; None for the usual one.
        context: of that file; empty for its current one.
        mesh: the URL at which clients reach Seldon's mesh; empty for its service in the namespace.
        storage: the folder or bucket that models are uploaded to, as fsspec names it.
        storage_uri: the same place as the cluster's rclone names it; empty where it is the same.
        storage_secret: the name of a Secret that the cluster reads the store with.
        on_server: the name of the Server that models go to; empty for any that fits.
        memory: what a model is said to take, as Kubernetes writes quantities.
        replicas: of each model; None leaves it to the cluster.
        pipeline: whether each model is put behind a Pipeline of one step.
        render_to: the folder that manifests are written to instead of the cluster.
        prometheus: the URL of the server that reads the metrics of Seldon's agents.
        ready_seconds: seconds that an object may take until it is ready.
        settle_seconds: between the switch and the removal of models that are used no longer.
        root: the project's folder.
    """

    namespace: str = "seldon-mesh"
    kubeconfig: Path | None = None
    context: str = ""
    mesh: str = ""
    storage: str = ""
    storage_uri: str = ""
    storage_secret: str = ""
    on_server: str = ""
    memory: str = ""
    replicas: int | None = None
    pipeline: bool = False
    render_to: Path | None = None
    prometheus: str = ""
    ready_seconds: float = 300.0
    settle_seconds: float = 10.0
    root: Path = attrs.field(factory=Path)

    @property
    def read_from(self) -> str:
        """Where the cluster reads models."""
        return (self.storage_uri or self.storage).rstrip("/")

    @property
    def mesh_url(self) -> str:
        """Where clients reach the mesh, without a slash at its end."""
        return (self.mesh or f"http://seldon-mesh.{self.namespace}").rstrip("/")

    @property
    def has_cluster(self) -> bool:
        """Whether a cluster is named, or this process runs in one."""
        import os

        return bool(self.kubeconfig or self.context or os.environ.get("KUBERNETES_SERVICE_HOST"))
