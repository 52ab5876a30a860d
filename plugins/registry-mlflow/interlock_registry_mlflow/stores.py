"""MLflow's own clients of a server, made to send through our transport.

MLflow's retries, deadlines and credentials are settings of the process, read from its environment,
and it repeats what must not be made twice. Its clients pass every call through one method, which
is replaced here.
"""

from __future__ import annotations

import json
from typing import Any

from mlflow.store.model_registry.rest_store import RestStore as RegistryRestStore
from mlflow.store.tracking.rest_store import RestStore as TrackingRestStore
from mlflow.utils.proto_json_utils import parse_dict
from mlflow.utils.rest_utils import verify_rest_response

from interlock_registry_mlflow.transport import Transport

_REPEATABLE = ("Get", "Search", "Set", "Update", "Log", "Finalize")
"""How the names of requests begin that change nothing, or nothing more the second time."""


class ServerRegistry(RegistryRestStore):  # type: ignore[misc]  # MLflow is not followed
    """The model registry of a server."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(_no_credentials)
        self._transport = transport

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None,
        call_all_endpoints: bool = False,  # noqa: ARG002  (MLflow's signature)
        extra_headers: Any = None,  # noqa: ARG002  (MLflow's signature)
    ) -> Any:
        path, method = self._get_endpoint_from_method(api)
        return _call(self._transport, api, path, method, json_body)


class ServerTracking(TrackingRestStore):  # type: ignore[misc]  # MLflow is not followed
    """The runs and logged models of a server."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(_no_credentials)
        self._transport = transport

    def _call_endpoint(
        self,
        api: Any,
        json_body: str | None = None,
        endpoint: str | None = None,
        retry_timeout_seconds: Any = None,  # noqa: ARG002  (MLflow's signature)
        response_proto: Any = None,
    ) -> Any:
        path, method = self._METHOD_TO_INFO[api]
        return _call(self._transport, api, endpoint or path, method, json_body, response_proto)


def _call(
    transport: Transport,
    api: Any,
    path: str,
    method: str,
    json_body: str | None,
    response_proto: Any = None,
) -> Any:
    given = json.loads(json_body) if json_body else None
    parts = {"params": given} if method == "GET" else {"json": given}
    repeat = api.DESCRIPTOR.name.startswith(_REPEATABLE)
    answer = verify_rest_response(transport.send(method, path, repeat=repeat, **parts), path)
    response = response_proto or api.Response()
    parse_dict(js_dict=answer.json(), message=response)
    return response


def _no_credentials() -> None:
    """Never asked: the transport has them."""
