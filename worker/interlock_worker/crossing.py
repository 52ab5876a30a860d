"""Values of the contract's types into a message and back: how each hook's arguments travel.

Records cross as JSON by the codec that the ledger uses. Tables go beside the message. What a hook
works with rather than reads (a workspace, a predictor, a feed, a sink) stays where it is, and a
reference crosses that calls back.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Protocol, Union, get_args, get_origin

import attrs

from interlock_hookspecs import specs, type_hints
from interlock_worker.codec import records_converter
from interlock_worker.services import SERVICES, Service
from interlock_worker.tables import pack, unpack
from interlock_worker.untyped import dump_untyped, load_untyped
from interlock_worker.wire import Segment, Shared

if TYPE_CHECKING:
    from cattrs import Converter

_FOREIGN = "~foreign"


class References(Protocol):
    """What two processes know of each other's objects: those that are called and not read."""

    def export(self, served: Any, protocol: type[Any], original: Any) -> int:
        """Let the other side call an object; gives the object's number."""

    def original(self, number: int) -> Any:
        """The object that the other side has a reference to."""

    def number_of(self, value: Any) -> int | None:
        """The number of an object of the other side's, or None where it is none."""


@attrs.define
class _Under:
    """The message that this thread puts together or takes apart."""

    peer: References
    segments: list[Segment]


_now = threading.local()


@contextlib.contextmanager
def message(peer: References, segments: list[Segment] | None = None) -> Iterator[list[Segment]]:
    """Within this, values go into and come out of one message between this process and a peer."""
    before = getattr(_now, "under", None)
    under = _now.under = _Under(peer, [] if segments is None else segments)
    try:
        yield under.segments
    finally:
        _now.under = before


def release(segments: list[Segment]) -> None:
    """Close the shared memory of a message that was sent: the receiver has its own hold on it."""
    for segment in segments:
        if isinstance(segment, Shared):
            os.close(segment.descriptor)


@attrs.frozen
class Coder:
    """How values of one type cross.

    Attributes:
        dump: a value as JSON values.
        load: the value from them.
    """

    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


@attrs.frozen
class Signature:
    """How the arguments and the answer of one function cross.

    Attributes:
        parameters: by name.
        plain: the names of those that may be given by their place.
        answer: what comes back.
    """

    parameters: Mapping[str, Coder]
    plain: tuple[str, ...]
    answer: Coder


@functools.cache
def hook(name: str) -> Signature:
    """How a hook of the contract crosses."""
    return signature(specs()[name].function)


@functools.cache
def signature(function: Callable[..., Any]) -> Signature:
    """How a function crosses whose annotations are the contract's."""
    hints = dict(type_hints(function))
    answer = hints.pop("return", NoneType)
    found = inspect.signature(function).parameters.values()
    return Signature(
        parameters={name: coder(kind) for name, kind in hints.items()},
        plain=tuple(one.name for one in found if one.kind is not one.KEYWORD_ONLY),
        answer=_answer(answer),
    )


def method(protocol: type[Any], name: str) -> Signature:
    """How a method of a service crosses; a property is one without arguments."""
    found = inspect.getattr_static(protocol, name)
    return signature(found.fget if isinstance(found, property) else found)


def coder(kind: Any) -> Coder:
    """How values of a type cross; None crosses in place of any."""
    if kind is Any:
        return Coder(dump_untyped, load_untyped)
    if kind in (str, int, bool, float, NoneType):
        return Coder(_same, _same)
    dump = _converter().get_unstructure_hook(kind)
    load = _converter().get_structure_hook(kind)
    return Coder(
        lambda value: None if value is None else dump(value),
        lambda value: None if value is None else load(value, kind),
    )


def _same(value: Any) -> Any:
    return value


def _answer(kind: Any) -> Coder:
    """As `coder`; what is no such value crosses as its type's name, for the funnel to refuse."""
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        one = coder(item)

        def dump_all(values: Any) -> Any:
            if not isinstance(values, list | tuple):
                return _foreign(values)
            return [one.dump(v) if isinstance(v, item) else _foreign(v) for v in values]

        def load_all(values: Any) -> Any:
            if isinstance(values, dict):
                return _stand_in(values)
            return [_stand_in(v) if _is_foreign(v) else one.load(v) for v in values]

        return Coder(dump_all, load_all)
    plainly, right = coder(kind), _classes(kind)

    def dump(value: Any) -> Any:
        fits = not right or isinstance(value, right)
        return plainly.dump(value) if fits else _foreign(value)

    return Coder(dump, lambda v: _stand_in(v) if _is_foreign(v) else plainly.load(v))


def _classes(kind: Any) -> tuple[type[Any], ...]:
    if get_origin(kind) in (Union, UnionType):
        return tuple(cls for part in get_args(kind) for cls in _classes(part))
    kind = get_origin(kind) or kind
    return (kind,) if isinstance(kind, type) and kind is not Any else ()


def _foreign(value: Any) -> Any:
    return {_FOREIGN: type(value).__name__}


def _is_foreign(value: Any) -> bool:
    return isinstance(value, dict) and _FOREIGN in value


def _stand_in(value: Any) -> Any:
    return type(value[_FOREIGN], (), {})()


@functools.cache
def _converter() -> Converter:
    converter = records_converter()
    converter.register_unstructure_hook_func(_is_table, _dump_table)
    converter.register_structure_hook_func(_is_table, lambda value, _: _load_table(value))
    for service in SERVICES:
        asked = functools.partial(_is_service, service)
        converter.register_unstructure_hook_func(asked, functools.partial(_dump_service, service))
        converter.register_structure_hook_func(asked, functools.partial(_load_service, service))
    converter.register_unstructure_hook_func(_is_path, str)
    converter.register_structure_hook_func(_is_path, lambda value, _: Path(value))
    return converter


def _is_table(kind: Any) -> bool:
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and kind is arrow.Table


def _is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Path)


def _is_service(service: Service, kind: Any) -> bool:
    return bool(kind == service.kind)


def _dump_table(table: Any) -> int:
    _now.under.segments.append(pack(table))
    return len(_now.under.segments) - 1


def _load_table(place: int) -> Any:
    return unpack(_now.under.segments[place])


def _dump_service(service: Service, value: Any) -> Any:
    peer = _now.under.peer
    theirs = peer.number_of(value)
    if theirs is not None:
        return [theirs]
    return [peer.export(service.serve(value), service.protocol, value), service.along(value)]


def _load_service(service: Service, value: Any, _: Any) -> Any:
    peer = _now.under.peer
    if len(value) == 1:
        return peer.original(value[0])
    number, along = value
    return service.remote(peer, number, along)
