"""When a packaged model may stand for the model: how far their answers are apart."""

import pyarrow as pa
import pytest

from interlock.lifecycle.packaging import GAP, compare
from interlock_hookspecs import Signature

BINARY = Signature(kind="binary", inputs=(), outputs=(), classes=(0, 1), positive=1)
THREE = Signature(kind="multiclass", inputs=(), outputs=(), classes=("a", "b", "c"))
NUMBER = Signature(kind="regression", inputs=(), outputs=())


def scores(*values):
    return pa.table({"score": pa.array(values, pa.float64())})


def of_three(*rows):
    names = ("score[a]", "score[b]", "score[c]")
    return pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)})


def numbers(*values):
    return pa.table({"prediction": pa.array(values, pa.float64())})


@pytest.mark.parametrize(
    ("signature", "own", "there", "gap", "agreement", "alike"),
    [
        (BINARY, scores(0.2, 0.8), scores(0.2, 0.8), 0, 1, True),
        (BINARY, scores(0.2, 0.8), scores(0.2 + GAP / 2, 0.8), GAP / 2, 1, True),
        (BINARY, scores(0.2, 0.8), scores(0.2 + GAP * 2, 0.8), GAP * 2, 1, False),
        # The scores are as good as equal, and fall on either side of the threshold.
        (BINARY, scores(0.5, 0.8), scores(0.5 - 1e-9, 0.8), 1e-9, 0.5, False),
        (BINARY, scores(), scores(), 0, 1, True),
        (THREE, of_three((0.2, 0.3, 0.5)), of_three((0.2, 0.3, 0.5)), 0, 1, True),
        (THREE, of_three((0.2, 0.3, 0.5)), of_three((0.2, 0.5, 0.3)), 0.2, 0, False),
        (NUMBER, numbers(1e6, 5.0), numbers(1e6 + 1, 5.0), 1e-6, None, True),
        (NUMBER, numbers(0.1, 0.2), numbers(0.1, 0.3), 0.1, None, False),
    ],
)
def test_what_counts_as_the_same_answers(signature, own, there, gap, agreement, alike):
    """Every label equal, and no score further off than single precision explains."""
    checks, same = compare(there, own, signature, 0.5)
    found = {check.name: check.value for check in checks}
    assert found["score_gap"] == pytest.approx(gap)
    assert found.get("label_agreement") == agreement
    assert {check.n for check in checks} == {own.num_rows}
    assert same is alike


def test_the_threshold_is_that_of_the_task():
    """What is decided otherwise is a difference, what is scored otherwise may be none."""
    own, there = scores(0.7), scores(0.7 - 1e-9)
    assert compare(there, own, BINARY, 0.5)[1]
    assert not compare(there, own, BINARY, 0.7)[1]
