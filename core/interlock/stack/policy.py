"""One policy out of several files: bounds add up, and a file only tightens what it includes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock.stack.fields import BOUND, POLICY, read_table
from interlock.stack.places import Cell, Place
from interlock.stack.problems import Problems, shown
from interlock_hookspecs import Bound, Policy, parse_bound

if TYPE_CHECKING:
    from interlock.stack.places import Source

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.\S.*")


def _joined(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*left, *right)))


def _common(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in left if word in right)


_STRICTER: Mapping[str, Callable[[Any, Any], Any]] = {
    "approvals": max,
    "self_approval": lambda left, right: left and right,
    "min_group": max,
    "approval_days": min,
    "release_days": min,
    "offline_grace": min,
    "external_aliases": lambda left, right: left if left == right else "refuse",
    "origins": _common,
    "validate": _joined,
    "govern": _joined,
}
_ADDING = ("validate", "govern")
"""Keys of which each file says more; none takes back what another said."""


@attrs.define
class _Layer:
    """What one file and its includes say."""

    values: dict[str, Cell] = attrs.field(factory=dict)
    bounds: list[tuple[Bound, Place]] = attrs.field(factory=list)


def read_policy(main: Source, problems: Problems) -> tuple[Policy, dict[str, Place]]:
    """The policy of a stack file with everything that it includes.

    Args:
        main: the project's `Source`.
        problems: told what is wrong, and what loosens an included policy.

    Returns:
        The policy, and the place that decided each of its keys (``approvals``,
        ``bounds.metrics.roc_auc``).
    """
    layer = _layer(main, problems, {})
    values = {name: cell.value for name, cell in layer.values.items()}
    places = {name: cell.place for name, cell in layer.values.items()}
    for bound, place in layer.bounds:
        places[f"bounds.{bound.key}"] = place
    return Policy(**values, bounds=tuple(bound for bound, _ in layer.bounds)), places


def _layer(source: Source, problems: Problems, done: dict[int, _Layer]) -> _Layer:
    if id(source) in done:
        return done[id(source)]
    included = _Layer()
    for other in source.includes:
        layer = _layer(other, problems, done)
        for name, cell in layer.values.items():
            included.values[name] = _strictest(name, included.values.get(name), cell)
        for bound, place in layer.bounds:
            _add_bound(included.bounds, bound, place)
    own = _own(source, problems)
    merged = _Layer(dict(included.values), list(included.bounds))
    for name, cell in own.values.items():
        above = included.values.get(name)
        merged.values[name] = _strictest(name, above, cell)
        if above is not None and name not in _ADDING and _loosens(name, cell.value, above.value):
            problems.add(cell.place, _loosening(_written(cell.value), above))
    for bound, place in own.bounds:
        weaker = _weakened(bound, included.bounds)
        if weaker is not None:
            problems.add(place, _loosening(_bound_text(bound), weaker))
        _add_bound(merged.bounds, bound, place)
    done[id(source)] = merged
    return merged


def _strictest(name: str, left: Cell | None, right: Cell) -> Cell:
    if left is None:
        return right
    value = _STRICTER[name](left.value, right.value)
    return Cell(value, right.place if value == right.value else left.place)


def _loosens(name: str, own: Any, above: Any) -> bool:
    strictest = _STRICTER[name](above, own)
    return set(strictest) != set(own) if isinstance(own, tuple) else bool(strictest != own)


def _loosening(found: str, above: Cell) -> str:
    return (
        f"{found} loosens {above.place.file_and_line}, which says {_written(above.value)}: "
        "an included policy can be tightened only"
    )


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _own(source: Source, problems: Problems) -> _Layer:
    table = source.data.get("policy")
    place = source.place("policy")
    if not isinstance(table, dict):
        return _Layer()
    cells = {key: Cell(value, place.child(key)) for key, value in table.items() if key != "bounds"}
    values = read_table(cells, POLICY, place, problems)
    layer = _Layer({name: Cell(value, cells[name].place) for name, value in values.items()})
    if source.included and "self_approval" not in cells:
        # A platform's policy that is silent has not said yes.
        layer.values["self_approval"] = Cell(False, place)  # noqa: FBT003  (a value, no flag)
    bounds = table.get("bounds", {})
    if not isinstance(bounds, dict):
        problems.add(
            place.child("bounds"), f"expected a table [policy.bounds], found {shown(bounds)}"
        )
        return layer
    for key, said in bounds.items():
        layer.bounds += _bounds(key, said, place.child("bounds").child(key), source, problems)
    return layer


def _bounds(
    key: str, said: Any, place: Place, source: Source, problems: Problems
) -> list[tuple[Bound, Place]]:
    if not _KEY.fullmatch(key):
        problems.add(
            place, 'a bound names a plugin\'s word and its check, for example "metrics.roc_auc"'
        )
        return []
    found = []
    for entry in said if isinstance(said, list) else [said]:
        table = entry if isinstance(entry, dict) else {"bound": entry}
        cells = {name: Cell(value, place.child(name)) for name, value in table.items()}
        if entry is not table:
            cells["bound"] = Cell(entry, place)
        values = read_table(cells, BOUND, place, problems)
        if len(values) < len(cells) or "bound" not in values:
            continue
        try:
            operator, limit = parse_bound(values.pop("bound"))
        except ValueError as error:
            problems.add(place, str(error))
            continue
        bound = Bound(key=key, op=operator, limit=limit, included=source.included, **values)
        found.append((bound, place))
    if said == []:
        problems.add(place, "an empty list bounds nothing: leave the key out")
    return found


def _add_bound(bounds: list[tuple[Bound, Place]], bound: Bound, place: Place) -> None:
    """Add a bound, unless it says again what is there."""
    if all(_said(other) != _said(bound) for other, _ in bounds):
        bounds.append((bound, place))


def _said(bound: Bound) -> tuple[object, ...]:
    """A bound as a file says it, whichever file."""
    return (bound.key, bound.op, bound.limit, bound.severity, bound.on)


def _weakened(bound: Bound, included: list[tuple[Bound, Place]]) -> Cell | None:
    """The included bound that makes this one pointless, it being weaker in every way."""
    if any(_said(other) == _said(bound) for other, _ in included):
        return None
    for other, place in included:
        if (
            other.key == bound.key
            and other.op[0] == bound.op[0]
            and (bound.limit == other.limit or _tightness(bound) < _tightness(other))
            and not (bound.limit == other.limit and len(bound.op) < len(other.op))
            and (bound.severity, other.severity) != ("refuse", "explain")
            and (bound.on, other.on) != ("interval", "value")
        ):
            return Cell(_bound_text(other), place)
    return None


def _tightness(bound: Bound) -> float:
    """How tight a limit is among those of one direction; two that say ``==`` are never compared."""
    if bound.op == "==":
        return math.nan
    return -bound.limit if bound.op[0] == "<" else bound.limit


def _bound_text(bound: Bound) -> str:
    extra = f" on {bound.on}" if bound.on == "interval" else ""
    return f'"{bound.text}" ({bound.severity}{extra})'
