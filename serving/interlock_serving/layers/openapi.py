"""The OpenAPI document of an endpoint, from the signatures of the models that it serves.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from interlock_serving.layers import schemas
from interlock_serving.layers.access import OPEN
from interlock_serving.layers.schemas import Schema
from interlock_serving.v2.protocol import metadata

if TYPE_CHECKING:
    from interlock_hookspecs import Endpoint
    from interlock_serving.models.batching import Batcher
    from interlock_serving.models.routing import Router

_ERRORS = {
    "400": "the request does not fit the model",
    "404": "nothing is here, or no such version",
    "405": "the path does not take this method",
    "408": "the body came too slowly",
    "413": "the body has too many bytes or rows",
    "415": "the body is no plain JSON",
    "429": "too many requests: try again after the seconds of Retry-After",
    "500": "the model failed",
    "503": "nothing is served, or the model does not answer",
    "504": "the request's timeout was over before its turn came",
}
_LOCKED = {"401": "no API key that is known here", "403": "the API key is not for this"}


def document(
    endpoint: Endpoint, router: Router, *, max_rows: int, max_body: int, keys: bool = False
) -> Schema:
    """What the endpoint takes and gives now.

    Args:
        endpoint: its name is the model's.
        router: the models that are served. Paths without a version are described by the first.
        max_rows, max_body: rows and bytes of a request, at most.
        keys: whether a request needs an API key.
    """
    served = {"Server": schemas.SERVER, "Live": schemas.LIVE, "Ready": schemas.READY}
    ready = _get("ready", "What is served, and what is wrong", "Ready")
    ready["get"]["responses"]["503"] = _json("it does not answer", "Ready")
    paths: Schema = {
        "/v2": _get("server", "The server", "Server"),
        "/v2/health/live": _get("live", "Whether the server runs", "Live"),
        "/v2/health/ready": ready,
    }
    for path, title, model in _models(endpoint, router):
        served |= {
            f"{title}-tensors": schemas.tensors_request(model),
            f"{title}-rows": schemas.rows_request(model),
            f"{title}-rows-answer": schemas.rows_answer(model),
        }
        paths |= _model_paths(path, title, model)
    if router.models:
        served["ModelReady"] = schemas.MODEL_READY
        served["Metadata"] = schemas.METADATA
        served["tensors-answer"] = schemas.tensors_answer()
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": endpoint.name,
            "version": ", ".join(router.versions) or "nothing is served",
            "description": f"The endpoint {endpoint.name} of the project {endpoint.project}, "
            f"stack {endpoint.stack}, over the Open Inference Protocol V2. A request has up to "
            f"{max_rows} rows and {max_body} bytes; a larger one is answered with 413.",
        },
        "paths": paths,
        "components": {
            "schemas": {**served, "Error": schemas.ERROR},
            "responses": {status: _json(words, "Error") for status, words in _ERRORS.items()},
        },
    }
    if keys:
        _lock(described)
    return described


def sample_rows(model: Batcher) -> Schema:
    """A body of ``batch`` with one row that is made up."""
    return {"rows": [{column.name: schemas.sample(column) for column in model.columns.features}]}


def _lock(described: Schema) -> None:
    """Say of every path but the open ones that it needs a key."""
    parts = described["components"]
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    parts["responses"] |= {status: _json(words, "Error") for status, words in _LOCKED.items()}
    for path, methods in described["paths"].items():
        for operation in methods.values():
            if path not in OPEN:
                operation["security"] = [{"bearer": []}, {"key": []}]
                operation["responses"] |= _refusals(*_LOCKED)


def _models(endpoint: Endpoint, router: Router) -> list[tuple[str, str, Batcher]]:
    """Path, title and model, of the path without a version and of each version."""
    root = f"/v2/models/{quote(endpoint.name, safe='')}"
    first = [(root, "any", router.choose(0.0))] if router.taking else []
    return first + [
        (f"{root}/versions/{quote(model.release.id, safe='')}", model.release.id, model)
        for model in router.models
    ]


def _model_paths(path: str, title: str, model: Batcher) -> Schema:
    rows = sample_rows(model)
    tensors = {
        "inputs": [
            {
                "name": column.name,
                "datatype": column.datatype,
                "shape": [1],
                "data": [rows["rows"][0][column.name]],
            }
            for column in model.columns.features
        ]
    }
    described = metadata("", (), model.format, model.columns, model.signature)
    inputs = ", ".join(each["name"] for each in described["inputs"])
    paths = {
        path: _get(f"metadata-{title}", f"Inputs, outputs, versions: {inputs}", "Metadata"),
        f"{path}/ready": _get(f"ready-{title}", "Whether the model answers", "ModelReady"),
        f"{path}/infer": _post(
            f"infer-{title}",
            "Predictions for tensors: one a column, or one of all features",
            f"{title}-tensors",
            "tensors-answer",
            tensors,
        ),
        f"{path}/batch": _post(
            f"batch-{title}",
            "Predictions for rows of named columns",
            f"{title}-rows",
            f"{title}-rows-answer",
            rows,
        ),
    }
    for suffix in ("", "/ready"):
        paths[path + suffix]["get"]["responses"] |= _refusals("404", "503")
    # A model that is late says so in the words of one that is not.
    paths[f"{path}/ready"]["get"]["responses"]["503"] = {
        "description": "it does not answer",
        "content": _content({"anyOf": [_ref("ModelReady"), _ref("Error")]}),
    }
    return paths


def _get(operation: str, summary: str, answer: str) -> Schema:
    responses = {"200": _json("an answer", answer), **_refusals("405")}
    return {"get": {"operationId": operation, "summary": summary, "responses": responses}}


def _post(operation: str, summary: str, request: str, answer: str, example: Any) -> Schema:
    content = {"application/json": {"schema": _ref(request), "example": example}}
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": True, "content": content},
            "responses": {"200": _json("predictions", answer), **_refusals(*_ERRORS)},
        }
    }


def _refusals(*statuses: str) -> Schema:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _json(words: str, schema: str) -> Schema:
    return {"description": words, "content": _content(_ref(schema))}


def _content(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}
