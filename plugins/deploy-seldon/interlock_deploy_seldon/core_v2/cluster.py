"""The Kubernetes API, through its official client: objects of Seldon's by kind and name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from interlock_deploy_seldon.core_v2.manifests import ENDPOINT_LABEL, MANAGED_BY, MANAGER, Manifest
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_hookspecs import Conflict, InvalidInput, NotFound, PluginError, Unavailable

GROUP, VERSION = "mlops.seldon.io", "v1alpha1"
PLURALS: Mapping[str, str] = {
    "Model": "models",
    "Pipeline": "pipelines",
    "Experiment": "experiments",
}
_SECONDS = (5.0, 30.0)
_QUICK = (2.0, 3.0)
_TRIES = 5
_SCALING = ("replicas", "minReplicas", "maxReplicas")
_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
_REFUSED = (400, 422)
_FAULT = 500


class Cluster:
    """A namespace of a cluster.

    Args:
        options: how it is reached.
        quick: whether an answer is waited for briefly only.

    Raises:
        InvalidInput: it is not said how it is reached, or the file says it wrongly.
    """

    def __init__(self, options: CoreV2, *, quick: bool = False) -> None:
        from kubernetes import client

        configuration = _configuration(options)
        configuration.retries = 0 if quick else 2
        # The client's answers are whatever JSON came: what is read of them is said here.
        self._client: Any = client.ApiClient(configuration)
        self._api: Any = client.CustomObjectsApi(self._client)
        self._namespace = options.namespace
        self._seconds = _QUICK if quick else _SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def get(self, kind: str, name: str) -> Manifest | None:
        """An object; None where there is none."""
        try:
            with _asked(kind, name):
                found: Manifest = self._api.get_namespaced_custom_object(
                    **self._of(kind), name=name
                )
        except NotFound:
            return None
        return found

    def put(
        self, manifest: Manifest, fit: Callable[[Manifest, Manifest], Manifest] | None = None
    ) -> bool:
        """Make an object as a manifest says; gives whether anything was written.

        What others wrote into it stays: finalizers, labels, the replicas that a scaler chose.

        Args:
            manifest: what it is to be.
            fit: makes of an object that is there, and the manifest, the one that is written.

        Raises:
            Conflict: the object is not of this endpoint, or others write it all the time.
            InvalidInput: the cluster refuses what it says.
            Unavailable: the cluster cannot be reached, or does not let us.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        for _ in range(_TRIES):
            found = self.get(kind, name)
            try:
                if found is None:
                    self._create(kind, name, manifest)
                    return True
                refuse_foreign(found, manifest)
                wanted = merged(found, fit(found, manifest) if fit else manifest)
                if wanted == found:
                    return False
                self._replace(kind, name, wanted)
            except _OvertakenError:
                continue
            return True
        msg = f"{kind} {name}: somebody else writes it at the same time, again and again"
        raise Conflict(msg, expected=None, found=None)

    def of_endpoint(self, kind: str, label: str) -> list[Manifest]:
        """The objects of a kind that this plugin made for an endpoint."""
        chosen = f"{MANAGED_BY}={MANAGER},{ENDPOINT_LABEL}={label}"
        with _asked(kind, "*"):
            found = self._api.list_namespaced_custom_object(**self._of(kind), label_selector=chosen)
            items: list[Manifest] = found["items"]
            return items

    def delete(self, kind: str, name: str) -> None:
        """Delete an object; that there is none is no error."""
        with contextlib.suppress(NotFound), _asked(kind, name):
            self._api.delete_namespaced_custom_object(**self._of(kind), name=name)

    def _of(self, kind: str) -> dict[str, Any]:
        return {
            "group": GROUP,
            "version": VERSION,
            "namespace": self._namespace,
            "plural": PLURALS[kind],
            "_request_timeout": self._seconds,
        }

    def _create(self, kind: str, name: str, manifest: Manifest) -> None:
        with _asked(kind, name):
            self._api.create_namespaced_custom_object(
                **self._of(kind), body=manifest, field_manager=MANAGER, field_validation="Strict"
            )

    def _replace(self, kind: str, name: str, wanted: Manifest) -> None:
        try:
            with _asked(kind, name):
                self._api.replace_namespaced_custom_object(
                    **self._of(kind),
                    name=name,
                    body=wanted,
                    field_manager=MANAGER,
                    field_validation="Strict",
                )
        except NotFound as error:
            raise _OvertakenError from error


