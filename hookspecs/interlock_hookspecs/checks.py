"""Checks: what was measured, with how sure we are of it."""

from __future__ import annotations

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.values import Facts, as_facts, count, finite, is_a, named, texts


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was measured, with how sure we are of it.

    Attributes:
        name: what, for example ``roc_auc``.
        subject: of which column, class or group: ``SEX``, ``SEX=2``; empty for the whole.
        value: the measurement; None where it could not be measured, then ``reason`` says why.
        n: the number of rows (or groups' rows) it rests on.
        low, high: the ends of its interval at ``level``, where one is known.
        level: the interval's coverage.
        method: how value and interval were computed, for example ``wilson``.
        version: of the definition; another version is another measurement.
        undersized: groups left out of the value because they have too few rows.
        concern: one sentence where the maker sees something a person should look at. It gates
            nothing; a bound does.
        reason: why there is no value.
        facts: the numbers behind the value.

    >>> check = Check(name="roc_auc", value=0.905, n=17196, low=0.900, high=0.910)
    >>> check.label
    'roc_auc'
    >>> Check(name="selection_rate", subject="SEX=1", value=0.5).label
    'selection_rate[SEX=1]'
    """

    name: str = attrs.field(validator=named)
    subject: str = attrs.field(default="", validator=is_a(str))
    value: float | None = attrs.field(default=None, validator=finite)
    n: int | None = attrs.field(default=None, validator=count)
    low: float | None = attrs.field(default=None, validator=finite)
    high: float | None = attrs.field(default=None, validator=finite)
    level: float = attrs.field(default=0.95, validator=finite)
    method: str = attrs.field(default="", validator=is_a(str))
    version: int = attrs.field(default=1, validator=count)
    undersized: tuple[str, ...] = attrs.field(default=(), converter=texts)
    concern: str = attrs.field(default="", validator=is_a(str))
    reason: str = attrs.field(default="", validator=is_a(str))
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))

    def __attrs_post_init__(self) -> None:
        if self.value is None and not self.reason:
            msg = f"check {self.label} has no value and gives no reason for it"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        """The name with its subject, as a bound writes it after the maker's word."""
        return f"{self.name}[{self.subject}]" if self.subject else self.name

    @property
    def key(self) -> str:
        """The maker's word and the label: what a bound of the policy names."""
        return f"{self.maker.word}.{self.label}" if self.maker else self.label
