"""Asks over gRPC, by the client that everybody has; its values stand raw in every other request.

gRPC says of no connection who is at its other end. Connections are made one at a time, and the
system's table of sockets says whose the new one is.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from load_tally import BROKEN, Asker, Tally

from interlock_serving.rpc.schema import methods
from interlock_serving.v2.protocol import SERVICE

_AGAIN_SECONDS = 0.02
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
_FORMS = {"INT64": struct.Struct("<q"), "FP64": struct.Struct("<d")}
_FIELDS = {"INT64": "int64_contents", "FP64": "fp64_contents"}
_ESTABLISHED = "01"


class GrpcAsker(Asker):
    """Asks over gRPC.

    Args:
        one_at_a_time: held while a connection is made.
    """

    def __init__(
        self, place: int, protocol: str, tally: Tally, *, one_at_a_time: asyncio.Lock
    ) -> None:
        super().__init__(place, protocol, tally)
        self._one_at_a_time = one_at_a_time

    async def run(self) -> None:
        """Ask until told to stop."""
        while not self.tally.stopping:
            async with grpc.aio.insecure_channel(self.tally.plan["grpc"], _OPTIONS) as channel:
                if not await self._greet(channel):
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
                for _ in range(self.tally.plan["requests"]):
                    # One that lost its connection would make the next by itself, to anybody.
                    ready = channel.get_state() is grpc.ChannelConnectivity.READY
                    if self.tally.stopping or not ready or not await self._ask(channel):
                        break

    async def _greet(self, channel: grpc.aio.Channel) -> bool:
        """Connect, and find who is at the other end; False where it breaks, or nobody can say."""
        plan = self.tally.plan
        async with self._one_at_a_time:
            before = _sockets(plan["grpc"])
            try:
                await _call(channel, "ServerLive", methods()["ServerLive"].request())
            except grpc.aio.AioRpcError as error:
                if "refused" in str(error.details()):
                    self.tally.refused += 1
                else:
                    self.tally.greetings += 1
                return False
            made = [inode for port, inode in _sockets(plan["grpc"]).items() if port not in before]
            owners = list(_owners(plan["server"], made[0])) if len(made) == 1 else []
        if len(owners) != 1:
            return False
        self.meet(owners[0])
        return True

    async def _ask(self, channel: grpc.aio.Channel) -> bool:
        """One request; whether the connection may be used on."""
        name, row = self.next()
        message = _message(self.tally.plan["model"], name, row, raw=self.number % 2 == 0)
        asked = time.perf_counter()
        try:
            said = await _call(channel, "ModelInfer", message)
        except grpc.aio.AioRpcError as error:
            ours = "x-request-id" in dict(error.trailing_metadata() or ())
            if not ours:
                self.miss(f"{BROKEN}: {error.code().name} {error.details()}")
                return False
            self.tally.took(time.perf_counter() - asked)
            status = 500 if error.code() is grpc.StatusCode.INTERNAL else error.code().name
            self.miss(f"{status} {error.details()}")
            return True
        self.tally.took(time.perf_counter() - asked)
        self.take(said.model_version, said.id, _given(said))
        return True


async def _call(channel: grpc.aio.Channel, name: str, message: Any) -> Any:
    call = channel.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=type(message).SerializeToString,
        response_deserializer=methods()[name].response.FromString,
    )
    return await call(message)


def _message(model: str, name: str, row: dict[str, Any], *, raw: bool) -> Any:
    message = methods()["ModelInfer"].request(model_name=model, id=name)
    for column, value in row.items():
        datatype = "INT64" if column == "id" else "FP64"
        tensor = message.inputs.add(name=column, datatype=datatype, shape=[1])
        if raw:
            message.raw_input_contents.append(_FORMS[datatype].pack(value))
        else:
            getattr(tensor.contents, _FIELDS[datatype]).append(value)
    return message


def _given(said: Any) -> dict[str, Any]:
    raw = said.raw_output_contents
    return {
        output.name: (
            _FORMS[output.datatype].unpack(raw[place])[0]
            if raw
            else getattr(output.contents, _FIELDS[output.datatype])[0]
        )
        for place, output in enumerate(said.outputs)
    }


def _sockets(address: str) -> dict[str, str]:
    """The connections at a port of this machine: the inode of each, by its client's address."""
    port = f":{int(address.rpartition(':')[2]):04X}"
    found = {}
    # gRPC's own are of IPv6, whatever they are bound to.
    for table in ("tcp", "tcp6"):
        rows = Path("/proc/net", table).read_text(encoding="ascii").splitlines()
        for row in rows[1:]:
            _, local, remote, state, *rest = row.split()
            if state == _ESTABLISHED and local.endswith(port):
                found[remote] = rest[5]
    return found


def _owners(server: int, inode: str) -> Iterator[int]:
    """The workers of a server that hold a socket."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii")
    for pid in map(int, children.split()):
        try:
            held = {str(handle.readlink()) for handle in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            continue  # it is gone, or a handle of it
        if f"socket:[{inode}]" in held:
            yield pid
