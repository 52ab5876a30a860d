"""Columns as numpy arrays: numbers with NaN for a null, or codes of categories with -1 for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_validate_metrics.estimates import Bools, Floats, Ints


class Numbers(NamedTuple):
    """A numeric or temporal column; NaN where it is null or NaN."""

    values: Floats

    @property
    def missing(self) -> Bools:
        """Where there is no value."""
        import numpy as np

        return np.isnan(self.values)

    @property
    def distinct(self) -> int:
        """How many different values there are, counted up to 2."""
        import numpy as np

        held = self.values[~self.missing]
        return 0 if not len(held) else 1 + int(np.any(held != held[0]))

    @property
    def keys(self) -> Ints:
        """Integers that are equal where the values are; every null alike."""
        import numpy as np

        # Adding zero makes -0.0 the 0.0 that it equals; NaN is one NaN already.
        keys: Ints = np.where(self.missing, np.nan, self.values + 0.0).view(np.int64)
        return keys


class Categories(NamedTuple):
    """A text or boolean column: codes into its values; -1 where it is null."""

    codes: Ints
    values: pa.Array

    @property
    def missing(self) -> Bools:
        """Where there is no value."""
        return self.codes < 0

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        import numpy as np

        return int(np.count_nonzero(self.counts))

    @property
    def counts(self) -> Ints:
        """The rows of each value, the nulls aside."""
        import numpy as np

        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    @property
    def keys(self) -> Ints:
        """Integers that are equal where the values are; every null alike."""
        return self.codes


Column = Numbers | Categories


def encoded(column: pa.ChunkedArray) -> Column | None:
    """A column as numbers or as categories; None for one that holds neither (lists, bytes)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column.type
    if t.is_dictionary(kind):
        return _categories(column.unify_dictionaries().combine_chunks())
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) or t.is_boolean(kind):
        return _categories(pc.dictionary_encode(column.combine_chunks()))
    if t.is_temporal(kind) and not t.is_interval(kind):
        column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())  # noqa: PLR2004  (bits)
    elif not (t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)):
        return None
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return Numbers(np.asarray(values, dtype=np.float64))


def different(column: pa.ChunkedArray) -> int:
    """How many different values there are, the nulls aside."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.types as t

    held = column.drop_null()
    if not t.is_integer(held.type):
        return len(pc.unique(held))
    # A tenth of hashing them: ids mostly come in order.
    ordered = np.sort(held.to_numpy())
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(len(ordered), 1)


def _categories(column: pa.DictionaryArray) -> Categories:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = pc.fill_null(column.indices.cast(pa.int32()), pa.scalar(-1, pa.int32()))
    return Categories(np.asarray(codes.to_numpy(), dtype=np.int64), column.dictionary)
