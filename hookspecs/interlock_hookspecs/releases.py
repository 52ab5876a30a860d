"""The release: what core makes of verdicts, and a server needs."""

from __future__ import annotations

from datetime import datetime

import attrs

from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.values import finite, is_a, named, optional_utc, utc


@attrs.frozen(kw_only=True)
class Release:
    """The permission to serve a model. Core makes it, and the ledger's copy is the one that counts.

    Attributes:
        id: which release.
        run: the run that it came from.
        project, stack, endpoint: where it may be served.
        model: the digest of the model.
        dossier: the digest of what was approved.
        threshold: the decision threshold.
        number: what the registry called the version then; for people only.
        at, expires: from when and until when it holds.

    >>> from datetime import UTC, datetime
    >>> zero = "sha256:" + "0" * 64
    >>> Release(id="release-1", run="run-1", project="employment", stack="dev", dossier=zero,
    ...         endpoint="employment", model=zero, threshold=0.5, number="1",
    ...         at=datetime(2026, 1, 1, tzinfo=UTC)).expires
    """

    id: str = attrs.field(validator=named)
    run: str = attrs.field(validator=named)
    project: str = attrs.field(validator=named)
    stack: str = attrs.field(validator=named)
    endpoint: str = attrs.field(validator=named)
    model: str = attrs.field(validator=[named, digest_field])
    dossier: str = attrs.field(validator=[named, digest_field])
    threshold: float = attrs.field(validator=finite)
    number: str = attrs.field(validator=is_a(str))
    at: datetime = attrs.field(converter=utc)
    expires: datetime | None = attrs.field(default=None, converter=optional_utc)
