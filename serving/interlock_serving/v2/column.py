"""A column of requests: which JSON values it takes.

The rules, strict where a wrong value would be scored silently and lenient where nothing is lost:

- ``BOOL`` takes true and false.
- ``INT*`` and ``UINT*`` take integers in the column's range; sent as ``FP*`` also 3.0, which is
  what a tensor of mixed columns makes of 3, up to the 53 bits that a double holds exactly.
- ``FP*`` take any finite number in the column's range.
- ``BYTES`` takes text; times and dates are text in ISO 8601, times with a zone where the column
  has one.
- ``null`` is a missing value, for a column that the model was fitted with missing values in.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property, lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from interlock_hookspecs import Field, InvalidInput, Unsupported

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS = {
    f"{'' if low else 'U'}INT{bits}": (-(2 ** (bits - 1)) if low else 0, 2 ** (bits - low) - 1)
    for bits in (8, 16, 32, 64)
    for low in (1, 0)
}
_FLOATS = {"FP16": 65_504.0, "FP32": 3.4028234663852886e38, "FP64": sys.float_info.max}
RANGES: Mapping[str, tuple[float, float]] = {
    **_INTEGERS,
    **{name: (-largest, largest) for name, largest in _FLOATS.items()},
}
"""The least and the greatest value of each numeric datatype."""
_JSON: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str}),
    **dict.fromkeys(_INTEGERS, frozenset({int})),
    **dict.fromkeys(_FLOATS, frozenset({int, float})),
}
DATATYPES = _JSON.keys()
"""The datatypes of the protocol that are understood."""

_PLAIN: Mapping[str, set[type]] = {
    "BOOL": {bool},
    "BYTES": {str},
    **{name: {int} for name in _INTEGERS},
    **{name: {float} for name in _FLOATS},
}
_LOGICAL = {
    "bool": "BOOL",
    "string": "BYTES",
    "halffloat": "FP16",
    "float": "FP32",
    "double": "FP64",
    "date32[day]": "BYTES",
    **{name.lower(): name for name in _INTEGERS},
}
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_NANOSECONDS = datetime(1677, 9, 22), datetime(2262, 4, 11)  # noqa: DTZ001  (UTC, as Arrow counts)
"""The days that 64 bits of nanoseconds hold."""
EXACT = 2**53
"""Up to here a double holds every whole number."""
_NO_NULL = "null, and the model was fitted without missing values here"


def datatype_of(logical: str) -> str:
    """The protocol's datatype of a logical type.

    Raises:
        Unsupported: it has none.

    >>> datatype_of("int64"), datatype_of("timestamp[us, tz=UTC]")
    ('INT64', 'BYTES')
    """
    if _TIMESTAMP.fullmatch(logical):
        return "BYTES"
    if logical not in _LOGICAL:
        raise Unsupported(f"the type {logical} has no datatype in the Open Inference Protocol")
    return _LOGICAL[logical]


class Column:
    """A named column of requests.

    Args:
        field: its name, logical type, and whether a null is taken.

    Raises:
        Unsupported: the protocol has no datatype for it.
    """

    def __init__(self, field: Field) -> None:
        self.name = field.name
        self.datatype = datatype_of(field.type)
        self.nullable = field.nullable
        self._logical = field.type
        self._parse = _text_parser(field.type)
        self.plain = _PLAIN.get(self.datatype) if self._parse is None else None
        self.range = RANGES.get(self.datatype)

    @cached_property
    def arrow(self) -> pa.DataType:
        """Its type in a table."""
        return _arrow_type(self._logical)

    def read(self, values: list[Any] | np.ndarray, datatype: str) -> Any:
        """Values that were sent, as a list that Arrow takes without loss, or as Arrow's own.

        Args:
            values: a flat list, or the array that bytes hold, sent as ``datatype``.
            datatype: one of `DATATYPES`.

        Raises:
            InvalidInput: a value does not fit; the message names the column and the row.
        """
        if isinstance(values, np.ndarray):
            return self._read_array(values, datatype)
        kinds = set(map(type, values))
        if kinds == self.plain and datatype == self.datatype:
            # The usual case, and nothing of what follows applies to it but the range.
            if self.range is None:
                return values
            low, high = self.range
            if low <= min(values) and max(values) <= high:
                return values
        numbers = datatype in RANGES
        if numbers != (self.range is not None) or not (numbers or datatype == self.datatype):
            raise InvalidInput(
                f"input {self.name!r}: datatype {datatype}, expected {self.datatype}"
            )
        present = values
        if NoneType in kinds:
            if not self.nullable:
                row = values.index(None)
                raise self._at(row, _NO_NULL)
            kinds.discard(NoneType)
            present = [value for value in values if value is not None]
        if not kinds <= _JSON[datatype]:
            row = next(
                row
                for row, value in enumerate(values)
                if value is not None and type(value) not in _JSON[datatype]
            )
            raise self._at(row, f"{_json_name(values[row])}, expected {datatype}")
        if datatype in RANGES and present:
            return self._numbers(values, present, kinds, datatype)
        return values if self._parse is None else self._texts(values)

    def _numbers(
        self, values: list[Any], present: list[Any], kinds: set[type], datatype: str
    ) -> list[Any]:
        lows, highs = zip(RANGES[datatype], RANGES[self.datatype], strict=True)
        low, high = max(lows), min(highs)
        if min(present) < low or max(present) > high:
            row = self._first(values, lambda value: not low <= value <= high)
            low, high = RANGES[datatype]
            narrow = self.datatype if low <= values[row] <= high else datatype
            raise self._at(row, f"a number out of the range of {narrow}")
        if self.datatype in _FLOATS:
            return values if int not in kinds else [_optional(float, value) for value in values]
        if float not in kinds:
            return values
        if not all(float(value).is_integer() and abs(value) <= EXACT for value in present):
            row = self._first(
                values, lambda value: not float(value).is_integer() or abs(value) > EXACT
            )
            raise self._at(row, f"a number that {self.datatype} does not hold exactly")
        return [_optional(int, value) for value in values]

    def _read_array(self, values: np.ndarray, datatype: str) -> Any:
        """Numbers or Booleans that came as bytes; NaN is a missing one."""
        if datatype == self.datatype:
            if values.dtype.kind != "f" or np.isfinite(values).all():
                return values
            if not np.isinf(values).any():
                if not self.nullable:
                    raise self._at(int(np.isnan(values).argmax()), _NO_NULL)
                import pyarrow as pa

                return pa.array(values.copy(), self.arrow, from_pandas=True)
        found = values.tolist()
        return self.read([None if one != one else one for one in found], datatype)  # noqa: PLR0124  (NaN is not itself)

    def _texts(self, values: list[Any]) -> list[Any]:
        parsed = []
        for row, value in enumerate(values):
            try:
                parsed.append(_optional(self._parse, value))
            except OverflowError as error:
                raise self._at(row, f"a time out of the range of {self.arrow}") from error
            except ValueError as error:
                raise self._at(row, f"a text that is no {self.arrow} in ISO 8601") from error
        return parsed

    def _first(self, values: list[Any], wrong: Callable[[Any], bool]) -> int:
        return next(row for row, value in enumerate(values) if value is not None and wrong(value))

    def _at(self, row: int, what: str) -> InvalidInput:
        return InvalidInput(f"input {self.name!r}, row {row}: {what}")


def _arrow_type(logical: str) -> pa.DataType:
    import pyarrow as pa

    timestamp = _TIMESTAMP.fullmatch(logical)
    if timestamp:
        return pa.timestamp(timestamp[1], tz=timestamp[2])
    return pa.type_for_alias(logical)


def _text_parser(logical: str) -> Callable[[str], Any] | None:
    if logical == "date32[day]":
        return date.fromisoformat
    timestamp = _TIMESTAMP.fullmatch(logical)
    if timestamp is None:
        return None

    def parse(text: str) -> datetime:
        value = datetime.fromisoformat(text)
        if (value.tzinfo is not None) != (timestamp[2] is not None):
            raise ValueError("a zone is missing, or one too many")
        if timestamp[2] is not None:
            # Who reads it later has it in UTC, or in the column's zone: it is a date in both.
            value = value.astimezone(_zone(timestamp[2])).astimezone(UTC)
        first, last = _NANOSECONDS
        if timestamp[1] == "ns" and not first <= value.replace(tzinfo=None) <= last:
            raise OverflowError
        return value

    return parse


@lru_cache(maxsize=32)
def _zone(name: str) -> tzinfo:
    from pyarrow.lib import string_to_tzinfo

    zone: tzinfo = string_to_tzinfo(name)
    return zone


def _optional(convert: Callable[[Any], Any] | None, value: Any) -> Any:
    return None if value is None or convert is None else convert(value)


def _json_name(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")
