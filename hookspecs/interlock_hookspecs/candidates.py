"""Candidates: what training makes, and its scores."""

from __future__ import annotations

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.models import ORIGINS, Model
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
)


def _folds(value: object) -> tuple[float, ...]:
    return tuple(value)  # type: ignore[arg-type]  # an iterable, else tuple() says so


@attrs.frozen(kw_only=True)
class Score:
    """A cross-validation score on the training rows.

    Attributes:
        name: the metric, for example ``roc_auc``.
        folds: its value on each fold, in order.

    >>> Score(name="roc_auc", folds=(0.75, 0.5)).mean
    0.625
    """

    name: str = attrs.field(validator=named)
    folds: tuple[float, ...] = attrs.field(converter=_folds, validator=all_of(float))

    @property
    def mean(self) -> float:
        """The mean over the folds."""
        return sum(self.folds) / len(self.folds)


@attrs.frozen(kw_only=True)
class Candidate:
    """A fitted model that nobody has judged yet.

    Attributes:
        model: the file and its signature.
        estimator: what was fitted, by its full name.
        parameters: the estimator's parameters that differ from its defaults.
        rows: how many rows it was fitted on.
        scores: cross-validation on the training rows; empty where there was none.
        seed: what made randomness repeatable.
        origin: ``trained`` here, ``imported`` from a registry, or ``external``: made elsewhere, or
            by a program of which nobody here knows what it does.
        facts: library versions, threads, anything else worth keeping.

    >>> from interlock_hookspecs import Artifact, Signature
    >>> model = Model(format="skops", signature=Signature(kind="binary", inputs=(), outputs=()),
    ...               artifact=Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops"))
    >>> Candidate(model=model, estimator="sklearn.tree.DecisionTreeClassifier", rows=10).origin
    'trained'
    """

    model: Model = attrs.field(validator=is_a(Model))
    estimator: str = attrs.field(validator=named)
    parameters: Facts = attrs.field(factory=Facts, converter=as_facts)
    rows: int | None = attrs.field(default=None, validator=count)
    scores: tuple[Score, ...] = attrs.field(default=(), converter=as_tuple, validator=all_of(Score))
    seed: int | None = attrs.field(default=None, validator=finite)
    origin: str = attrs.field(default="trained", validator=one_of(*ORIGINS))
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))
