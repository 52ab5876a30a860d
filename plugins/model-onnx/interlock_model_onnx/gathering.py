"""A model that takes one matrix instead of many columns: by its bytes, `onnx` not imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from interlock_model_onnx.wire import Field, as_bytes, bytes_field, fields, number_field

_GRAPH = 7
_NODE, _INPUT, _OUTPUT = 1, 11, 12
_TEXT = 8  # the type of an element that is a string


class _Node(NamedTuple):
    """An operator: what it is, and the names of what it takes and gives."""

    operator: bytes
    domain: bytes
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]
    numbers: tuple[int, ...]


class _Value(NamedTuple):
    """What a graph takes or gives: the type of its elements, and its width where it is known."""

    name: bytes
    kind: int
    shape: tuple[int, ...]


def gathered(raw: bytes) -> bytes:
    """The model with one input [n, k], where it does nothing with its k inputs but join them.

    A runtime takes one matrix for a third of what it takes as many columns for. What the model
    computes stays to the bit; where its inputs are of several types, or are used one by one, it
    stays as it is.
    """
    model = memoryview(raw)
    graphs = _those(model, _GRAPH)
    if len(graphs) != 1:
        return raw
    (found,) = graphs
    graph = as_bytes(found.value)
    inputs = [_value(field) for field in _those(graph, _INPUT)]
    if not _are_columns(inputs):
        return raw
    nodes = [(field, _node(field)) for field in _those(graph, _NODE)]
    names = {each.name for each in inputs}
    users = [(field, node) for field, node in nodes if not names.isdisjoint(node.inputs)]
    given = {_value(field).name for field in _those(graph, _OUTPUT)}
    if len(users) != 1 or not _is_joining(users[0][1], inputs, given):
        return raw
    ((field, joined),) = users
    whole = _matrix(joined.outputs[0], inputs[0].kind, len(inputs))
    gone = [field, *_those(graph, _INPUT)]
    content = _without(graph, gone) + bytes_field(_INPUT, whole)
    return _without(model, [found]) + bytes_field(_GRAPH, content)


def _are_columns(inputs: list[_Value]) -> bool:
    """Whether inputs are several columns of numbers of one type."""
    kinds = {each.kind for each in inputs}
    return (
        len(inputs) > 1
        and len(kinds) == 1
        and _TEXT not in kinds
        and all(each.shape == (0, 1) for each in inputs)
    )


def _is_joining(node: _Node, inputs: list[_Value], given: set[bytes]) -> bool:
    """Whether a node puts all the inputs side by side, and does nothing else."""
    return (
        (node.operator, node.domain, node.numbers) == (b"Concat", b"", (1,))
        and node.inputs == tuple(each.name for each in inputs)
        and node.outputs[0] not in given
    )


def _those(message: memoryview, number: int) -> list[Field]:
    return [field for field in fields(message) if field.number == number]


def _inner(message: memoryview, *path: int) -> Iterator[memoryview]:
    """The messages that a message holds under some numbers, one within the other."""
    if not path:
        yield message
        return
    for field in _those(message, path[0]):
        yield from _inner(as_bytes(field.value), *path[1:])


def _texts(message: memoryview, number: int) -> tuple[bytes, ...]:
    return tuple(bytes(as_bytes(field.value)) for field in _those(message, number))


def _last(message: memoryview, number: int, default: int) -> int:
    return next((int(field.value) for field in reversed(_those(message, number))), default)


def _value(field: Field) -> _Value:
    message = as_bytes(field.value)
    kinds = [_last(tensor, 1, 0) for tensor in _inner(message, 2, 1)]
    shape = tuple(_last(side, 1, 0) for side in _inner(message, 2, 1, 2, 1))
    return _Value((_texts(message, 1) or (b"",))[-1], kinds[-1] if kinds else 0, shape)


def _node(field: Field) -> _Node:
    message = as_bytes(field.value)
    return _Node(
        operator=(_texts(message, 4) or (b"",))[-1],
        domain=(_texts(message, 7) or (b"",))[-1],
        inputs=_texts(message, 1),
        outputs=_texts(message, 2),
        numbers=tuple(_last(attribute, 3, 0) for attribute in _inner(message, 5)),
    )


def _matrix(name: bytes, kind: int, width: int) -> bytes:
    """An input of any number of rows and so many columns."""
    sides = bytes_field(1, b"") + bytes_field(1, number_field(1, width))
    tensor = number_field(1, kind) + bytes_field(2, sides)
    return bytes_field(1, name) + bytes_field(2, bytes_field(1, tensor))


def _without(message: memoryview, gone: list[Field]) -> bytes:
    """The message less some of its fields."""
    places = sorted((field.begin, field.end) for field in gone)
    begins = [0, *(end for _, end in places)]
    ends = [*(begin for begin, _ in places), len(message)]
    return b"".join(message[begin:end] for begin, end in zip(begins, ends, strict=True))
