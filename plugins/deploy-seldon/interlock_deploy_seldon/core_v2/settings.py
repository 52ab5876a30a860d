"""The settings of the target ``core-v2``, and what they are handed on as."""

from __future__ import annotations

from pathlib import Path

import attrs

from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_hookspecs import InvalidInput, Secret, reveal, setting

_NEEDED = ("fsspec", "jsonschema", "kubernetes", "onnx", "yaml")
_NOT_NEGATIVE = attrs.validators.ge(0)


# Not slotted: a class has the slots of one base only, and the server's settings have theirs.
@attrs.define(eq=False, kw_only=True, slots=False)
class CoreV2Settings:
    """What the target may be told; the plugin's class inherits them."""

    namespace: str = setting("seldon-mesh", doc="core-v2: the namespace that objects are made in")
    kubeconfig: Path | None = setting(
        None, doc="core-v2: a file that says how the cluster is reached; without one the pod's own"
    )
    context: str = setting("", doc="core-v2: of the kubeconfig; empty for its current one")
    mesh: str = setting(
        "", doc="core-v2: the URL of Seldon's mesh; empty for its service in the namespace"
    )
    storage: str = setting(
        "", doc="core-v2: where models are put, a folder or a URL that fsspec opens"
    )
    storage_uri: str = setting(
        "", doc="core-v2: the same place as the cluster's rclone names it; empty where it is so"
    )
    storage_secret: str = setting("", doc="core-v2: the Secret that the cluster reads models with")
    on_server: str = setting("", doc="core-v2: the Server that models go to; empty for any")
    memory: str = setting("", doc="core-v2: what a model takes, for example 200Mi")
    replicas: int | None = setting(
        None,
        doc="core-v2: of each model; unset leaves it to the cluster",
        validator=attrs.validators.optional(_NOT_NEGATIVE),
    )
    pipeline: bool = setting(
        default=False, doc="core-v2: whether each model is behind a Pipeline, through Kafka"
    )
    render_to: Path | None = setting(
        None, doc="core-v2: a folder that manifests are written to instead of the cluster"
    )
    prometheus: str | Secret[str] = setting(
        "", doc="core-v2: the URL of the Prometheus that reads Seldon's agents, for rollouts"
    )
    ready_seconds: float = setting(
        300.0, doc="core-v2: seconds for objects to be ready", validator=_NOT_NEGATIVE
    )
    settle_seconds: float = setting(
        10.0, doc="core-v2: seconds from a switch to the end of old models", validator=_NOT_NEGATIVE
    )

    def core_v2(self) -> CoreV2:
        """Them, with secrets revealed.

        Raises:
            InvalidInput: what the target runs on is not installed.
        """
        import importlib.util

        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            msg = (
                f'target = "core-v2" needs {", ".join(missing)}: '
                'pip install "interlock-deploy-seldon[core-v2]"'
            )
            raise InvalidInput(msg)
        names = [field.name for field in attrs.fields(CoreV2)]
        return CoreV2(**{name: reveal(getattr(self, name)) for name in names})
