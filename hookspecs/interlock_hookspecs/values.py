"""The small values every record is made of: frozen maps, secrets, UTC times, checked fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")

Scalar = str | int | float | bool | None
"""What an open map may hold: plain Python scalars, floats finite."""


class Facts(Mapping[str, Scalar]):
    """An immutable map of names to plain finite scalars, kept in the order of its names.

    A numpy scalar, a NaN, an infinity or a nested container is refused: such values do not
    survive a round trip through JSON unchanged.

    Raises:
        TypeError: a key is no string, or a value is no plain scalar.
        ValueError: a float is NaN or infinite.

    >>> facts = Facts({"rows": 3, "library": "sklearn"})
    >>> facts["rows"], list(facts)
    (3, ['library', 'rows'])
    >>> Facts({"auc": float("nan")})
    Traceback (most recent call last):
    ValueError: 'auc' is nan: a fact is a finite number
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Scalar] | None = None) -> None:
        checked = {}
        for key, value in sorted((items or {}).items()):
            checked[_fact_name(key)] = _fact_value(key, value)
        self._items = checked

    def __getitem__(self, key: str) -> Scalar:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return f"Facts({self._items!r})"


def _fact_name(key: object) -> str:
    if not isinstance(key, str):
        msg = f"{key!r} is {type(key).__name__}: a fact is named by a string"
        raise TypeError(msg)
    return key


def _fact_value(key: str, value: Scalar) -> Scalar:
    # Exact types on purpose: np.float64 is a float by inheritance and numpy's by behaviour.
    if type(value) not in (str, int, float, bool, type(None)):
        msg = f"{key!r} is {type(value).__name__}: a fact is a str, int, float, bool or None"
        raise TypeError(msg)
    if type(value) is float and not math.isfinite(value):
        msg = f"{key!r} is {value}: a fact is a finite number"
        raise ValueError(msg)
    return value


class Secret(Generic[T]):
    """A value that came from the environment: usable through `reveal`, never printed.

    >>> password = Secret("hunter2")
    >>> print(password), repr(password), f"{password}"
    ***
    (None, '***', '***')
    >>> reveal(password)
    'hunter2'
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself. Keep it inside the hook that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> Any:  # pickle's own signature
        msg = "a Secret is not pickled: pickle files and pipes outlive the process"
        raise TypeError(msg)


@overload
def reveal(value: Secret[T]) -> T: ...
@overload
def reveal(value: T | Secret[T]) -> T: ...
def reveal(value: Any) -> Any:
    """The value behind a `Secret`, or the value itself where it is none.

    >>> reveal("plain"), reveal(Secret(5432))
    ('plain', 5432)
    """
    return value.reveal() if isinstance(value, Secret) else value


def utc(value: datetime) -> datetime:
    """The same instant in UTC, to the microsecond.

    Raises:
        ValueError: the time is naive. There is no right guess for the missing zone.

    >>> from datetime import timedelta, timezone
    >>> utc(datetime(2018, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))).isoformat()
    '2018-01-01T00:00:00+00:00'
    """
    if not isinstance(value, datetime):
        msg = f"{value!r} is {type(value).__name__}: expected a datetime"
        raise TypeError(msg)
    if value.tzinfo is None:
        msg = f"{value.isoformat()} is naive: give it a time zone, for example +00:00"
        raise ValueError(msg)
    return value.astimezone(UTC)


def optional_utc(value: datetime | None) -> datetime | None:
    """As `utc`, letting None pass."""
    return None if value is None else utc(value)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A list, or any other iterable, as a tuple."""
    return tuple(value)


def as_facts(value: Mapping[str, Scalar]) -> Facts:
    """Any mapping as `Facts`; a `Facts` as it is."""
    return value if isinstance(value, Facts) else Facts(value)


def texts(value: Any) -> tuple[str, ...]:
    """A list or tuple of strings as a tuple; a bare string is refused, being a list of letters."""
    if isinstance(value, str) or not all(isinstance(item, str) for item in value):
        msg = f"{value!r}: expected a list of strings"
        raise TypeError(msg)
    return tuple(value)


def named(instance: object, attribute: Any, value: Any) -> None:
    """Validator: a string that is not empty."""
    if not isinstance(value, str) or not value:
        msg = f"{type(instance).__name__}.{attribute.name} is {value!r}: expected a non-empty text"
        raise ValueError(msg)


def one_of(*words: str) -> Callable[[object, Any, Any], None]:
    """Validator: one of a closed set of words, which the error lists."""

    def check(instance: object, attribute: Any, value: Any) -> None:
        if value not in words:
            msg = (
                f"{type(instance).__name__}.{attribute.name} is {value!r}: "
                f"expected {', '.join(words)}"
            )
            raise ValueError(msg)

    return check


def finite(instance: object, attribute: Any, value: Any) -> None:
    """Validator: a plain finite float or int (not bool, not numpy's), or None."""
    if value is None:
        return
    if type(value) not in (int, float) or not math.isfinite(value):
        msg = (
            f"{type(instance).__name__}.{attribute.name} is {value!r} ({type(value).__name__}): "
            "expected a plain finite number"
        )
        raise ValueError(msg)


def count(instance: object, attribute: Any, value: Any) -> None:
    """Validator: a plain int of at least 0, or None."""
    if value is None:
        return
    if type(value) is not int or value < 0:
        msg = (
            f"{type(instance).__name__}.{attribute.name} is {value!r}: expected a count, 0 or more"
        )
        raise ValueError(msg)


def all_of(kind: type[Any]) -> Callable[[object, Any, Any], None]:
    """Validator: a tuple whose members are all of one type."""

    def check(instance: object, attribute: Any, value: Any) -> None:
        if not isinstance(value, tuple) or not all(isinstance(item, kind) for item in value):
            msg = (
                f"{type(instance).__name__}.{attribute.name}: "
                f"expected a tuple of {kind.__name__}, found {value!r}"
            )
            raise TypeError(msg)

    return check


def is_a(kind: type[Any] | tuple[type[Any], ...]) -> Callable[[object, Any, Any], None]:
    """Validator: a value of a type, or of one of several; the error does not repeat the value."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    expected = " or ".join(one.__name__.replace("NoneType", "None") for one in kinds)

    def check(instance: object, attribute: Any, value: Any) -> None:
        if not isinstance(value, kinds):
            found = type(value).__name__.replace("NoneType", "None")
            msg = f"{type(instance).__name__}.{attribute.name} is {found}: expected {expected}"
            raise TypeError(msg)

    return check
