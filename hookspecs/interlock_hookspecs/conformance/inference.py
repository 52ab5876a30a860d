"""A client of the Open Inference Protocol V2 (REST, JSON), on the standard library."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import attrs

from interlock_hookspecs.conformance.released import ENDPOINT

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS = 20.0
_DATATYPES = {"double": "FP64", "int64": "INT64", "string": "BYTES"}


@attrs.frozen
class Answer:
    """What a client got.

    Attributes:
        status: of HTTP; 0 where the connection broke off.
        outputs: each output's values by name.
        body: the JSON as it came.
    """

    status: int
    outputs: Mapping[str, list[Any]]
    body: Mapping[str, Any]


def infer(address: str, rows: pa.Table, *, request_id: str = "", sticky_key: str = "") -> Answer:
    """Ask the endpoint of the suite for predictions; those of one sticky key go together."""
    inputs = [
        {
            "name": column,
            "datatype": _DATATYPES[str(rows[column].type)],
            "shape": [rows.num_rows],
            "data": rows[column].to_pylist(),
        }
        for column in rows.column_names
    ]
    asked: dict[str, Any] = {"inputs": inputs}
    if request_id:
        asked["id"] = request_id
    if sticky_key:
        asked["parameters"] = {"sticky_key": sticky_key}
    body = json.dumps(asked).encode()
    path = f"/v2/models/{quote(ENDPOINT.name, safe='')}/infer"
    try:
        status, said = call(address, "POST", path, body)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, {}, {"error": type(error).__name__})
    outputs = said.get("outputs", ()) if status == 200 else ()
    return Answer(status, {one["name"]: one["data"] for one in outputs}, said)


def call(
    address: str, method: str, path: str, body: bytes | None = None
) -> tuple[int, Mapping[str, Any]]:
    """Status and JSON object of one request."""
    url = urlsplit(address)
    link = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_SECONDS)
    with contextlib.closing(link):
        link.request(method, path, body, {"content-type": "application/json"})
        response = link.getresponse()
        content = response.read()
    try:
        said = json.loads(content) if content else {}
    except ValueError:
        said = {"text": content.decode("utf-8", "replace")}
    return response.status, said if isinstance(said, dict) else {"said": said}