def merged(found: Manifest, manifest: Manifest) -> Manifest:
    """What an object becomes by a manifest: its spec, and its labels and annotations beside others.

    How many replicas a Model has stays as it is where the manifest does not say.
    """
    wanted = {**found, "metadata": dict(found["metadata"]), "spec": dict(manifest["spec"])}
    for part in ("labels", "annotations"):
        wanted["metadata"][part] = {
            **found["metadata"].get(part, {}),
            **manifest["metadata"].get(part, {}),
        }
    if manifest["kind"] == "Model" and not set(_SCALING) & manifest["spec"].keys():
        kept = {key: value for key, value in found.get("spec", {}).items() if key in _SCALING}
        wanted["spec"] |= kept
    return wanted


def is_as_written(found: Manifest, manifest: Manifest) -> bool:
    """Whether an object is what a manifest says it is to be."""
    return merged(found, manifest) == found


def refuse_foreign(found: Manifest, manifest: Manifest) -> None:
    """Leave alone what another has made under the same name.

    Raises:
        Conflict: the object is not this endpoint's.
    """
    ours = manifest["metadata"]["labels"]
    theirs = found["metadata"].get("labels", {})
    if any(theirs.get(key) != ours[key] for key in (MANAGED_BY, ENDPOINT_LABEL)):
        named = f"{manifest['kind']} {manifest['metadata']['name']}"
        msg = f"{named} is there already and was not made by Interlock for this endpoint"
        raise Conflict(msg, expected=ours[ENDPOINT_LABEL], found=theirs.get(ENDPOINT_LABEL))


class _OvertakenError(Exception):
    """The object became another between reading and writing it."""


def _configuration(options: CoreV2) -> Any:
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    reader: Any = config
    try:
        if options.kubeconfig or options.context:
            reader.load_kube_config(
                config_file=str(options.kubeconfig) if options.kubeconfig else None,
                context=options.context or None,
                client_configuration=configuration,
            )
        else:
            reader.load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        named = f"kubeconfig {options.kubeconfig}" if options.kubeconfig else "no kubeconfig"
        msg = f"the cluster is not known ({named}): {_line(str(error))}"
        raise InvalidInput(msg) from error
    return configuration


@contextlib.contextmanager
def _asked(kind: str, name: str) -> Iterator[None]:
    """A call to the API: what it answers and how it fails, in the contract's words."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _failure(kind, name, error) from error
    except (HTTPError, OSError) as error:
        msg = f"the API server of the cluster does not answer: {type(error).__name__}"
        raise Unavailable(msg) from error


def _failure(kind: str, name: str, error: Any) -> Exception:
    status, said = error.status, _said(error)
    text = f"{kind} {name}: {_line(str(said.get('message') or error.reason))}"
    if status == _NOT_FOUND:
        if said.get("kind") != "Status":
            msg = f"the cluster has no {kind} of {GROUP}/{VERSION}: Seldon Core v2 is not installed"
            return Unavailable(msg)
        return NotFound(text)
    if status == _CONFLICT:
        return _OvertakenError()
    if status in _REFUSED:
        return InvalidInput(f"the cluster refuses {text}")
    if status in (_UNAUTHORISED, _FORBIDDEN):
        msg = (
            f"the cluster does not let us ({text}): get, list, create, update and delete on "
            f"{', '.join(PLURALS.values())} of {GROUP} are needed"
        )
        return Unavailable(msg)
    if status is not None and status < _FAULT:
        return PluginError(f"the cluster answers {status} to {text}")
    return Unavailable(f"the cluster answers {status} to {text}")


def _said(error: Any) -> dict[str, Any]:
    try:
        found = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
