"""What an ONNX file holds, read off its bytes: no tensor is built, and `onnx` is not imported.

A file is a message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding); which
number its fields have is in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. What cannot be
read is refused, as a guard that passes over a part of a file guards nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from interlock_hookspecs import InvalidInput

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
FORBIDDEN = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators with a graph inside: what they cost depends on the data, and no estimator needs one."""

_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
_LONGEST = 10  # bytes of a number of 64 bits
_CONTINUED = 0x80
_NUMBERS = re.compile(rb"(?:\x40[\x80-\xff]{0,9}+[\x00-\x7f]|\x3d[\x00-\xff]{4})++")
"""The integers and the floats of an attribute, a field each: a forest has a million of them.

They are passed over at once. No rule is for a field of these numbers and kinds, in any message.
"""


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        number: which.
        value: a number, bytes, or None where it is one of a fixed size.
        begin, end: its place in the message, what says its number included.
    """

    number: int
    value: Any
    begin: int
    end: int


_Rule: TypeAlias = Callable[[Any], None]


def check_model(raw: bytes) -> None:
    """Refuse the bytes of a model that may not be run.

    Raises:
        InvalidInput: they are no ONNX model, define functions, name tensors in other files, or
            hold an operator that is not allowed.
    """
    message = memoryview(raw)
    if _GRAPH not in {field.number for field in fields(message)}:
        raise _no_model("it has no graph")
    read(message, _IN_MODEL)


def read(message: Any, rules: Mapping[int, _Rule]) -> None:
    """Hand each field of a message that has a rule to it, however often the field is there."""
    for field in fields(as_bytes(message)):
        if (rule := rules.get(field.number)) is not None:
            rule(field.value)


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message in order, but for lists of numbers that stand in a field each.

    Raises:
        InvalidInput: it is no message, or ends within a field.
    """
    place, end = 0, len(message)
    while place < end:
        if many := _NUMBERS.match(message, place):
            place = many.end()
            continue
        begin = place
        tag, place = _number(message, place)
        kind = tag & 7
        value: Any = None
        if kind == _VARINT:
            value, place = _number(message, place)
        elif kind == _BYTES:
            length, place = _number(message, place)
            value = message[place : place + length]
            place += length
        elif kind in _FIXED:
            place += _FIXED[kind]
        else:
            raise _no_model(f"it has a field of the kind {kind}")
        if place > end:
            raise _no_model("it is cut off")
        yield Field(tag >> 3, value, begin, place)


def bytes_field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, as it stands in a message."""
    return _number_bytes(number << 3 | _BYTES) + _number_bytes(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number from 0 on, as it stands in a message."""
    return _number_bytes(number << 3 | _VARINT) + _number_bytes(value)


def _number_bytes(value: int) -> bytes:
    written = bytearray()
    while value >= _CONTINUED:
        written.append(value & (_CONTINUED - 1) | _CONTINUED)
        value >>= 7
    return bytes((*written, value))


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first; and where it ends."""
    value = 0
    for index, byte in enumerate(message[place : place + _LONGEST]):
        value |= (byte & ~_CONTINUED) << 7 * index
        if byte < _CONTINUED:
            return value, place + index + 1
    raise _no_model("it is cut off")


def _check_node(message: Any) -> None:
    found: dict[int, list[Any]] = {_OPERATOR: [], _ATTRIBUTE: [], _DOMAIN: []}
    for field in fields(as_bytes(message)):
        found.get(field.number, []).append(field.value)
    domains = [bytes(as_bytes(name)).decode("utf-8", "replace") for name in found[_DOMAIN]]
    operators = [bytes(as_bytes(name)).decode("utf-8", "replace") for name in found[_OPERATOR]]
    # Of a field that is there twice the last one counts, to those who know: none may be another's.
    if not DOMAINS.issuperset(domains) or not FORBIDDEN.isdisjoint(operators):
        domain, operator = (names[-1] if names else "" for names in (domains, operators))
        raise InvalidInput(f"it holds the operator {domain or 'ai.onnx'}.{operator}")
    for attribute in found[_ATTRIBUTE]:
        read(attribute, _IN_ATTRIBUTE)


def _check_location(value: Any) -> None:
    if value != 0:
        raise InvalidInput("it keeps a tensor in another file")


def _refused(what: str) -> _Rule:
    def refuse(_: Any) -> None:
        raise InvalidInput(f"it holds {what}")

    return refuse


def _each(rules: Mapping[int, _Rule]) -> _Rule:
    return lambda message: read(message, rules)


def as_bytes(value: Any) -> memoryview:
    """What a field of bytes holds.

    Raises:
        InvalidInput: it holds a number.
    """
    if not isinstance(value, memoryview):
        raise _no_model("a field of it is of another kind")
    return value


def _no_model(why: str) -> InvalidInput:
    return InvalidInput(f"it is no ONNX model: {why}")


_GRAPH = 7
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_IN_TENSOR = {13: _check_location, 14: _check_location}
_IN_SPARSE_TENSOR = {1: _each(_IN_TENSOR), 2: _each(_IN_TENSOR)}
_IN_ATTRIBUTE = {
    5: _each(_IN_TENSOR),
    6: _refused("a graph within an operator"),
    10: _each(_IN_TENSOR),
    11: _refused("graphs within an operator"),
    22: _each(_IN_SPARSE_TENSOR),
    23: _each(_IN_SPARSE_TENSOR),
}
_IN_GRAPH = {1: _check_node, 5: _each(_IN_TENSOR), 15: _each(_IN_SPARSE_TENSOR)}
_IN_MODEL = {
    _GRAPH: _each(_IN_GRAPH),
    20: _refused("a graph that trains"),
    25: _refused("functions of its own"),
}
