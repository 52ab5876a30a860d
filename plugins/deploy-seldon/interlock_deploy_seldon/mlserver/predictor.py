"""A model that an MLServer scores, as the predictor that our server asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock_deploy_seldon.mlserver import named
from interlock_deploy_seldon.mlserver.api import Api, Refused
from interlock_deploy_seldon.mlserver.matrices import (
    answers,
    number_matrix,
    request,
    text_list,
)
from interlock_hookspecs import InvalidInput, PluginError, Signature, Unavailable, is_number

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from interlock_deploy_seldon.mlserver.repository import Held


class RemotePredictor:
    """A model in an MLServer. Safe to call from several threads at once.

    Args:
        signature: what it takes and gives.
        held: its place in the repository.
        api: the MLServer.
        lost: told that MLServer does not answer, or has lost the model.
    """

    def __init__(
        self, signature: Signature, held: Held, api: Api, lost: Callable[[], None]
    ) -> None:
        self._signature = signature
        self._api = api
        self._lost = lost
        self._users = 0
        self._asked = 0
        self._lock = threading.Lock()
        self.held = held

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self._signature

    @property
    def users(self) -> int:
        """How many queues may still ask it."""
        return self._users

    @property
    def is_asked(self) -> bool:
        """Whether MLServer is at work on a call of ours."""
        return self._asked > 0

    def enter(self) -> None:
        """A queue begins to ask."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """A queue that entered asks no more."""
        with self._lock:
            self._users -= 1

    def predict(self, rows: pa.Table) -> pa.Table:
        """Score rows in one call; see `interlock_hookspecs.Predictor`.

        Raises:
            InvalidInput: a column is missing, of another type, or holds an infinite number.
            Unavailable: MLServer does not answer, or has not loaded the model again yet.
            PluginError: the model failed there.
        """
        import numpy as np
        import pyarrow as pa

        inputs, pack = self._signature.inputs, self.held.pack
        names = [field.name for field in self._signature.outputs]
        numbers = number_matrix(rows, inputs)
        if pack.finite:
            self._refuse_infinite(numbers)
        texts = text_list(rows, inputs)
        if not rows.num_rows:
            return pa.table({name: pa.array([], pa.float64()) for name in names})
        body = named.request(rows, inputs) if pack.named else request(numbers, texts, pack.output)
        with self._lock:
            self._asked += 1
        try:
            said = self._api.infer(self.held.name, body)
        except Unavailable:
            self._lost()
            raise
        except Refused as error:
            self._refuse_infinite(numbers)
            raise PluginError(f"MLServer answers: {error}") from error
        finally:
            with self._lock:
                self._asked -= 1
        if pack.named:
            values = named.answers(said, self._signature, rows.num_rows)
        else:
            values = answers(said, rows.num_rows)
        if values.shape[1] <= max(pack.places):
            raise PluginError(f"MLServer's answer has {values.shape[1]} numbers a row, too few")
        columns = [np.ascontiguousarray(values[:, place]) for place in pack.places]
        return pa.Table.from_arrays([pa.array(column) for column in columns], names=names)

    def _refuse_infinite(self, numbers: np.ndarray) -> None:
        import numpy as np

        infinite = np.isinf(numbers).any(axis=0)
        if infinite.any():
            fields = [field for field in self._signature.inputs if is_number(field.type)]
            field = fields[int(infinite.argmax())]
            raise InvalidInput(f"column {field.name!r} holds an infinite number")
