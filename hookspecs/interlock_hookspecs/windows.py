"""Windows of traffic, the profiles that they are compared with, and what was found in them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs.artifacts import Artifact, Maker
from interlock_hookspecs.values import Facts, as_facts, count, finite, is_a, named, one_of, utc

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.models import Signature


Instant = int | datetime
"""A point of a window: an ordered period (an integer, such as a year) or an aware timestamp."""


def _instant(value: Any) -> Instant:
    return value if type(value) is int else utc(value)


@attrs.frozen(kw_only=True)
class Profile:
    """What the reference rows looked like, small enough to keep for ever.

    Attributes:
        name: which kind of profile, one plugin may make several.
        artifact: the profile itself, in a form its maker reads.
        rows: how many rows it was made from.

    >>> blob = Artifact(digest="sha256:" + "0" * 64, size=9, name="profile.json")
    >>> Profile(name="marginals", artifact=blob, rows=17196).rows
    17196
    """

    name: str = attrs.field(validator=named)
    artifact: Artifact = attrs.field(validator=is_a(Artifact))
    rows: int = attrs.field(validator=count)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))


@attrs.frozen(kw_only=True, eq=False)
class Window:
    """Served rows between two points of time, with their answers and what labels there are.

    Attributes:
        rows: n rows: features, id and time where clients sent them, the outputs,
            ``prediction``, and the target where labels came, null where not.
        start, end: half-open: start is inside, end is not.
        as_of: what counts as now: the clock for timestamps, the latest period seen otherwise.
        release: the id of the release that answered.
        signature: of the model that answered.
        labelled: how many of the rows have a label.

    >>> import pyarrow as pa
    >>> from interlock_hookspecs import Signature
    >>> Window(rows=pa.table({"x": [1]}), start=2016, end=2017, as_of=2018, release="release-1",
    ...        signature=Signature(kind="binary", inputs=(), outputs=())).labelled
    0
    """

    rows: pa.Table
    start: Instant = attrs.field(converter=_instant)
    end: Instant = attrs.field(converter=_instant)
    as_of: Instant = attrs.field(converter=_instant)
    release: str
    signature: Signature
    labelled: int = 0


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that monitoring measured in a window.

    Attributes:
        name: the statistic, for example ``psi`` or ``f1``.
        subject: the column, class or output; empty for the whole.
        status: ``ok``; ``alert``: past the threshold; ``immature``: labels are still to come;
            ``unmeasured``: too few rows, then ``reason`` says so.
        value: the effect size or the metric.
        threshold: what it was compared with, with ``op`` saying which side alerts.
        op: ``>`` where large values alert, ``<`` where small ones do.
        n: the rows (or labelled rows) it rests on.
        served: the rows that were served in the window.
        low, high: its interval, where one is known.
        start, end: the window.
        reason: one sentence for a person.
        facts: the numbers behind the value.

    >>> Finding(name="psi", subject="AGEP", status="alert", value=7.6, threshold=0.1, op=">",
    ...         n=1000, served=1000, start=2018, end=2019).label
    'psi[AGEP]'
    """

    name: str = attrs.field(validator=named)
    subject: str = attrs.field(default="", validator=is_a(str))
    status: str = attrs.field(validator=one_of("ok", "alert", "immature", "unmeasured"))
    value: float | None = attrs.field(default=None, validator=finite)
    threshold: float | None = attrs.field(default=None, validator=finite)
    op: str = attrs.field(default=">", validator=one_of(">", "<"))
    n: int = attrs.field(validator=count)
    served: int = attrs.field(validator=count)
    low: float | None = attrs.field(default=None, validator=finite)
    high: float | None = attrs.field(default=None, validator=finite)
    start: Instant = attrs.field(converter=_instant)
    end: Instant = attrs.field(converter=_instant)
    reason: str = attrs.field(default="", validator=is_a(str))
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))

    @property
    def label(self) -> str:
        """The name with its subject."""
        return f"{self.name}[{self.subject}]" if self.subject else self.name


def window_text(start: Instant, end: Instant) -> str:
    """A window as a person writes it.

    >>> from datetime import UTC, datetime
    >>> window_text(2016, 2018)
    '2016 to before 2018'
    >>> window_text(datetime(2018, 1, 1, tzinfo=UTC), datetime(2018, 2, 1, tzinfo=UTC))
    '2018-01-01T00:00:00+00:00 to before 2018-02-01T00:00:00+00:00'
    """
    first, last = (
        value.isoformat() if isinstance(value, datetime) else str(value) for value in (start, end)
    )
    return f"{first} to before {last}"
