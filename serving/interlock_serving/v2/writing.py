"""Answers in JSON, with the bytes of tensors behind it where these are wanted. Pure functions.

The JSON of a model's answers is the same but for a request's id, its rows and their values: what is
the same is written once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import attrs
import orjson

from interlock_hookspecs import Release
from interlock_serving.v2.answers import Answer, Outputs
from interlock_serving.v2.binary import encoded


@attrs.frozen
class _Frame:
    """The JSON of some answers.

    Attributes:
        content: what ``%`` fills: the request's id, then of each output its number of rows, and its
            values or how many bytes they have.
        outputs: the place of each among the model's, and whether its bytes stand behind the JSON.
    """

    content: bytes
    outputs: tuple[tuple[int, bool], ...]


def write_answer(  # the answer's parts, as the protocol names them
    name: str,
    release: Release,
    request_id: str,
    answer: Answer,
    selected: frozenset[str] | None,
    binary: frozenset[str] = frozenset(),
) -> tuple[int | None, bytes]:
    """An answer of the protocol.

    Args:
        name: the model's.
        release: which answered.
        request_id: whom.
        answer: with what.
        selected: the outputs that are told; None for all.
        binary: those of them that are told as bytes.

    Returns:
        How many of its bytes are JSON, where some may stand behind them, and its bytes.
    """
    frame = _frame(name, release.id, release.number, answer.batch.outputs, selected, binary)
    filled: list[Any] = [orjson.dumps(request_id)]
    behind = [b""]
    for place, is_behind in frame.outputs:
        if is_behind:
            content = encoded(answer, place)
            behind.append(content)
            filled += (answer.rows, len(content))
        else:
            filled += (answer.rows, answer.json(place))
    behind[0] = json = frame.content % tuple(filled)
    return (len(json), b"".join(behind)) if binary else (None, json)


@lru_cache(maxsize=256)  # a model has few: clients decide about the outputs that they want
def _frame(
    name: str,
    release: str,
    number: str,
    outputs: Outputs,
    selected: frozenset[str] | None,
    binary: frozenset[str],
) -> _Frame:
    told = [
        (place, output, datatype, output in binary)
        for place, (output, datatype) in enumerate(outputs)
        if selected is None or output in selected
    ]
    parameters = _written({"release": release, "number": number})
    described = [
        b'{"name":%b,"datatype":%b,"shape":[%%d],%b}'
        % (
            _written(output),
            _written(datatype),
            b'"parameters":{"binary_data_size":%d}' if is_behind else b'"data":%b',
        )
        for _, output, datatype, is_behind in told
    ]
    content = b'{"model_name":%b,"model_version":%b,"id":%%b,"parameters":%b,"outputs":[%b]}' % (
        _written(name),
        _written(release),
        parameters,
        b",".join(described),
    )
    return _Frame(content, tuple((place, is_behind) for place, _, _, is_behind in told))


def _written(value: object) -> bytes:
    """JSON, for the left of a ``%``."""
    return orjson.dumps(value).replace(b"%", b"%%")
