"""The dossier that a review looks at, and what is said of it: approvals, verdicts, a card."""

from __future__ import annotations

from datetime import datetime

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.candidates import Score
from interlock_hookspecs.checks import Check
from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.models import ORIGINS, Model
from interlock_hookspecs.policy import ModelFacts, Policy
from interlock_hookspecs.values import (
    Facts,
    all_of,
    as_facts,
    as_tuple,
    count,
    finite,
    is_a,
    named,
    one_of,
    optional_utc,
    texts,
    utc,
)


@attrs.frozen(kw_only=True)
class Approval:
    """A person's yes or no to one dossier, with the reason.

    Attributes:
        id: which approval.
        dossier: the digest of what was approved. It is void for any other.
        decision: ``approve`` or ``reject``.
        reason: in the person's words.
        actor: who.
        verified: how we know; ``unverified`` for an account's own word.
        self_approved: whether the person also started the run.
        at, expires: from when and until when it holds.

    >>> from datetime import UTC, datetime
    >>> Approval(id="approval-1", dossier="sha256:" + "0" * 64, decision="approve",
    ...          reason="small group, reviewed", actor="ana",
    ...          at=datetime(2026, 1, 1, tzinfo=UTC)).verified
    'unverified'
    """

    id: str = attrs.field(validator=named)
    dossier: str = attrs.field(validator=[named, digest_field])
    decision: str = attrs.field(validator=one_of("approve", "reject"))
    reason: str = attrs.field(validator=named)
    actor: str = attrs.field(validator=named)
    at: datetime = attrs.field(converter=utc)
    verified: str = attrs.field(default="unverified", validator=named)
    self_approved: bool = attrs.field(default=False, validator=is_a(bool))
    expires: datetime | None = attrs.field(default=None, converter=optional_utc)


@attrs.frozen(kw_only=True)
class Dossier:
    """Everything a review looks at, under one digest.

    Attributes:
        digest: over model, data, checks, policy, code and threshold. Core computes it.
        run: the run that it is of.
        project: the project's name.
        stack: the stack's name.
        model: the file and its signature.
        data: the digest of the rows.
        code: the digest of the project's files.
        threshold: the decision threshold that the release will carry.
        checks: all that was measured, with makers.
        policy: by what it is judged.
        facts: owner, purpose, tier, review-by date.
        origin: where the model comes from.
        estimator, parameters, scores, training_rows: of the candidate.
        source: where the rows came from, in the stack file's words.
        lineage: versions, seeds, threads, git commit and host of the run.
        approvals: given to this digest so far. They are not part of it.
        champion: the model digest of the version in use that the candidate was measured beside, or
            None.
        packaged: the model in the format that it is served in, which the digest covers; None
            where it is served as it is.

    >>> "digest" in [field.name for field in attrs.fields(Dossier)]
    True
    """

    digest: str = attrs.field(validator=[named, digest_field])
    run: str = attrs.field(validator=named)
    project: str = attrs.field(validator=named)
    stack: str = attrs.field(validator=named)
    model: Model = attrs.field(validator=is_a(Model))
    data: str = attrs.field(validator=[named, digest_field])
    code: str = attrs.field(validator=[named, digest_field])
    threshold: float = attrs.field(validator=finite)
    checks: tuple[Check, ...] = attrs.field(converter=as_tuple, validator=all_of(Check))
    policy: Policy = attrs.field(validator=is_a(Policy))
    facts: ModelFacts = attrs.field(factory=ModelFacts, validator=is_a(ModelFacts))
    origin: str = attrs.field(default="trained", validator=one_of(*ORIGINS))
    estimator: str = attrs.field(default="", validator=is_a(str))
    parameters: Facts = attrs.field(factory=Facts, converter=as_facts)
    scores: tuple[Score, ...] = attrs.field(default=(), converter=as_tuple, validator=all_of(Score))
    training_rows: int | None = attrs.field(default=None, validator=count)
    source: str = attrs.field(default="", validator=is_a(str))
    lineage: Facts = attrs.field(factory=Facts, converter=as_facts)
    approvals: tuple[Approval, ...] = attrs.field(
        default=(), converter=as_tuple, validator=all_of(Approval)
    )
    champion: str | None = attrs.field(default=None, validator=digest_field)
    packaged: Model | None = attrs.field(default=None, validator=is_a((Model, type(None))))


@attrs.frozen(kw_only=True)
class Verdict:
    """One judgement of a dossier.

    Attributes:
        decision: ``approve``, ``refuse``, or ``explain``: it passes only with a person's
            reason on record.
        subject: what was judged: the key of a bound, or a word of the plugin's own.
        reason: one sentence with the numbers.
        check: the key of the check it rests on, where it rests on one.
        change: what would change it.

    >>> Verdict(decision="refuse", subject="metrics.overfit_gap", reason="0.19 is over 0.05").check
    ''
    """

    decision: str = attrs.field(validator=one_of("approve", "refuse", "explain"))
    subject: str = attrs.field(validator=named)
    reason: str = attrs.field(validator=named)
    check: str = attrs.field(default="", validator=is_a(str))
    change: str = attrs.field(default="", validator=is_a(str))
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))


@attrs.frozen(kw_only=True)
class CardSection:
    """A part of a model card.

    Attributes:
        title: its heading.
        body: Markdown.
        order: where it stands; smaller comes first.
        figures: inline SVG documents, self-contained.

    >>> CardSection(title="Intended use", body="Programme planning.").order
    50
    """

    title: str = attrs.field(validator=named)
    body: str = attrs.field(validator=is_a(str))
    order: int = attrs.field(default=50, validator=count)
    figures: tuple[str, ...] = attrs.field(default=(), converter=texts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))
