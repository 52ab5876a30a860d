"""Requests of a form that came before: what was the same then is not read again.

Who asks again and again mostly sends the same JSON but for the values in it or behind it, and it
takes longer to read than these. Only what leaves nothing to read but values is remembered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import attrs
import numpy as np

from interlock_hookspecs import Signature
from interlock_serving.v2 import frames
from interlock_serving.v2.binary import DTYPES, Body
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.matrix import Matrix
from interlock_serving.v2.protocol import Envelope, Query
from interlock_serving.v2.usual import Tensors

_DOUBLE = np.dtype(DTYPES["FP64"])
_MOST = 32
_LONGEST = 2 * 1024
"""Forms that are remembered, and bytes of the JSON of one, at most."""
_LONGEST_ROW = 16 * 1024
"""The same of JSON that holds values."""


@attrs.frozen(eq=False)
class Form(ABC):
    """What all requests of a form have.

    Attributes:
        signature: of the model that one was read for.
        selected: the outputs that are asked for; None for all.
        binary: those of them that are wanted as bytes.
    """

    signature: Signature
    selected: frozenset[str] | None
    binary: frozenset[str]

    def query(self, request_id: str, values: Any, signature: Signature) -> Query | None:
        """A request; None where it is to be read as others are.

        Args:
            request_id: its name.
            values: what is not the same in all, as `Forms.find` gives it.
            signature: of the model that it is for.
        """
        if signature is not self.signature and signature != self.signature:
            return None
        return self._query(request_id, values)

    @abstractmethod
    def _query(self, request_id: str, values: Any) -> Query | None: ...


class Asked(Protocol):
    """A model, as far as its requests depend on it."""

    signature: Signature
    columns: Columns


@attrs.frozen(eq=False)
class _Bytes(Form):
    """Values stand behind the JSON, as one tensor of doubles.

    Attributes:
        names: the model's columns.
        shape: of the tensor, rows and columns.
    """

    names: tuple[str, ...]
    shape: tuple[int, int]

    def _query(self, request_id: str, values: memoryview) -> Query | None:
        rows, width = self.shape
        if len(values) != 8 * rows * width:
            return None
        numbers: np.ndarray = np.ndarray(self.shape, _DOUBLE, values)
        return Query(request_id, rows, Matrix(self.names, numbers))


@attrs.frozen(eq=False)
class _Texts(Form):
    """The values of one row, a tensor a column, stand in the JSON.

    Attributes:
        tensors: how they are read.
    """

    tensors: Tensors

    def _query(self, request_id: str, values: list[bytes]) -> Query | None:
        sent = frames.read(values)
        if sent is None:
            return None
        try:
            found = self.tensors.values(sent, 1)
        except TypeError:  # something is no list
            return None
        return None if found is None else Query(request_id, 1, found)


class Forms:
    """The forms of requests that an endpoint remembers."""

    def __init__(self) -> None:
        self._by_json: dict[bytes, _Bytes] = {}
        self._by_frame: dict[frames.Frame, _Texts] = {}
        self._heads: set[bytes] = set()

    def find(self, json: Body, behind: memoryview | None) -> tuple[Form, Any] | None:
        """The form of a request, and the values in it; None where it is not known.

        Args:
            json: its JSON.
            behind: the bytes behind that, where it has such.
        """
        if behind is not None:
            known = self._by_json.get(bytes(json))
            return None if known is None else (known, behind)
        if not self._heads or len(json) > _LONGEST_ROW:
            return None
        whole = bytes(json)
        if frames.head_of(whole) not in self._heads:
            return None
        frame, texts = frames.cut(whole)
        form = self._by_frame.get(frame)
        return None if form is None else (form, texts)

    def learn(
        self,
        json: Body,
        envelope: Envelope,
        query: Query,
        model: Asked,
        selected: frozenset[str] | None,
        binary: frozenset[str],
    ) -> None:
        """Remember what a request came to, where others of its form will come to the same.

        Args:
            json: without bytes behind it.
            envelope, query: what it was read as.
            model: that it is for.
            selected, binary: as `Form` has them.
        """
        if (envelope.id, envelope.sticky, envelope.seconds) != (None, None, None):
            return
        inputs, values = envelope.body["inputs"], query.values
        if len(inputs) > 1 and query.rows == 1 and len(json) <= _LONGEST_ROW:
            tensors = model.columns.usual.tensors_of(inputs)
            whole = bytes(json)
            if tensors is None or not frames.is_cut_well(whole, inputs):
                return
            if len(self._by_frame) >= _MOST:
                self._by_frame.clear()
                self._heads.clear()
            frame, _ = frames.cut(whole)
            self._by_frame[frame] = _Texts(model.signature, selected, binary, tensors)
            self._heads.add(frame[0])
        elif isinstance(values, Matrix) and isinstance(values.values, np.ndarray):
            if len(inputs) > 1 or len(json) > _LONGEST:
                return
            if len(self._by_json) >= _MOST:
                self._by_json.clear()
            shape = query.rows, len(values.names)
            form = _Bytes(model.signature, selected, binary, values.names, shape)
            self._by_json[bytes(json)] = form
