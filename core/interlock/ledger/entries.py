"""What the ledger is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Entry:
    """Something that happened, on its way into the ledger.

    Attributes:
        kind: what happened, for example ``release.made``.
        subject: the id of what it happened to.
        payload: the particulars as JSON values, floats finite. No value of a data row.
        run: the run it belongs to; where it is not said, what the payload says under ``run``.

    >>> Entry("run.finished", "run-1", {"status": "done"}).run
    """

    kind: str
    subject: str
    payload: Mapping[str, Any] = attrs.field(factory=dict)
    run: str | None = None
