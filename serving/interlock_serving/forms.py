"""Requests whose JSON came before, in front of other bytes: it is not read again.

Who sends a tensor as bytes mostly sends the same JSON before it, which takes longer to read than
the tensor. Only what leaves nothing to read but numbers is remembered.
"""

from __future__ import annotations

import attrs
import numpy as np

from interlock_hookspecs import Signature
from interlock_serving.binary import DTYPES
from interlock_serving.matrix import Matrix
from interlock_serving.protocol import Envelope, Query

_DOUBLE = np.dtype(DTYPES["FP64"])
_MOST = 32
_LONGEST = 2 * 1024
"""Forms that are remembered, and bytes of the JSON of one, at most."""


@attrs.frozen(eq=False)
class Form:
    """What the JSON of a request comes to, whose values stand behind it as one tensor of doubles.

    Attributes:
        signature: of the model that it was read for.
        names: the model's columns.
        shape: of the tensor, rows and columns.
        selected: the outputs that are asked for; None for all.
        binary: those of them that are wanted as bytes.
    """

    signature: Signature
    names: tuple[str, ...]
    shape: tuple[int, int]
    selected: frozenset[str] | None
    binary: frozenset[str]

    def query(self, request_id: str, behind: memoryview, signature: Signature) -> Query | None:
        """The request with these bytes; None where it is to be read as others are.

        Args:
            request_id: its name.
            behind: the bytes behind the JSON.
            signature: of the model that it is for.
        """
        rows, width = self.shape
        if len(behind) != 8 * rows * width:
            return None
        if signature is not self.signature and signature != self.signature:
            return None
        values: np.ndarray = np.ndarray(self.shape, _DOUBLE, behind)
        return Query(request_id, rows, Matrix(self.names, values))


class Forms:
    """The forms of requests that an endpoint remembers."""

    def __init__(self) -> None:
        self._known: dict[bytes, Form] = {}

    def find(self, json: bytes) -> Form | None:
        """The form of a request by its JSON; None where it is not known."""
        return self._known.get(json)

    def learn(
        self,
        json: bytes,
        envelope: Envelope,
        query: Query,
        signature: Signature,
        selected: frozenset[str] | None,
        binary: frozenset[str],
    ) -> None:
        """Remember what a request came to, where the same JSON will come to the same.

        Args:
            json: without the bytes behind it.
            envelope, query: what it was read as.
            signature: of the model that it is for.
            selected, binary: as `Form` has them.
        """
        values = query.values
        if (
            len(json) > _LONGEST
            or (envelope.id, envelope.sticky, envelope.seconds) != (None, None, None)
            or len(envelope.body["inputs"]) != 1
            or not isinstance(values, Matrix)
            or not isinstance(values.values, np.ndarray)
        ):
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        shape = query.rows, len(values.names)
        self._known[json] = Form(signature, values.names, shape, selected, binary)
