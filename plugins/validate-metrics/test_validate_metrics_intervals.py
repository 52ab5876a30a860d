"""validate-metrics' intervals: against the jackknife, DeLong's own sums, scipy, and repetition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from interlock_validate_metrics import binary, multiclass, regression
from interlock_validate_metrics.estimates import Z, wilson
from interlock_validate_metrics.ranking import roc_auc

KINDS = {"binary": binary, "multiclass": multiclass, "regression": regression}


def sample(kind: str, n: int, seed: int) -> tuple:
    """Rows of a kind, scored, from one distribution."""
    rng = np.random.default_rng(seed)
    if kind == "binary":
        scores = np.round(rng.beta(0.8, 1.2, n), 2)
        return binary.Scored(rng.random(n) < scores, scores, scores >= 0.5)
    if kind == "multiclass":
        scores = rng.dirichlet([2.0, 1.5, 1.0], n)
        truth = (rng.random(n)[:, None] > scores.cumsum(axis=1)).sum(axis=1)
        return multiclass.Scored(("a", "b", "c"), truth, scores, scores.argmax(axis=1))
    truth = rng.normal(3, 2, n)
    return regression.Scored(truth, truth + rng.gamma(2, 0.5, n) - 0.7)


def without(scored: tuple, row: int) -> tuple:
    """All rows but one."""
    keep = [
        np.delete(value, row, axis=0) if isinstance(value, np.ndarray) else value
        for value in scored
    ]
    return type(scored)(*keep)


@pytest.mark.parametrize("kind", KINDS)
def test_standard_errors_equal_the_jackknife(kind: str) -> None:
    """Each closed-form standard error is, to 3 %, what leaving out one row at a time gives."""
    n = 400
    rows = sample(kind, n, seed=3)
    left_out = [KINDS[kind].compared(without(rows, row)) for row in range(n)]
    for name, estimate in KINDS[kind].compared(rows).items():
        values = np.array([found[name].value for found in left_out])
        jackknife = math.sqrt((n - 1) / n * ((values - values.mean()) ** 2).sum())
        assert estimate.error == pytest.approx(jackknife, rel=0.03), name


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "binary",
            "accuracy precision recall f1 roc_auc log_loss brier calibration_in_the_large",
        ),
        ("multiclass", "accuracy precision_macro recall_macro f1_macro f1_weighted log_loss"),
        ("multiclass", "precision_weighted roc_auc_ovr_macro brier recall[a]"),
        ("regression", "r2 rmse mae median_ae mean_error"),
    ],
)
def test_intervals_cover_as_often_as_they_say(kind: str, names: str) -> None:
    """Of 300 small samples, 91 to 99 % of the 95 % intervals hold a very large one's value."""

    def values(n: int, seed: int) -> dict:
        found = KINDS[kind].measured(sample(kind, n, seed), bins=10)
        return {check.label: check for check in found}

    truth = values(300_000, seed=999)
    hits = dict.fromkeys(names.split(), 0)
    for seed in range(300):
        found = values(250, seed)
        for name in hits:
            hits[name] += found[name].low <= truth[name].value <= found[name].high
    assert all(0.91 * 300 <= count <= 0.99 * 300 for count in hits.values()), hits


def test_roc_auc_has_delongs_variance() -> None:
    """The error of ROC AUC, and of a paired difference, is DeLong's by its own pairwise sums."""
    rng = np.random.default_rng(1)
    truth = rng.random(150) < 0.3
    models = [np.round(truth + rng.normal(0, spread, 150), 1) for spread in (0.8, 1.2)]
    above, beaten = [], []
    for scores in models:
        pairs = scores[truth][:, None] - scores[~truth][None, :]
        psi = (pairs > 0) + 0.5 * (pairs == 0)
        above.append(psi.mean(axis=1))
        beaten.append(psi.mean(axis=0))
    covariance = np.cov(above) / truth.sum() + np.cov(beaten) / (~truth).sum()
    first, second = (roc_auc(truth, scores) for scores in models)
    assert first.error**2 == pytest.approx(covariance[0, 0])
    assert first.minus(second).error ** 2 == pytest.approx(
        covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    )


def test_the_score_interval_is_wilsons() -> None:
    """The interval of a proportion is scipy's Wilson interval, at both ends of the range too."""
    for hits, n in ((15, 45), (0, 10), (10, 10), (1, 1)):
        known = stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
        assert wilson(hits, n) == pytest.approx((known.low, known.high), abs=1e-12)


def test_normal_intervals_are_of_the_stated_level() -> None:
    """Z is the quantile that leaves 2.5 % on either side."""
    assert pytest.approx(stats.norm.ppf(0.975)) == Z
