"""``[stack.NAME.rollout]``: how a new release takes over the endpoint, and by what it is judged."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from interlock.stack.fields import COUNT, DURATION, TEXT, Key, Keys, Kind, choice, read_table
from interlock.stack.places import Cell, Place, inherited
from interlock.stack.problems import Problems, nearest, shown
from interlock_hookspecs import Bound, parse_bound

STRATEGIES = ("all-at-once", "blue-green", "canary", "shadow", "champion-challenger")
WATCHED = ("canary", "shadow")
"""Strategies that are nothing without bounds: what they send the new release is to be judged."""

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "error_rate": "requests that fitted and got no answer, as a share of all",
        "refusal_rate": "requests that did not fit the new release, as a share of all",
        "latency_p50": "seconds within which half of the answers came",
        "latency_p95": "seconds within which 95 % of the answers came",
        "latency_p99": "seconds within which 99 % of the answers came",
        "agreement": "rows on which both releases decide the same, as a share",
        "difference": "mean distance of an output from the champion's on the same rows",
        "score_psi": "population stability index of an output against the champion's",
    }
)
"""What core measures itself, for bounds as ``rollout.error_rate``."""

_OWN = "rollout"
SUBJECTS = ("difference", "score_psi")
"""Measures of one output each, as ``rollout.score_psi[score]``."""


def _steps(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    if not all(type(share) in (int, float) and 0 < share < 1 for share in value):
        return None
    steps = tuple(float(share) for share in value)
    return steps if all(a < b for a, b in itertools.pairwise(steps)) else None


STEPS = Kind(
    "a list of growing shares between 0 and 1, as [0.05, 0.25, 0.5]",
    _steps,
    {
        "type": "array",
        "items": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "minItems": 1,
    },
)
ROLLOUT: Keys = MappingProxyType(
    {
        "strategy": Key(choice(*STRATEGIES), "how a new release takes over", required=True),
        "steps": Key(STEPS, "the new release's share of the requests, step by step"),
        "window": Key(DURATION, "how long each step is watched, at the least; 10 minutes"),
        "min_requests": Key(COUNT, "requests that the new release must have had in a step; 100"),
        "patience": Key(DURATION, "how long a step waits for what is missing; then it holds; 1d"),
        "finish": Key(
            choice("promote", "hold"),
            "whether the last step promotes by itself, or holds for a person",
        ),
    }
)
ROLLOUT_BOUND: Keys = MappingProxyType(
    {
        "bound": Key(TEXT, 'an operator and a number: "<= 0.01"', required=True),
        "breach": Key(choice("rollback", "hold"), "what a breach leads to; rollback by default"),
        "missing": Key(
            choice("wait", "pass"), "what a step does without this evidence; wait by default"
        ),
    }
)


@attrs.define
class RolloutTable:
    """One ``[stack.NAME.rollout]``, out of every file that says something of it.

    Attributes:
        keys: what it says.
        bounds: what its table of bounds says.
        place: where it is said last; None where nothing is said.
    """

    keys: dict[str, Cell] = attrs.field(factory=dict)
    bounds: dict[str, Cell] = attrs.field(factory=dict)
    place: Place | None = None

    def read(self, table: Mapping[str, Any], place: Place, problems: Problems) -> None:
        """Take over what a file says, key by key and bound by bound."""
        self.place = place
        for name, value in table.items():
            here = place.child(name)
            if name != "bounds":
                self.keys[name] = Cell(value, here)
            elif isinstance(value, dict):
                self.bounds |= {key: Cell(bound, here.child(key)) for key, bound in value.items()}
            else:
                wrong = f"expected a table [{'.'.join(here.path)}], found {shown(value)}"
                problems.add(here, wrong)

    def over(self, base: RolloutTable) -> RolloutTable:
        """This table laid over that of the stack which is extended."""
        return RolloutTable(
            inherited(base.keys) | self.keys,
            inherited(base.bounds) | self.bounds,
            self.place or base.place,
        )


@attrs.frozen(kw_only=True)
class RolloutBound:
    """A limit on what is seen of the new release in a step.

    Attributes:
        key: ``rollout.error_rate``, or a finding of a monitor plugin, ``performance.f1``.
        op, limit: as in a bound of the policy.
        breach: ``rollback``, or ``hold`` for a person.
        missing: ``wait`` where there is no value yet, or ``pass``: judged when it comes.
    """

    key: str
    op: str
    limit: float
    breach: str = "rollback"
    missing: str = "wait"

    @property
    def text(self) -> str:
        """The bound as a stack file writes it."""
        return f"{self.op} {self.limit:g}"

    def holds(self, value: float | None) -> bool:
        """Whether a value is inside."""
        return Bound(key=self.key, op=self.op, limit=self.limit).holds(value)


@attrs.frozen(kw_only=True)
class RolloutPlan:
    """How a release is rolled out; pinned in the ledger when that begins.

    Attributes:
        strategy: one of `STRATEGIES`.
        steps: shares of the new release, growing; the end is not said.
        window: seconds.
        min_requests: of the new release, in each step.
        patience: seconds after which a step that cannot be judged holds.
        finish: ``promote`` or ``hold``.
        bounds: by what each step is judged.
    """

    strategy: str = "all-at-once"
    steps: tuple[float, ...] = ()
    window: float = 600.0
    min_requests: int = 100
    patience: float = 86_400.0
    finish: str = "promote"
    bounds: tuple[RolloutBound, ...] = ()


def read_rollout(
    table: RolloutTable, roles: Mapping[str, Sequence[str]], problems: Problems
) -> RolloutPlan:
    """The rollout of a stack, all at once where nothing is said."""
    if table.place is None:
        return RolloutPlan()
    before = len(problems)
    values = read_table(table.keys, ROLLOUT, table.place, problems)
    bounds = [
        _bound(key, cell, roles.get("monitor", ()), problems) for key, cell in table.bounds.items()
    ]
    if len(problems) > before:
        return RolloutPlan()
    strategy = values["strategy"]
    _check_strategy(strategy, values, table, problems)
    if strategy == "champion-challenger":
        values = {"steps": (0.5,), "finish": "hold", **values}
    return RolloutPlan(**values, bounds=tuple(filter(None, bounds)))


def _check_strategy(
    strategy: str, values: Mapping[str, Any], table: RolloutTable, problems: Problems
) -> None:
    place = table.keys["strategy"].place
    if strategy == "canary" and "steps" not in values:
        problems.add(place, '"canary" needs steps: add steps = [0.05, 0.25, 0.5]')
    if "steps" in values and strategy not in ("canary", "champion-challenger"):
        problems.add(
            table.keys["steps"].place, f'"{strategy}" has no steps of its own: leave the key out'
        )
    if strategy in WATCHED and not table.bounds:
        bounds = ".".join((*place.path[:-1], "bounds"))
        problems.add(
            place,
            f'"{strategy}" needs bounds to judge by: add a table [{bounds}] with '
            '"rollout.error_rate" = "<= 0.01"',
        )
    if strategy == "all-at-once" and (len(values) > 1 or table.bounds):
        problems.add(place, '"all-at-once" watches nothing: leave the other keys out')
    window, patience = values.get("window", 600.0), values.get("patience", 86_400.0)
    if patience < window:
        problems.add(place, f"patience ({patience:g} s) is shorter than window ({window:g} s)")


def _bound(
    key: str, cell: Cell, monitors: Sequence[str], problems: Problems
) -> RolloutBound | None:
    said = cell.value if isinstance(cell.value, dict) else {"bound": cell.value}
    cells = {name: Cell(value, cell.place.child(name)) for name, value in said.items()}
    if said is not cell.value:
        cells["bound"] = Cell(cell.value, cell.place)
    wrong = _wrong_key(key, monitors)
    if wrong:
        problems.add(cell.place, wrong)
    values = read_table(cells, ROLLOUT_BOUND, cell.place, problems)
    if wrong or len(values) < len(cells) or "bound" not in values:
        return None
    try:
        operator, limit = parse_bound(values.pop("bound"))
    except ValueError as error:
        problems.add(cell.place, str(error))
        return None
    return RolloutBound(key=key, op=operator, limit=limit, **values)


def _wrong_key(key: str, monitors: Sequence[str]) -> str:
    """Why a bound's key names nothing that a rollout can see; empty where it does."""
    word, dot, label = key.partition(".")
    if not dot or not label:
        return 'a bound names what is measured, for example "rollout.error_rate"'
    if word != _OWN:
        if word in monitors:
            return ""
        known = (_OWN, *monitors)
        return f"{word!r} is no monitor plugin of this stack{_or(word, known)}"
    name, bracket, _ = label.partition("[")
    if name not in MEASURES:
        return f"a rollout measures no {name!r}{_or(name, tuple(MEASURES))}"
    if name in SUBJECTS and not (bracket and label.endswith("]")):
        return f'{name} is of one output: write "{key}[score]"'
    if name not in SUBJECTS and bracket:
        return f'{name} is of the whole: write "{_OWN}.{name}"'
    return ""


def _or(name: str, known: Sequence[str]) -> str:
    return nearest(name, known) or f"; known: {', '.join(known)}"
