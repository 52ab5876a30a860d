"""The gRPC server: on the same event loop as HTTP, with the same limits as far as gRPC has them."""

from __future__ import annotations

import logging
import os
import traceback
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Unavailable
from interlock_serving.rpc.credentials import credentials
from interlock_serving.rpc.schema import methods
from interlock_serving.rpc.taking import Taking
from interlock_serving.v2.protocol import SERVICE
from interlock_serving.wire.limits import HEADER_BYTES, Guard
from interlock_serving.wire.listening import claim, named, reachable

if TYPE_CHECKING:
    from interlock_serving.rpc.calls import Calls
    from interlock_serving.settings import ServerSettings
    from interlock_serving.workers.peers import Worker

_GRPC = "grpc._cython.cygrpc"
_ANSWERING = ("_finish_handler_with_unary_response", "_send_error_status_from_server")
"""The functions of gRPC that send an answer or a refusal, as a traceback names them."""
_STREAMS = 128
"""Calls of one connection at a time, at most; its client keeps the others back."""


class Front:
    """A gRPC server. Made before the event loop, started and stopped on it.

    Args:
        settings: of the plugin.
        calls: what answers.
        guard: limits of connections.
        worker: what a supervisor gave this process, where it is one of several.
        log: told of a certificate that cannot be renewed.
        beside: whether the server whose place this one takes may still have the port.

    Attributes:
        address: what reaches it from this machine, as a gRPC client wants it; empty before
            it is started.

    Raises:
        Unavailable: a library or a file is not there.
    """

    def __init__(
        self,
        settings: ServerSettings,
        calls: Calls,
        guard: Guard,
        worker: Worker | None,
        log: logging.Logger,
        *,
        beside: bool = False,
    ) -> None:
        # Each broken handshake would write a line to the process's own log.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        logging.getLogger(_GRPC).addFilter(_worth_a_line)
        try:
            import grpc.aio

            methods()
        except ImportError as error:
            raise Unavailable(
                "grpc_port needs libraries: pip install 'interlock-serving[grpc]'"
            ) from error
        self._grpc: Any = grpc
        self._settings = settings
        self._calls = calls
        self._guard = guard
        self._worker = worker
        self._beside = beside
        self._credentials = credentials(settings, log)
        self._server: Any = None
        self.address = ""

    async def start(self) -> None:
        """Listen, beside other workers where there are some.

        Raises:
            Unavailable: the address is taken or is not this machine's.
        """
        settings, grpc, worker = self._settings, self._grpc, self._worker
        port = (settings.grpc_port or 0) if worker is None else worker.grpc_port
        options = [*_options(settings, self._guard), ("grpc.so_reuseport", 1)]
        self._server = grpc.aio.server(
            options=options, maximum_concurrent_rpcs=self._guard.connections
        )
        taking = Taking(settings.write_seconds)
        handler = grpc.method_handlers_generic_handler(SERVICE, self._calls.handlers(taking))
        self._server.add_generic_rpc_handlers((handler,))
        address = named(settings.host, port)
        try:
            if worker is None:
                port = claim(settings.host, port, taken_over=port if self._beside else 0)
                address = named(settings.host, port)
            if self._credentials is None:
                found = self._server.add_insecure_port(address)
            else:
                found = self._server.add_secure_port(address, self._credentials)
        except (RuntimeError, Unavailable) as error:
            raise Unavailable(
                f"cannot listen on {address} for gRPC: set another grpc_port, or 0 for a free one"
            ) from error
        taking.port = found
        await self._server.start()
        self.address = reachable(settings.host, found)

    async def stop(self) -> None:
        """Take no more calls; those in flight have their time."""
        if self._server is not None:
            await self._server.stop(self._settings.drain_seconds)


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Whether gRPC tells of a fault, and not, with a traceback, that a client went away unanswered.

    It takes the one for the other where it hears of the answer first. Its words are the same for
    whatever else goes wrong between a call and its answer: only where the error comes from tells.
    """
    _, error, trace = record.exc_info or (None, None, None)
    codes = [frame.f_code for frame, _ in traceback.walk_tb(trace)][-2:]
    return not (
        type(error).__name__ == "ExecuteBatchError"
        and type(error).__module__ == record.name == _GRPC
        # It was sent off, and did not arrive. What could not be sent off has other words.
        and str(error).startswith('Failed "execute_batch"')
        and [code.co_name in _ANSWERING for code in codes] == [True, False]
        and all(code.co_filename.endswith(".pyx.pxi") for code in codes)
    )


def _options(settings: ServerSettings, guard: Guard) -> list[tuple[str, int]]:
    write_ms = int(settings.write_seconds * 1000)
    return [
        # Of a compressed message, too, and while it is unpacked: see the bound of grpcio.
        ("grpc.max_receive_message_length", settings.max_body),
        ("grpc.max_send_message_length", -1),  # bounded by what was asked
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.max_metadata_size", HEADER_BYTES),
        ("grpc.absolute_max_metadata_size", HEADER_BYTES),
        ("grpc.max_connection_idle_ms", settings.idle_seconds * 1000),
        ("grpc.max_allowed_incoming_connections", guard.connections),
        ("grpc.server_handshake_timeout_ms", int(settings.header_seconds * 1000)),
        # The system ends a connection whose other side takes nothing for this long. The first of
        # the two is what makes gRPC tell it so.
        ("grpc.keepalive_time_ms", write_ms),
        ("grpc.keepalive_timeout_ms", write_ms),
    ]
