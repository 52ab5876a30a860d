"""The calls of the service: who may make them, what answers them, and what becomes of errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import InvalidInput, NotFound, PluginError, Unavailable
from interlock_serving.app import App, server
from interlock_serving.http.ids import new_id
from interlock_serving.http.request import STICKY
from interlock_serving.layers.access import Access, Refusal, admit
from interlock_serving.layers.observe import Observer, Watch
from interlock_serving.models.waiting import Expired, Overloaded
from interlock_serving.rpc.messages import read_message, write_message
from interlock_serving.rpc.schema import Method, methods
from interlock_serving.rpc.scope import header_of, scope_of
from interlock_serving.v2.protocol import (
    SERVICE,
    is_request_id,
    nearest,
    read_columns,
    read_outputs,
    shown,
    sticky_share,
)

if TYPE_CHECKING:
    from interlock_serving.http.asgi import Scope
    from interlock_serving.rpc.taking import Taking
    from interlock_serving.settings import Right

_CODES: tuple[tuple[type[PluginError], str], ...] = (
    (InvalidInput, "INVALID_ARGUMENT"),  # too many rows included: the same call never fits
    (NotFound, "NOT_FOUND"),
    (Expired, "DEADLINE_EXCEEDED"),
    (Overloaded, "RESOURCE_EXHAUSTED"),
    (Unavailable, "UNAVAILABLE"),
)
_REFUSED = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}
_STATUSES = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The status of HTTP that a code stands for, as google.rpc has it."""
_RIGHTS: Mapping[str, Right | None] = {
    "ServerLive": None,
    "ServerReady": None,
    "ModelReady": "describe",
    "ServerMetadata": "describe",
    "ModelMetadata": "describe",
    "ModelInfer": "infer",
}
"""What a caller needs for a call; health is open to everybody."""
_NEAR = 0.1
"""Seconds before its deadline from which a call that its client ends has met it: the client began
to count before the call was here."""
_RETRY = 1
_WORDS = 1_000
"""Characters of an error, at most: it travels as a header."""

_Answer = Callable[["_Call", Any], Awaitable[Any]]


@attrs.define(eq=False)
class _Call:
    """A call on its way.

    Attributes:
        scope: what the layers of HTTP would see of it.
        request_id: the metadata's, or one made here; the message may name another.
    """

    scope: Scope
    request_id: str

    def header(self, name: bytes) -> bytes:
        """A key of the call's metadata; empty where it has none."""
        return header_of(self.scope, name)


@attrs.frozen
class _Failure:
    """What a call ends with where it is not answered.

    Attributes:
        code: the name of its status code.
        why: one sentence for a person.
        seconds: after which it may be tried again; 0 where that is of no use.
    """

    code: str
    why: str
    seconds: int = 0

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The end of the answer: when to try again, as gRPC's own retries read it."""
        if not self.seconds:
            return ()
        pushback = str(self.seconds * 1000)
        return (("grpc-retry-pushback-ms", pushback), ("retry-after", str(self.seconds)))


