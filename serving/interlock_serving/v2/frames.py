"""JSON of one row, cut from its values.

A request of one tensor a column says more about its values than they are, and clients mostly say
the same each time. So the rest, the frame, is compared and not read again: the values alone are.

That leaves no doubt where they stand. Before a frame is known it was read as a whole: it has no
escapes, and ``"data":`` in it as often as tensors, so that each cut is at the data of a tensor.
What follows up to the next bracket is taken for values where it is a list by itself; a bracket in
a text ends it too early, and the request is read as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson

Frame = tuple[bytes, ...]
"""What stands before, between and behind the values of tensors."""

_KEY = b'"data"'
_CUT = _KEY + b":"
_END = b"]"
_FIRST, _LAST = itemgetter(0), itemgetter(2)


def head_of(json: bytes) -> bytes:
    """The first part of a frame, which costs less than all of it to find."""
    return json[: json.find(_CUT)]


def cut(json: bytes) -> tuple[Frame, list[bytes]]:
    """The frame of a request, and of each tensor the text of its data, less the last bracket.

    >>> cut(b'{"inputs":[{"name":"a","data":[1.5]}]}')
    ((b'{"inputs":[{"name":"a",', b'}]}'), [b'[1.5'])
    """
    head, *pieces = json.split(_CUT)
    parts = [piece.partition(_END) for piece in pieces]
    return (head, *map(_LAST, parts)), [*map(_FIRST, parts)]


def read(texts: Sequence[bytes]) -> list[Any] | None:
    """The data of tensors; None where they are not certainly a list each.

    Lists of numbers may hold others: whoever takes only numbers refuses those.

    >>> read([b"[1.5", b" [null"]), read([b'["x"', b"[2"]), read([b"[[1", b"2"]), read([b"[1"] * 2)
    ([[1.5], [None]], [['x'], [2]], None, [[1], [1]])
    """
    together = b"],".join(texts)
    try:
        if b'"' in together:
            # Each for itself: a text that goes on behind a bracket would be one with the next.
            return [orjson.loads(text + _END) for text in texts]
        found: list[Any] = orjson.loads(b"[%b]]" % together)
    except orjson.JSONDecodeError:
        return None
    return found if len(found) == len(texts) else None


def is_cut_well(json: bytes, inputs: Sequence[Any]) -> bool:
    """Whether the cuts of a request are at the data of its tensors beyond doubt.

    Args:
        json: its text.
        inputs: its tensors, as they were read.
    """
    if b"\\" in json or json.count(_KEY) != len(inputs) or json.count(_CUT) != len(inputs):
        return False
    return read(cut(json)[1]) == [tensor["data"] for tensor in inputs]
