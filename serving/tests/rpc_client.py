"""How tests talk to an endpoint over gRPC, by the messages of the official protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import numpy as np
import pytest
from asking import ROW

from interlock_serving.rpc.schema import methods
from interlock_serving.v2.protocol import SERVICE

ROWS = [ROW, {"age": 20, "income": None, "city": ""}]
DTYPES = {"INT64": "<i8", "FP64": "<f8"}
FIELDS = {"INT64": "int64_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}


class Channel:
    """A connection to an endpoint."""

    def __init__(
        self, address: str, credentials: Any = None, options: Sequence[tuple[str, Any]] = ()
    ) -> None:
        if credentials is None:
            self.link = grpc.insecure_channel(address, options)
        else:
            self.link = grpc.secure_channel(address, credentials, options)

    def send(self, name: str, message: Any, *, timeout: float = 60, **options: Any) -> Any:
        """The answer to a message, or to any bytes."""
        call = self.link.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=lambda sent: (
                sent if isinstance(sent, bytes) else sent.SerializeToString()
            ),
            response_deserializer=methods()[name].response.FromString,
        )
        return call(message, timeout=timeout, **options)

    def call(self, method: str, *, metadata: Any = None, **fields: Any) -> Any:
        """The answer to a message of these fields."""
        return self.send(method, methods()[method].request(**fields), metadata=metadata)

    def infer(
        self, *rows: dict[str, Any], timeout: float = 60, metadata: Any = None, **fields: Any
    ) -> Any:
        """The predictions for rows."""
        message = request(*rows, **fields)
        return self.send("ModelInfer", message, timeout=timeout, metadata=metadata)


def request(*rows: dict[str, Any], raw: bool = False, parameters: Any = None, **fields: Any) -> Any:
    """The message that sends rows, one tensor a column."""
    message = methods()["ModelInfer"].request(**{"model_name": "employment", **fields})
    for name, datatype in (("age", "INT64"), ("income", "FP64"), ("city", "BYTES")):
        values: list[Any] = [row[name] for row in rows]
        tensor = message.inputs.add(name=name, datatype=datatype, shape=[len(rows)])
        if datatype == "BYTES":
            values = [value.encode() for value in values]
        if datatype == "FP64":
            values = [float("nan") if value is None else value for value in values]
        if not raw:
            getattr(tensor.contents, FIELDS[datatype]).extend(values)
        elif datatype == "BYTES":
            parts = [len(value).to_bytes(4, "little") + value for value in values]
            message.raw_input_contents.append(b"".join(parts))
        else:
            message.raw_input_contents.append(np.array(values, DTYPES[datatype]).tobytes())
    for name, value in (parameters or {}).items():
        kind = "string_param" if isinstance(value, str) else "int64_param"
        setattr(message.parameters[name], kind, value)
    return message


@contextlib.contextmanager
def channel(
    client: Any, credentials: Any = None, options: Sequence[tuple[str, Any]] = (), at: str = ""
) -> Iterator[Channel]:
    """A connection to the endpoint that a test runs, or to an address."""
    opened = Channel(at or client.get("/v2/health/ready")[1]["grpc"], credentials, options)
    with opened.link:
        yield opened


@contextlib.contextmanager
def refused(code: str, *words: str) -> Iterator[Any]:
    """What is in the block fails with a code, and says why."""
    with pytest.raises(grpc.RpcError) as failure:
        yield failure
    found, why = failure.value.code().name, failure.value.details()
    if found != code or not all(word in why for word in words):
        pytest.fail(f"{found}: {why}; expected {code} with {words}")
