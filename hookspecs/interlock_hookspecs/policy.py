"""The policy: the bounds on checks, and the switches, that a candidate is judged by."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs.models import ORIGINS
from interlock_hookspecs.values import all_of, as_tuple, count, finite, is_a, named, one_of, texts

if TYPE_CHECKING:
    from interlock_hookspecs.checks import Check

_BOUND = re.compile(r"\s*(>=|<=|>|<|==)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@attrs.frozen(kw_only=True)
class Bound:
    """A limit on a check.

    Attributes:
        key: the check, as maker's word and label: ``metrics.roc_auc``,
            ``fairness.selection_rate_ratio[SEX]``.
        op: ``>=``, ``<=``, ``>``, ``<`` or ``==``.
        limit: the number on its right, in the check's unit.
        severity: ``refuse``, or ``explain``: passes only with a person's reason on record.
        on: ``value``, or ``interval``: its worse end.
        included: whether a platform team's file says it; a project can only tighten that.

    >>> Bound(key="metrics.roc_auc", op=">=", limit=0.85).holds(0.9)
    True
    """

    key: str = attrs.field(validator=named)
    op: str = attrs.field(validator=one_of(">=", "<=", ">", "<", "=="))
    limit: float = attrs.field(validator=finite)
    severity: str = attrs.field(default="refuse", validator=one_of("refuse", "explain"))
    on: str = attrs.field(default="value", validator=one_of("value", "interval"))
    included: bool = attrs.field(default=False, validator=is_a(bool))

    @property
    def text(self) -> str:
        """The bound as a stack file writes it: ``>= 0.85``."""
        return f"{self.op} {self.limit:g}"

    def holds(self, value: float | None) -> bool:
        """Whether a value is inside. None, NaN and infinities never are."""
        if value is None or not math.isfinite(value):
            return False
        return {
            ">=": value >= self.limit,
            "<=": value <= self.limit,
            ">": value > self.limit,
            "<": value < self.limit,
            "==": value == self.limit,
        }[self.op]

    def compared(self, check: Check) -> float | None:
        """What of a check this bound looks at: its value, or the worse end of its interval.

        The worse end is the low one under ``>`` and ``>=``, the high one under ``<`` and ``<=``,
        and under ``==`` the end that is farther from the limit. None where there is none.
        """
        if self.on == "value":
            return check.value
        if check.low is None or check.high is None:
            return None
        if self.op in (">", ">="):
            return check.low
        if self.op in ("<", "<="):
            return check.high
        return max((check.low, check.high), key=lambda end: abs(end - self.limit))


def parse_bound(text: str) -> tuple[str, float]:
    """The operator and the limit of a bound as a stack file writes it.

    Raises:
        ValueError: it is not an operator and a finite number.

    >>> parse_bound(">= 0.85")
    ('>=', 0.85)
    >>> parse_bound("at least 0.85")
    Traceback (most recent call last):
    ValueError: 'at least 0.85' is no bound: write an operator and a number, for example ">= 0.85"
    """
    match = _BOUND.fullmatch(text)
    if match is None or not math.isfinite(float(match[2])):
        msg = f'{text!r} is no bound: write an operator and a number, for example ">= 0.85"'
        raise ValueError(msg)
    return match[1], float(match[2])


@attrs.frozen(kw_only=True)
class Policy:
    """By what a candidate is judged. Pinned in the ledger with every review.

    Attributes:
        approvals: how many different people must approve a dossier.
        self_approval: whether the person who started the run may be one of them.
        min_group: rows under which a group counts as unmeasured.
        approval_days: days after which an approval expires; None for never.
        release_days: days after which a release expires; None for never.
        offline_grace: seconds a server goes on with what it last verified when it cannot reach
            the ledger.
        external_aliases: what a review and a deployment do where somebody moved the champion
            alias in the registry by hand: ``refuse``, or ``report`` and go on.
        origins: the origins of a model that may be released.
        bounds: the limits on checks.
        validate, govern: words of plugins that an included policy requires.

    >>> Policy(approvals=1).self_approval
    False
    """

    approvals: int = attrs.field(default=0, validator=count)
    self_approval: bool = attrs.field(default=False, validator=is_a(bool))
    min_group: int = attrs.field(default=100, validator=count)
    approval_days: float | None = attrs.field(default=None, validator=finite)
    release_days: float | None = attrs.field(default=None, validator=finite)
    offline_grace: float = attrs.field(default=3600.0, validator=finite)
    external_aliases: str = attrs.field(default="refuse", validator=one_of("refuse", "report"))
    origins: tuple[str, ...] = attrs.field(default=ORIGINS, converter=texts)
    bounds: tuple[Bound, ...] = attrs.field(default=(), converter=as_tuple, validator=all_of(Bound))
    validate: tuple[str, ...] = attrs.field(default=(), converter=texts)
    govern: tuple[str, ...] = attrs.field(default=(), converter=texts)


@attrs.frozen(kw_only=True)
class ModelFacts:
    """What ``[model]`` says of a model: shown on its card, gateable.

    Attributes:
        owner: who answers for it.
        purpose: what it is for.
        tier: how much depends on it, in the organisation's own words.
        review_by: until when somebody looks at it again, as a date such as ``2027-01-31``.

    >>> ModelFacts(owner="labour-insights").tier
    ''
    """

    owner: str = attrs.field(default="", validator=is_a(str))
    purpose: str = attrs.field(default="", validator=is_a(str))
    tier: str = attrs.field(default="", validator=is_a(str))
    review_by: str = attrs.field(default="", validator=is_a(str))
