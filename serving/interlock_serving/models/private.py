"""What of an answer is recorded: a share of the requests, and no private column as it was sent."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from interlock_hookspecs import Capture, CaptureBatch, CaptureSink, InvalidInput, reveal

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_serving.settings import ServerSettings

_BYTES = 16


@attrs.frozen(eq=False)
class PrivateCaptures:
    """A `CaptureSink` before another, which passes on what may be kept.

    Attributes:
        behind: where the rest goes.
        share: of the requests, 0 to 1, chosen by their ids: a mirror's answer is kept with the
            one that it mirrors.
        columns: what happens to a column of what was sent, by its name.
        key: of the hashes.
    """

    behind: CaptureSink
    share: float
    columns: Mapping[str, Literal["hash", "drop"]]
    key: bytes

    @property
    def lost(self) -> int:
        """How many captures were lost; what is left out on purpose is not."""
        return self.behind.lost

    def expect(self, captures: int) -> None:
        """Pass on what will be put, where all of it will be."""
        expect = getattr(self.behind, "expect", None)
        if expect is not None and self.share == 1:
            expect(captures)

    def put(self, capture: Capture) -> bool:
        """Pass on a capture, or leave it out."""
        if self.share < 1 and _place(capture.request_id) >= self.share:
            return True
        return self.behind.put(attrs.evolve(capture, rows=self._hidden(capture.rows)))

    def put_batch(self, batch: CaptureBatch) -> bool:
        """Pass on captures, or leave some out."""
        if self.share < 1:
            batch = self._chosen(batch)
        if not batch.request_ids:
            return True
        return self.behind.put_batch(attrs.evolve(batch, rows=self._hidden(batch.rows)))

    def _chosen(self, batch: CaptureBatch) -> CaptureBatch:
        import pyarrow as pa

        kept = [_place(request_id) < self.share for request_id in batch.request_ids]
        rows = pa.array(np.repeat(kept, batch.counts))
        return attrs.evolve(
            batch,
            request_ids=tuple(itertools.compress(batch.request_ids, kept)),
            counts=tuple(itertools.compress(batch.counts, kept)),
            times=tuple(itertools.compress(batch.times, kept)),
            rows=batch.rows.filter(rows),
            predictions=batch.predictions.filter(rows),
        )

    def _hidden(self, rows: pa.Table) -> pa.Table:
        import pyarrow as pa

        for name, how in self.columns.items():
            place = rows.schema.get_field_index(name)
            if place < 0:
                continue
            if how == "drop":
                rows = rows.remove_column(place)
            else:
                hashed = [self._hash(value) for value in rows.column(place).to_pylist()]
                rows = rows.set_column(place, name, pa.array(hashed, pa.string()))
        return rows

    def _hash(self, value: object) -> str | None:
        if value is None:
            return None
        return hmac.digest(self.key, str(value).encode(), "sha256")[:_BYTES].hex()


def private(settings: ServerSettings, behind: CaptureSink) -> CaptureSink:
    """The sink behind what the settings say of privacy; itself where they say nothing.

    Raises:
        InvalidInput: a column is to be hashed, and there is no key.
    """
    columns, share = settings.private_columns, settings.capture_share
    if not columns and share == 1:
        return behind
    key = "" if settings.private_key is None else reveal(settings.private_key)
    if "hash" in columns.values() and not key:
        # Without a key whoever has the file tries all values that there may be.
        raise InvalidInput("private_columns hashes with private_key: set it")
    return PrivateCaptures(behind, share, columns, key.encode())


def _place(request_id: str) -> float:
    """Where a request stands between 0 and 1, always the same."""
    digest = hashlib.sha256(request_id.encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
