"""The closed forms against scikit-learn, counting, and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from interlock_hookspecs.measures import (
    confusion,
    f1_interval,
    f1_score,
    macro_f1,
    mean_interval,
    midranks,
    normal_quantile,
    roc_auc,
    wilson,
)

RUNS = 1000
COVERED = pytest.approx(0.95, abs=0.025)


def coverage(truth, sample):
    """The share of samples whose interval holds the truth."""
    draw = np.random.default_rng(0)
    ends = [sample(draw) for _ in range(RUNS)]
    return np.mean([low <= truth <= high for low, high in ends])


def test_a_wilson_interval_covers_what_it_says():
    """Of many samples of fifty, 95 % of the intervals hold the true share."""
    assert coverage(0.1, lambda draw: wilson(int(draw.binomial(50, 0.1)), 50)) == COVERED


def test_the_interval_of_a_mean_covers_what_it_says():
    """Of many samples of a skewed population, 95 % of the intervals hold its mean."""
    assert coverage(1.0, lambda draw: mean_interval(draw.exponential(1, 400))) == COVERED


def test_the_interval_of_an_f1_covers_what_it_says():
    """Rows drawn with known shares of hits, false alarms and misses."""

    def sample(draw):
        hits, alarms, misses, _ = draw.multinomial(400, [0.4, 0.1, 0.1, 0.4])
        return f1_interval(int(hits), int(alarms), int(misses))

    assert coverage(0.8, sample) == COVERED


def test_the_interval_of_a_macro_f1_covers_what_it_says():
    """Rows drawn from a known confusion matrix of three classes."""
    shares = np.array([[0.4, 0.05, 0.05], [0.05, 0.2, 0.05], [0.0, 0.05, 0.15]])
    truth, _ = macro_f1(shares * 1_000_000)

    def sample(draw):
        return macro_f1(draw.multinomial(600, shares.ravel()).reshape(3, 3))[1]

    assert coverage(truth, sample) == COVERED


def test_the_interval_of_a_roc_auc_covers_what_it_says():
    """Scores of two normals a standard deviation apart: the area is Phi(1 / sqrt 2)."""
    positives = np.arange(200) < 80

    def sample(draw):
        return roc_auc(draw.normal(positives.astype(float), 1), positives)[1]

    assert coverage(0.7602, sample) == COVERED


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_scikit_learns_with_many_ties(rows):
    """Equal scores count half, as scikit-learn counts them; one class alone has no area."""
    scores, positives = (np.array(column) for column in zip(*rows, strict=True))
    found = roc_auc(scores.astype(float), positives)
    if positives.all() or not positives.any():
        assert found is None
    else:
        assert found[0] == pytest.approx(metrics.roc_auc_score(positives, scores))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_the_f1s_are_scikit_learns(rows):
    """Per class and in the mean, over the classes that are there or answered."""
    truth, answers = (np.array(column) for column in zip(*rows, strict=True))
    counts = confusion(truth, answers, 3)
    assert counts.tolist() == metrics.confusion_matrix(truth, answers, labels=range(3)).tolist()
    present = sorted({*truth, *answers})
    expected = metrics.f1_score(truth, answers, average=None, labels=present)
    each = [
        f1_score(counts[i, i], counts[:, i].sum() - counts[i, i], counts[i].sum() - counts[i, i])
        for i in present
    ]
    assert each == pytest.approx(list(expected))
    assert macro_f1(counts)[0] == pytest.approx(expected.mean())


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_midranks_count_who_is_below_and_who_is_equal(values):
    """A rank is one more than those below, and half of the other equals."""
    column = np.array(values)
    ranks = [1 + (column < v).sum() + ((column == v).sum() - 1) / 2 for v in column]
    assert midranks(column).tolist() == ranks


@given(st.integers(0, 200), st.integers(1, 200), st.floats(0.5, 0.999))
def test_a_wilson_interval_holds_the_share_and_stays_inside(successes, n, level):
    """Neither end leaves 0 to 1, and more successes never lower an end."""
    successes = min(successes, n)
    low, high = wilson(successes, n, level)
    assert 0 <= low <= successes / n <= high <= 1
    if successes < n:
        assert wilson(successes + 1, n, level) > (low, high)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_no_coverage_is_refused(level):
    """A level is a share, not a percentage."""
    with pytest.raises(ValueError, match="level"):
        normal_quantile(level)


def test_more_successes_than_trials_are_refused():
    """A proportion over one is a mistake of the caller."""
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


def test_measures_of_nothing_are_none():
    """No rows, no value, and nothing is divided by zero."""
    nothing = (wilson(0, 0), f1_score(0, 0, 0), f1_interval(0, 0, 0), mean_interval(np.ones(1)))
    assert nothing == (None,) * 4
    assert macro_f1(np.zeros((2, 2), int)) is None
