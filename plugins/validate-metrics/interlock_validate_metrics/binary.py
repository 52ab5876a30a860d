"""The metrics of a binary model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from interlock_hookspecs import Check
from interlock_validate_metrics.confusion import calls, of_class
from interlock_validate_metrics.estimates import (
    LEVEL,
    VERSION,
    Undefined,
    Z,
    check,
    facts,
    mean_of,
    proportion,
    wilson,
)
from interlock_validate_metrics.ranking import auc_check, roc_auc

if TYPE_CHECKING:
    from interlock_validate_metrics.estimates import Bools, Floats, Metric

MAIN = "roc_auc"


class Scored(NamedTuple):
    """Rows with what is true and what a binary model says.

    Attributes:
        truth: whether each row is positive.
        scores: the probability of it, 0 to 1.
        called: whether it was decided positive.
    """

    truth: Bools
    scores: Floats
    called: Bools


def log_losses(scored: Scored) -> Floats:
    """Each row's negative log likelihood; scores are kept one rounding away from 0 and 1."""
    import numpy as np

    tiny = np.finfo(np.float64).eps
    of_truth = np.where(scored.truth, scored.scores, 1 - scored.scores)
    losses: Floats = -np.log(np.clip(of_truth, tiny, 1 - tiny))
    return losses


def squared_errors(scored: Scored) -> Floats:
    """Each row's squared distance between score and truth: their mean is the Brier score."""
    errors: Floats = (scored.scores - scored.truth) ** 2
    return errors


def main(scored: Scored) -> Metric:
    """The metric that over- and underfitting is told by."""
    return roc_auc(scored.truth, scored.scores)


def compared(scored: Scored) -> dict[str, Metric]:
    """The metrics that two models are compared by."""
    truth, called = scored.truth.astype(int), scored.called.astype(int)
    f1: Metric = Undefined("no row is positive or called positive")
    if truth.any() or called.any():
        f1 = of_class(calls(truth, called, 2), "f1", 1)
    return {
        "roc_auc": roc_auc(scored.truth, scored.scores),
        "accuracy": mean_of((scored.truth == scored.called).astype(float)),
        "f1": f1,
        "log_loss": mean_of(log_losses(scored)),
        "brier": mean_of(squared_errors(scored)),
    }


def measured(scored: Scored, *, bins: int) -> list[Check]:
    """All checks of a binary model on held-out rows."""
    truth, called = scored.truth, scored.called
    n = len(truth)
    hits = int((truth & called).sum())
    return [
        proportion("accuracy", int((truth == called).sum()), n, "there are no rows"),
        proportion("precision", hits, int(called.sum()), "no row was called positive"),
        proportion("recall", hits, int(truth.sum()), "no row is positive"),
        _f1(hits, int((truth | called).sum()), n),
        auc_check(truth, scored.scores),
        check("log_loss", mean_of(log_losses(scored)), n, "normal", (0.0, math.inf)),
        check("brier", mean_of(squared_errors(scored)), n, "normal", (0.0, 1.0)),
        check(
            "calibration_in_the_large",
            mean_of(scored.scores - truth),
            n,
            "normal",
            (-1.0, 1.0),
            facts=facts(mean_score=float(scored.scores.mean()), positive_share=float(truth.mean())),
        ),
        _calibration_error(scored, bins),
    ]


def _f1(hits: int, either: int, n: int) -> Check:
    """F1 = 2J / (1 + J), where J, the Jaccard index, is a share of the rows in either set.

    F1 rises with J, so the ends of J's Wilson interval become those of F1: unlike a normal
    interval it stays within 0 and 1 and does not vanish at them.
    """
    if either == 0:
        return Check(name="f1", n=0, reason="no row is positive or called positive")
    low, high = (2 * end / (1 + end) for end in wilson(hits, either))
    return Check(
        name="f1",
        value=2 * hits / (hits + either),
        n=n,
        low=low,
        high=high,
        level=LEVEL,
        method="wilson-jaccard",
        version=VERSION,
    )


def _calibration_error(scored: Scored, bins: int) -> Check:
    """The expected calibration error: distances of mean score and share, over equal-width bins.

    Naeini, Cooper and Hauskrecht 2015, AAAI 29, 2901-2907. It is biased upward where bins are
    small. The interval adds up the ends of each bin's own: it covers at least as often as said.
    """
    import numpy as np

    n = len(scored.truth)
    which = np.minimum((scored.scores * bins).astype(int), bins - 1)
    differences = scored.scores - scored.truth
    size = np.bincount(which, minlength=bins)
    filled = size > 0
    counts = size[filled]
    total = np.bincount(which, differences, bins)[filled]
    squares = np.bincount(which, differences**2, bins)[filled]
    means = total / counts
    spread = np.maximum(squares / counts - means**2, 0) * counts / np.maximum(counts - 1, 1)
    half = Z * np.sqrt(spread / counts)
    distance = np.abs(means)
    return Check(
        name="calibration_error",
        value=float((distance * counts).sum() / n),
        n=n,
        low=float((np.maximum(distance - half, 0) * counts).sum() / n),
        high=min(1.0, float(((distance + half) * counts).sum() / n)),
        level=LEVEL,
        method=f"equal-width-{bins}",
        version=VERSION,
    )
