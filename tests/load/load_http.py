"""Asks over HTTP, with JSON or with binary tensors, as one byte after the other on a socket."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any, cast

import orjson
from load_tally import BROKEN, Asker

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_JSON_LENGTH = b"inference-header-content-length:"
_AGAIN_SECONDS = 0.02
_FORMS = {"INT64": struct.Struct("<q"), "FP64": struct.Struct("<d")}


class HttpAsker(Asker):
    """Asks over HTTP; ``protocol`` is ``json`` or ``binary``."""

    async def run(self) -> None:
        """Ask until told to stop."""
        loop, plan = asyncio.get_running_loop(), self.tally.plan
        while not self.tally.stopping:
            try:
                _, link = await loop.create_connection(
                    lambda: _Link(self), plan["host"], plan["port"]
                )
            except OSError:
                self.tally.refused += 1
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await link.ended


class _Link(asyncio.Protocol):
    """A connection. It asks first who is at its other end."""

    def __init__(self, asker: HttpAsker) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._asker = asker
        self._came = b""
        self._wanted = 0
        self._head = 0
        self._json = 0
        self._met = False
        self._open = False
        self._asked = 0.0
        self._left = asker.tally.plan["requests"]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"GET /v2/health/ready HTTP/1.1\r\nhost: load\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._came += data
        if not self._wanted:
            head, end, _ = self._came.partition(_END)
            if not end:
                return
            head = head.lower()
            length = _number(head, _LENGTH)
            self._head = len(head) + len(_END)
            self._wanted = self._head + length
            self._json = self._head + (_number(head, _JSON_LENGTH) or length)
        if len(self._came) < self._wanted:
            return
        status, body = int(self._came[9:12]), orjson.loads(self._came[self._head : self._json])
        behind = self._came[self._json : self._wanted]
        self._came, self._wanted = b"", 0
        if not self._met:
            self._met = True
            self._asker.meet(body["pid"])
        else:
            self._take(status, body, behind)
        if self._asker.tally.stopping or not self._left:
            self._transport.close()
        else:
            self._left -= 1
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._open:
            self._asker.miss(f"{BROKEN}: {exc}")
        elif not self._met:
            self._asker.tally.greetings += 1
        self.ended.set_result(None)

    def _ask(self) -> None:
        name, row = self._asker.next()
        said = _binary(name, row) if self._asker.protocol == "binary" else _plain(name, row)
        path = self._asker.tally.plan["path"]
        self._open = True
        self._asked = time.perf_counter()
        self._transport.write(f"POST {path} HTTP/1.1\r\nhost: load\r\n".encode() + said)

    def _take(self, status: int, said: dict[str, Any], behind: bytes) -> None:
        asker = self._asker
        self._open = False
        asker.tally.took(time.perf_counter() - self._asked)
        if status != 200:  # noqa: PLR2004  (HTTP's own)
            asker.miss(f"{status} {said.get('error')}")
        else:
            given = _binary_given(said, behind) if behind else _given(said)
            asker.take(said["model_version"], said["id"], given)


def _number(head: bytes, name: bytes) -> int:
    """The number in a header; 0 without it."""
    return int(head.partition(b"\r\n" + name)[2].partition(b"\r\n")[0] or 0)


def _datatype(column: str) -> str:
    return "INT64" if column == "id" else "FP64"


def _plain(name: str, row: dict[str, Any]) -> bytes:
    inputs = [
        {"name": column, "datatype": _datatype(column), "shape": [1], "data": [value]}
        for column, value in row.items()
    ]
    body = orjson.dumps({"id": name, "inputs": inputs})
    return f"content-length: {len(body)}\r\n\r\n".encode() + body


def _binary(name: str, row: dict[str, Any]) -> bytes:
    """A request whose values stand behind its JSON, and which wants its answer so."""
    inputs, behind = [], b""
    for column, value in row.items():
        datatype = _datatype(column)
        form = _FORMS[datatype]
        parameters = {"binary_data_size": form.size}
        inputs.append(
            {"name": column, "datatype": datatype, "shape": [1], "parameters": parameters}
        )
        behind += form.pack(value)
    said = {"id": name, "inputs": inputs, "parameters": {"binary_data_output": True}}
    body = orjson.dumps(said)
    head = f"inference-header-content-length: {len(body)}\r\n"
    head += f"content-length: {len(body) + len(behind)}\r\n\r\n"
    return head.encode() + body + behind


def _given(said: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output["data"][0] for output in said["outputs"]}


def _binary_given(said: dict[str, Any], behind: bytes) -> dict[str, Any]:
    given, place = {}, 0
    for output in said["outputs"]:
        (given[output["name"]],) = _FORMS[output["datatype"]].unpack_from(behind, place)
        place += output["parameters"]["binary_data_size"]
    return given
