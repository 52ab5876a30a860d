"""Two processes that call each other, any number of threads at once.

Each call has a line of its own for as long as it lasts; lines are kept for the next ones. What the
other side calls back meanwhile comes on the same line and is answered by the thread that waits, so
that a hook and its callbacks run in one thread on either side.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from interlock_worker import crossing
from interlock_worker.errors import LineLate, LineLost, RemoteError, error_from, error_text
from interlock_worker.services import Remote
from interlock_worker.wire import CLOEXEC, Dumped, Line, Segment, dumped

_CALL, _ASK, _ANSWER, _ERROR = range(4)
_NEW_LINE = b"L"


@attrs.frozen(eq=False)
class _Exported:
    served: Any
    protocol: type[Any]
    original: Any


class Peer:
    """The other process, as this one calls it and is called by it.

    Args:
        control: a socket to it, over which new lines are handed.
        root: what it may call from the beginning, by methods of ``protocol``.
        protocol: whose annotations say how arguments and answers cross.
        where: names the other process in a traceback.
        opener: gives the plugin of a model format that is installed here; a worker has one.
        given_up: told that a call was interrupted here, and still goes on over there.
    """

    def __init__(
        self,
        control: socket.socket,
        root: Any,
        protocol: type[Any],
        *,
        where: str,
        opener: Callable[[str, Mapping[str, Any]], Any] | None = None,
        given_up: Callable[[], None] | None = None,
    ) -> None:
        self._control = control
        self._where = where
        self._opener = opener
        self._given_up = given_up
        self._numbers = itertools.count(1)
        self._exports = {0: _Exported(root, protocol, root)}
        self._dropped: collections.deque[int] = collections.deque()
        self._idle: list[Line] = []
        self._lines: set[Line] = set()
        self._lock = threading.Lock()
        self._here = threading.local()

    # -- what crosses by reference -----------------------------------------------------------------

    def export(self, served: Any, protocol: type[Any], original: Any) -> int:
        """Let the other side call an object, until it drops it; gives the object's number."""
        number = next(self._numbers)
        self._exports[number] = _Exported(served, protocol, original)
        return number

    def original(self, number: int) -> Any:
        """The object that the other side has a reference to."""
        return self._exports[number].original

    def number_of(self, value: Any) -> int | None:
        """The number of an object of the other side's, or None where it is none."""
        if isinstance(value, Remote) and value._peer is self:  # noqa: SLF001  (its own kind)
            return value._number  # noqa: SLF001
        return None

    def drop(self, number: int) -> None:
        """Note that an object of the other side is not needed; it is told with the next call."""
        # Called by the garbage collector at any moment: it must not take a lock.
        self._dropped.append(number)

    def opener(self, format: str, settings: Mapping[str, Any]) -> Any:  # noqa: A002  (the field's own word)
        """The plugin that owns a model format in this process's environment."""
        if self._opener is None:
            msg = f"this process has no opener for {format!r}"
            raise RuntimeError(msg)
        return self._opener(format, settings)

    # -- calling -----------------------------------------------------------------------------------

    def call(
        self,
        number: int,
        protocol: type[Any],
        method: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float | None = None,
    ) -> Any:
        """Call a method of an object of the other side.

        Raises:
            LineLost: the other side is gone.
            LineLate: the deadline passed.
            Exception: whatever the method raised there.
        """
        form = crossing.method(protocol, method)
        return self._exchange(_CALL, number, method, form, arguments, deadline)

    def ask(
        self, instance: int, hook: str, arguments: Mapping[str, Any], deadline: float | None
    ) -> Any:
        """Ask an instance of a plugin a hook; raises as `call`."""
        return self._exchange(_ASK, instance, hook, crossing.hook(hook), arguments, deadline)

    def _exchange(
        self,
        kind: int,
        number: int,
        name: str,
        form: crossing.Signature,
        arguments: Mapping[str, Any],
        deadline: float | None,
    ) -> Any:
        segments: list[Segment] = []
        with crossing.message(self, segments), _released_on_error(segments):
            values = {key: form.parameters[key].dump(value) for key, value in arguments.items()}
            said = self._dumped([kind, number, name, values])
        line: Line | None = getattr(self._here, "line", None)
        nested = line is not None
        if line is None:
            try:
                line = self._take()
            except OSError as error:
                crossing.release(segments)
                raise LineLost from error
        before, line.deadline = line.deadline, _sooner(line.deadline, deadline)
        with self._raised() as raised:
            try:
                with contextlib.ExitStack() as after:
                    after.callback(crossing.release, segments)
                    line.send(said, segments)
                answer, segments = self._await(line)
            except BaseException as error:
                # Whatever is under way on this line, nobody waits for it any more.
                self._end(line)
                if isinstance(error, TimeoutError):
                    raise LineLate from error
                if isinstance(error, EOFError | OSError):
                    raise LineLost from error
                if self._given_up is not None:
                    self._given_up()
                raise
            original = raised.get(answer[1].get("yours")) if answer[0] == _ERROR else None
        line.deadline = before
        if not nested:
            self._idle.append(line)
        if original is not None:
            raise original
        if answer[0] == _ERROR:
            raise error_from(answer[1], self._where)
        with crossing.message(self, segments):
            return form.answer.load(answer[1])

    def _await(self, line: Line) -> tuple[Any, list[Segment]]:
        while True:
            message, segments = line.receive()
            if message[0] in (_ANSWER, _ERROR):
                self._forget(message[2])
                return message, segments
            self._serve(line, message, segments)

    def _dumped(self, message: list[Any]) -> Dumped:
        """A message with the numbers that the other side may forget."""
        dropped = []
        while self._dropped:
            dropped.append(self._dropped.popleft())
        return dumped([*message, dropped])

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            self._exports.pop(number, None)

    # -- lines -------------------------------------------------------------------------------------

    def _take(self) -> Line:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        ours, theirs = socket.socketpair()
        line = Line(ours)
        with self._lock:
            self._lines.add(line)
            with theirs:
                socket.send_fds(self._control, [_NEW_LINE], [theirs.fileno()])
        return line

    def accept(self) -> Line:
        """Wait for a line that the other side made.

        Raises:
            EOFError: it is gone.
        """
        try:
            said, given, _, _ = socket.recv_fds(self._control, 1, 1, CLOEXEC)
        except OSError:
            raise EOFError from None
        if said != _NEW_LINE or not given:
            raise EOFError
        line = Line(socket.socket(fileno=given[0]))
        with self._lock:
            self._lines.add(line)
        return line

    def close(self) -> None:
        """End every line, and whoever waits on one."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        with self._lock:
            lines, self._lines = self._lines, set()
        for line in lines:
            line.close()

    def abandon(self) -> None:
        """Close what a fork has of the sockets; the process that made them keeps them."""
        self._control.close()
        for line in self._lines:
            line.forget()

    # -- answering ---------------------------------------------------------------------------------

    def serve(self, line: Line) -> None:
        """Answer what comes on a line, until the other side closes it."""
        try:
            while True:
                message, segments = line.receive()
                self._serve(line, message, segments)
        except (EOFError, OSError):
            pass  # the other side closed the line, or is gone
        finally:
            self._end(line)

    @contextlib.contextmanager
    def _raised(self) -> Iterator[dict[int, BaseException]]:
        """What this thread raised into the calls under way, should it come back through them."""
        before: dict[int, BaseException] | None = getattr(self._here, "raised", None)
        found = self._here.raised = {} if before is None else before
        try:
            yield found
        finally:
            self._here.raised = before

    def _end(self, line: Line) -> None:
        with self._lock:
            self._lines.discard(line)
        line.close()

    def _serve(self, line: Line, message: list[Any], segments: list[Segment]) -> None:
        kind, number, name, values, dropped = message
        self._forget(dropped)
        before = getattr(self._here, "line", None)
        self._here.line = line
        given: list[Segment] = []
        arguments: dict[str, Any] = {}
        with self._raised() as raised:
            try:
                with _released_on_error(given):
                    arguments, found = self._answered(kind, number, name, values, segments, given)
                    said = self._dumped([_ANSWER, found])
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:  # noqa: BLE001  (whatever it is, the caller hears of it)
                place = next(self._numbers)
                raised[place] = error
                said = self._dumped([_ERROR, {**error_text(error), "raised": place}])
            finally:
                self._here.line = before
        with contextlib.ExitStack() as after:
            after.callback(crossing.release, given)
            line.send(said, given)
        # Nobody waits while a large table's memory is given back.
        arguments.clear()

    def _answered(
        self,
        kind: int,
        number: int,
        name: str,
        values: dict[str, Any],
        segments: list[Segment],
        given: list[Segment],
    ) -> tuple[dict[str, Any], Any]:
        """What the call was given, and its answer as JSON values."""
        exported = self._exports.get(number)
        if exported is None:
            msg = f"nothing is behind the reference {number} any more: a plugin kept it"
            raise RemoteError(msg)
        asked = kind == _ASK
        form = crossing.hook(name) if asked else crossing.method(exported.protocol, name)
        with crossing.message(self, segments):
            arguments = {key: form.parameters[key].load(value) for key, value in values.items()}
        if not asked and isinstance(getattr(exported.protocol, name), property):
            found = getattr(exported.served, name)
        else:
            # By their place, as most are called: an implementation may name them otherwise. A
            # plugin asks for those arguments of a hook that it wants, by name.
            plain = [] if asked else [key for key in form.plain if key in arguments]
            named = {key: value for key, value in arguments.items() if key not in plain}
            found = getattr(exported.served, name)(*map(arguments.get, plain), **named)
        with crossing.message(self, given):
            return arguments, form.answer.dump(found)


@contextlib.contextmanager
def _released_on_error(segments: list[Segment]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        crossing.release(segments)
        segments.clear()
        raise


def _sooner(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