class Calls:
    """What answers the calls of the service.

    Args:
        app: what answers HTTP.
        access: who may ask; None where everybody may.
        observers: told of each answer.
        seconds: for a call's message to arrive.
        secure: whether the calls come over TLS.
    """

    def __init__(
        self,
        app: App,
        access: Access | None,
        observers: Sequence[Observer],
        *,
        seconds: float,
        secure: bool,
    ) -> None:
        self._app = app
        self._access = access
        self._observers = observers
        self._seconds = seconds
        self._scheme = "https" if secure else "http"
        self._answers: Mapping[str, _Answer] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }

    def handlers(self, taking: Taking) -> dict[str, Any]:
        """A `grpc.RpcMethodHandler` for each call; messages are read and written here.

        Args:
            taking: told of each answer that is ready to be taken.

        As of a stream, which is the same on the wire: gRPC would wait for the one message of a
        call for ever, and before anything here hears of it.
        """
        import grpc

        return {
            name: grpc.stream_unary_rpc_method_handler(self._handler(name, method, taking))
            for name, method in methods().items()
        }

    def _handler(
        self, name: str, method: Method, taking: Taking
    ) -> Callable[[Any, Any], Awaitable[bytes]]:
        import grpc

        answer, right = self._answers[name], _RIGHTS[name]
        path = f"/{SERVICE}/{name}"

        async def handle(_: Any, context: Any) -> bytes:
            scope = scope_of(context, path, self._scheme)
            watch = Watch(self._observers, scope, path)
            named = header_of(scope, b"x-request-id").decode("latin-1")
            call = _Call(scope, named if is_request_id(named) else new_id())
            code, content = "CANCELLED", b""
            try:
                result = await self._result(call, right, method, answer, context)
                if isinstance(result, _Failure):
                    code = result.code
                else:
                    code, content = "OK", result
            except asyncio.CancelledError:
                remaining = context.time_remaining()
                if remaining is not None and remaining < _NEAR:
                    code = "DEADLINE_EXCEEDED"
                raise
            finally:
                watch.end(_STATUSES[code], len(content), call.request_id, code)
            identity = (("x-request-id", call.request_id),)
            if isinstance(result, _Failure):
                status = grpc.StatusCode[result.code]
                await context.abort(status, result.why[:_WORDS], (*identity, *result.metadata))
            context.set_trailing_metadata(identity)
            taking.watch(context, scope["client"], len(content))
            return content

        return handle

    async def _result(
        self, call: _Call, right: Right | None, method: Method, answer: _Answer, context: Any
    ) -> bytes | _Failure:
        """What a call is answered with, of whatever it is."""
        from google.protobuf.message import DecodeError

        if self._access is not None and right is not None:
            refusal = admit(self._access, call.scope, right)
            if refusal is not None:
                return _refused(refusal)
        try:
            message = await self._message(context)
            response = await answer(call, method.request.FromString(message))
            content: bytes = response.SerializeToString()
        except DecodeError:
            return _Failure("INVALID_ARGUMENT", "the message is none of this call")
        except PluginError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL")
            again = isinstance(error, Overloaded | Unavailable)
            return _Failure(code, str(error), _RETRY if again else 0)
        except Exception as error:  # a fault of ours is answered and logged; the server goes on
            self._app.log.exception("call %s failed", call.request_id)
            return _Failure("INTERNAL", f"the server failed: {type(error).__name__}")
        return content

    async def _message(self, context: Any) -> bytes:
        """The one message of a call.

        Raises:
            Expired: it did not arrive in time.
            InvalidInput: there is none, or it is larger than it may be.
        """
        import grpc.aio

        try:
            async with asyncio.timeout(self._seconds):
                message = await context.read()
        except TimeoutError:
            raise Expired("the call's message did not arrive in time") from None
        if message is grpc.aio.EOF:
            raise InvalidInput("the call has no message that is taken")
        found: bytes = message
        return found

    async def _server_live(self, _: _Call, __: Any) -> Any:
        return methods()["ServerLive"].response(live=True)

    async def _server_ready(self, _: _Call, __: Any) -> Any:
        ready = self._app.combined(self._app.readiness())["ready"]
        return methods()["ServerReady"].response(ready=ready)

    async def _model_ready(self, _: _Call, request: Any) -> Any:
        version = self._version(request.name, request.version)
        return methods()["ModelReady"].response(ready=not self._app.router.asked_of(version).late)

    async def _server_metadata(self, _: _Call, __: Any) -> Any:
        return methods()["ServerMetadata"].response(**server())

    async def _model_metadata(self, _: _Call, request: Any) -> Any:
        version = self._version(request.name, request.version)
        return methods()["ModelMetadata"].response(**self._app.metadata(version))

    async def _model_infer(self, call: _Call, request: Any) -> Any:
        app = self._app
        version = self._version(request.model_name, request.model_version)
        envelope = read_message(request)
        if envelope.id is not None:
            call.request_id = envelope.id
        # From here to the queue nothing waits, so that a swap cannot come between.
        sticky = sticky_share(call.header(STICKY)) if envelope.sticky is None else envelope.sticky
        model = app.choose(sticky, version)
        query = app.read(envelope, model, call.request_id, read_columns)
        selected = read_outputs(envelope, model.signature)
        future = model.ask(query, envelope.seconds)
        try:
            answer = await future
        except asyncio.CancelledError:
            # The client is gone, or its deadline is over.
            model.drop(future)
            raise
        app.mirror(envelope, query, model, read_columns)
        about = (app.endpoint.name, model.release, call.request_id, answer, selected)
        return write_message(*about, raw=bool(request.raw_input_contents))

    def _version(self, name: str, version: str) -> str | None:
        """The version that a message names, of the model that it names."""
        known = self._app.endpoint.name
        if name != known:
            raise NotFound(f"no model {shown(name)} here{nearest(name, [known])}")
        return version or None


def _refused(refusal: Refusal) -> _Failure:
    return _Failure(_REFUSED[refusal.status], refusal.why, refusal.seconds)
