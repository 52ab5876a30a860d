"""Requests of the usual form, read at once.

What most clients send is plain: flat lists, of one JSON type each, in the datatype of the model.
That is checked here for all columns together, in a few calls that Python runs in C. Anything else
is left to the reader of single tensors, which also says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any

import attrs
import numpy as np

from interlock_serving.v2.column import Column
from interlock_serving.v2.matrix import Matrix, Values, as_array, as_floats, is_finite

_HEAD = itemgetter("name", "datatype")
_SHAPE = itemgetter("shape")
_DATA = itemgetter("data")
_FORMS = 32
"""How many forms of requests are remembered: clients decide about the order of columns."""


@attrs.frozen
class _Group:
    """Columns whose values are checked alike.

    Attributes:
        places: theirs, in the model's order.
        kinds: the types of values that none looks at twice.
        range: from and to, of numbers.
        floats: whether they are fractions, of which JSON writes some as whole numbers.
    """

    places: tuple[int, ...]
    kinds: tuple[set[type], ...]
    range: tuple[float, float] | None
    floats: bool

    def kinds_of(self, values: Sequence[Any]) -> set[type] | None:
        """The types of values; None where some are not usual, or not in range."""
        kinds = set(map(type, values))
        if kinds not in self.kinds:
            return None
        if self.range is not None:
            if NoneType in kinds:
                values = [value for value in values if value is not None]
            low, high = self.range
            if not (low <= min(values) and max(values) <= high):
                return None
        return kinds


@attrs.frozen
class Tensors:
    """A request of one tensor a column.

    Attributes:
        names: of the columns, in the model's order.
        order: the place of each in the request.
        groups: how they are checked.
        matrix: whether they are the features of a model of doubles.
    """

    names: tuple[str, ...]
    order: tuple[int, ...]
    groups: tuple[_Group, ...]
    matrix: bool

    def values(self, sent: Sequence[Any], rows: int) -> Values | None:
        """What is in the tensors; None where it is not usual.

        Args:
            sent: the data of each, in the order of the request.
            rows: how many each is to have.

        Raises:
            TypeError: some data has no length.
        """
        if set(map(type, sent)) != {list} or set(map(len, sent)) != {rows}:
            return None
        columns = [sent[place] for place in self.order]
        values: list[Any] = []
        if self.matrix or len(self.groups) == 1:
            values = [*chain.from_iterable(columns)]
        for group in self.groups:
            checked = values
            if len(self.groups) > 1:
                checked = [*chain.from_iterable([columns[place] for place in group.places])]
            kinds = group.kinds_of(checked)
            if kinds is None:
                return None
            if group.floats and int in kinds and not self.matrix:
                for place in group.places:
                    columns[place] = as_floats(columns[place])
        if not self.matrix:
            return dict(zip(self.names, columns, strict=True))
        if rows == 1:
            return Matrix(self.names, values)
        return Matrix(self.names, as_array(values).reshape(-1, rows).T)


class Usual:
    """What the usual requests for a model look like.

    Args:
        features: in the model's order.
        by_name: these, and the columns beside them.

    Attributes:
        names: of the features.
        doubles: whether all features are doubles.
    """

    def __init__(self, features: Sequence[Column], by_name: Mapping[str, Column]) -> None:
        self._by_name = by_name
        self.names = tuple(column.name for column in features)
        self._forms: dict[tuple[tuple[str, str], ...], Tensors] = {}
        groups = _groups(features)
        alike = len({column.datatype for column in features}) == 1 and len(groups) == 1
        self._matrix = (features[0].datatype, groups[0]) if alike else None
        self.doubles = {column.datatype for column in features} == {"FP64"}

    def read(self, inputs: list[Any], max_rows: int) -> tuple[int, Values] | None:
        """The number of rows, and the values of each column; None where it is not usual."""
        try:
            form = self.tensors_of(inputs)
            if form is not None:
                return _columns(inputs, form, max_rows)
            if len(inputs) == 1:
                return self._tensor(inputs[0], max_rows)
        except (KeyError, TypeError):  # something is no object, no list, or is missing
            pass
        return None

    def tensors_of(self, inputs: list[Any]) -> Tensors | None:
        """How a request of one tensor a column is read that was read well; None if not known."""
        return self._forms.get(tuple(map(_HEAD, inputs)))

    def is_matrix_of(self, datatype: str) -> bool:
        """Whether all features are numbers of one datatype, and it is this."""
        return self._matrix is not None and self._matrix[0] == datatype

    def learn(self, inputs: list[Any]) -> None:
        """Remember the form of a request that was read well, if it is usual."""
        head = tuple(map(_HEAD, inputs))
        sent = {name: place for place, (name, _) in enumerate(head)}
        columns = [column for name, column in self._by_name.items() if name in sent]
        if len(self._forms) >= _FORMS or len(columns) < len(head):
            return
        groups = _groups(columns)
        if groups and all(self._by_name[name].datatype == datatype for name, datatype in head):
            names = tuple(column.name for column in columns)
            matrix = self.doubles and names == self.names
            self._forms[head] = Tensors(names, tuple(sent[name] for name in names), groups, matrix)

    def _tensor(self, tensor: Mapping[str, Any], max_rows: int) -> tuple[int, Values] | None:
        """One tensor of all features, row by row."""
        if self._matrix is None:
            return None
        datatype, group = self._matrix
        (name, given), shape, data = _HEAD(tensor), _SHAPE(tensor), _DATA(tensor)
        width = len(self.names)
        if (
            given != datatype
            or type(name) is not str
            or name in self._by_name
            or type(shape) is not list
            or [*map(type, shape)] != [int, int]
            or shape[1] != width
            or not 0 < shape[0] <= max_rows
            or len(data) != shape[0] * width
        ):
            return None
        rows = shape[0]
        if self.doubles and type(data) is np.ndarray:
            return (rows, Matrix(self.names, data.reshape(shape))) if is_finite(data) else None
        kinds = group.kinds_of(data) if type(data) is list else None
        if kinds is None:
            return None
        if self.doubles:
            return rows, Matrix(self.names, data)
        if group.floats and int in kinds:
            data = as_floats(data)
        columns = [data[place::width] for place in range(width)]
        return rows, dict(zip(self.names, columns, strict=True))


def _groups(columns: Sequence[Column]) -> tuple[_Group, ...]:
    """Columns by how they are checked; none where one of them is not read as it comes."""
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, column in enumerate(columns):
        if column.plain is None:
            return ()
        # What JSON has for a double is never out of its range.
        limits = None if column.datatype == "FP64" else column.range
        key = (frozenset(column.plain), column.nullable, limits)
        places.setdefault(key, []).append(place)
    return tuple(
        _Group(tuple(at), _kinds(plain, nullable), limits, float in plain)
        for (plain, nullable, limits), at in places.items()
    )


def _kinds(plain: frozenset[type], nullable: bool) -> tuple[set[type], ...]:
    """The types that values of a column have, whether it is one of them or some together."""
    several: tuple[set[type], ...] = (set(plain),)
    if float in plain:
        several = ({float}, {int, float}, {int})
    return (*several, *(kinds | {NoneType} for kinds in several)) if nullable else several


def _columns(inputs: list[Any], form: Tensors, max_rows: int) -> tuple[int, Values] | None:
    shapes = [*map(_SHAPE, inputs)]
    first = shapes[0]
    if (
        set(map(type, shapes)) != {list}
        or shapes.count(first) < len(shapes)
        or set(map(type, chain.from_iterable(shapes))) != {int}
    ):
        return None
    rows = first[0]
    if first not in ([rows], [rows, 1]) or not 0 < rows <= max_rows:
        return None
    values = form.values([*map(_DATA, inputs)], rows)
    return None if values is None else (rows, values)
