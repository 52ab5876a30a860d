"""Records are valid from construction: what each refuses, and what the small values promise."""

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone

import attrs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_hookspecs import (
    Artifact,
    Bound,
    Candidate,
    Check,
    Endpoint,
    Facts,
    Finding,
    InvalidInput,
    Model,
    Policy,
    Release,
    Secret,
    Signature,
    Task,
    Verdict,
    Window,
    bytes_digest,
    compatible,
    decide,
    is_positive,
    parse_bound,
    reveal,
    scalar,
    score_columns,
    utc,
)

ZERO = bytes_digest(b"")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.dictionaries(
        st.text(),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_facts_keep_plain_values_whatever_their_order(items):
    """Equal facts are equal, hash alike and list their names in one order."""
    facts, other = Facts(items), Facts(dict(reversed(items.items())))
    assert facts == other == items
    assert hash(facts) == hash(other)
    assert list(facts) == list(other) == sorted(items)


@pytest.mark.parametrize(
    "value", [np.float64(1), np.int64(1), np.bool_(1), [1], {"a": 1}, (1,), b"1"]
)
def test_facts_refuse_what_is_no_plain_scalar(value):
    """A numpy scalar or a container would not come back from JSON as it went in."""
    with pytest.raises(TypeError, match="'rows' is"):
        Facts({"rows": value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_facts_refuse_what_is_no_finite_number(value):
    """A NaN would be written as null."""
    with pytest.raises(ValueError, match="finite"):
        Facts({"auc": value})


def test_facts_never_change():
    """Neither by assignment nor through the mapping that they were made from."""
    items = {"rows": 3}
    facts = Facts(items)
    items["rows"] = 4
    assert facts["rows"] == 3
    with pytest.raises(TypeError):
        facts["rows"] = 4


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r:>20}".format, lambda s: f"{s:.5}"])
def test_a_secret_is_never_shown(show):
    """However it is printed, a secret is three stars."""
    assert "hunter2" not in show(Secret("hunter2"))
    assert "***" in show(Secret("hunter2"))


def test_a_secret_is_never_pickled():
    """Pickles outlive the process that wrote them."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError, match="not pickled"):
        copy.copy(Secret("hunter2"))


def test_a_secret_stays_one_in_a_record():
    """attrs prints and unpacks a record's fields, and still shows no secret."""

    @attrs.frozen
    class Connection:
        password: Secret[str]

    connection = Connection(Secret("hunter2"))
    assert "hunter2" not in f"{connection} {attrs.asdict(connection)}"
    assert reveal(connection.password) == "hunter2"


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001  (the zone is the next)
    st.integers(-14 * 60, 14 * 60),
)
def test_times_are_the_same_instant_in_utc(moment, minutes):
    """A time of any zone is kept as that instant, in UTC, to the microsecond."""
    given_time = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert utc(given_time) == given_time
    assert utc(given_time).tzinfo is UTC


def test_a_naive_time_is_refused():
    """There is no right guess for a zone that nobody said."""
    with pytest.raises(ValueError, match="naive"):
        utc(datetime(2026, 1, 1))  # noqa: DTZ001  (naive on purpose)
    with pytest.raises(TypeError, match="expected a datetime"):
        utc("2026-01-01")


BLOB = {"digest": ZERO, "size": 1, "name": "model.skops"}
MODEL = Model(
    format="skops",
    artifact=Artifact(**BLOB),
    signature=Signature(kind="binary", inputs=(), outputs=()),
)
FINDING = {"name": "psi", "status": "ok", "n": 1, "served": 1, "start": 1, "end": 2}
RELEASE = {
    "id": "release-1",
    "run": "run-1",
    "project": "p",
    "stack": "dev",
    "endpoint": "e",
    "model": ZERO,
    "dossier": ZERO,
    "threshold": 0.5,
    "number": "1",
    "at": NOW,
}

WRONG = [
    (Artifact, BLOB | {"digest": "md5:1"}),
    (Artifact, BLOB | {"digest": None}),
    (Artifact, BLOB | {"size": -1}),
    (Artifact, BLOB | {"size": True}),
    (Artifact, BLOB | {"name": ""}),
    (Bound, {"key": "metrics.f1", "op": "=>", "limit": 1.0}),
    (Bound, {"key": "metrics.f1", "op": ">=", "limit": math.nan}),
    (Bound, {"key": "metrics.f1", "op": ">=", "limit": 1.0, "severity": "warn"}),
    (Candidate, {"model": MODEL, "estimator": "", "rows": 1}),
    (Candidate, {"model": MODEL, "estimator": "tree", "origin": "found"}),
    (Candidate, {"model": MODEL, "estimator": "tree", "scores": (0.9,)}),
    (Check, {"name": "f1"}),
    (Check, {"name": "f1", "value": math.nan}),
    (Check, {"name": "f1", "value": np.float64(0.5)}),
    (Check, {"name": "f1", "value": True}),
    (Check, {"name": "f1", "value": 1.0, "n": 1.5}),
    (Check, {"name": "f1", "value": 1.0, "undersized": "SEX=1"}),
    (Endpoint, {"name": "", "project": "p", "stack": "dev"}),
    (Finding, FINDING | {"status": "fine"}),
    (Finding, FINDING | {"op": ">="}),
    (Finding, FINDING | {"value": math.inf}),
    (Finding, FINDING | {"start": "2016"}),
    (Finding, FINDING | {"end": datetime(2026, 1, 1)}),  # noqa: DTZ001  (naive on purpose)
    (Finding, FINDING | {"facts": {"n": np.int64(1)}}),
    (Model, {"format": "skops", "artifact": None, "signature": MODEL.signature}),
    (
        Model,
        {
            "format": "skops",
            "artifact": MODEL.artifact,
            "signature": MODEL.signature,
            "requirements": "skops",
        },
    ),
    (Policy, {"bounds": (">= 1",)}),
    (Release, RELEASE | {"model": "1"}),
    (Release, RELEASE | {"at": datetime(2026, 1, 1)}),  # noqa: DTZ001  (naive on purpose)
    (Task, {"dataset": "d", "holdout": 1.0}),
    (Task, {"dataset": "d", "holdout": 0}),
    (Task, {"dataset": "d", "threshold": 1.5}),
    (Task, {"dataset": "d", "split": "random"}),
    (Task, {"dataset": "d", "split": "time"}),
    (Task, {"dataset": "d", "exclude": "id"}),
    (Task, {"dataset": "d", "seed": -1}),
    (Verdict, {"decision": "maybe", "subject": "metrics.f1", "reason": "0.5"}),
    (Verdict, {"decision": "refuse", "subject": "metrics.f1", "reason": ""}),
]


@pytest.mark.parametrize(("record", "fields"), WRONG)
def test_a_record_refuses_what_is_not_valid(record, fields):
    """There is no moment at which a record holds what it should not."""
    with pytest.raises((TypeError, ValueError)):
        record(**fields)


@pytest.mark.parametrize(
    ("record", "fields"),
    [(Artifact, BLOB), (Finding, FINDING), (Release, RELEASE)],
    ids=["Artifact", "Finding", "Release"],
)
def test_the_valid_records_of_the_refusals_are_valid(record, fields):
    """Each refusal above is for its own reason: without the change the record is made."""
    assert record(**fields) == record(**fields)


def test_a_record_with_a_table_is_compared_by_identity():
    """Two windows of equal rows are two windows; comparing them compares no table."""
    one, other = (
        Window(
            rows=pa.table({"x": [1]}),
            start=1,
            end=2,
            as_of=2,
            release="release-1",
            signature=MODEL.signature,
        )
        for _ in range(2)
    )
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize("text", [">= 0.85", "<=1e-3", " > -5 ", "== .5", "< 3."])
def test_a_bound_is_read_back_as_it_is_written(text):
    """What `parse_bound` reads, `Bound.text` writes."""
    op, limit = parse_bound(text)
    assert parse_bound(Bound(key="k", op=op, limit=limit).text) == (op, limit)


@pytest.mark.parametrize(
    "text", ["", "0.85", ">=", "=> 1", ">= nan", ">= inf", ">= 1e999", ">= 1 2"]
)
def test_what_is_no_bound_is_refused(text):
    """A bound that cannot be read is an error, never one that holds."""
    with pytest.raises(ValueError, match="is no bound"):
        parse_bound(text)


@pytest.mark.parametrize("op", [">=", "<=", ">", "<", "=="])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_nothing_that_is_no_number_holds_a_bound(op, value):
    """A missing or an infinite value is never inside."""
    assert not Bound(key="k", op=op, limit=0.0).holds(value)


@pytest.mark.parametrize(
    ("op", "inside", "end"),
    [(">=", 0.5, 0.4), (">", 0.51, 0.4), ("<=", 0.5, 0.7), ("<", 0.49, 0.7), ("==", 0.5, 0.7)],
)
def test_a_bound_holds_inside_and_looks_at_the_worse_end(op, inside, end):
    """Which values are inside, and which end of an interval is the worse, follows the operator."""
    bound = Bound(key="k", op=op, limit=0.5)
    assert bound.holds(inside)
    assert not bound.holds(end)
    check = Check(name="k", value=0.5, low=0.4, high=0.7)
    assert bound.compared(check) == 0.5
    assert attrs.evolve(bound, on="interval").compared(check) == end
    assert attrs.evolve(bound, on="interval").compared(Check(name="k", value=0.5)) is None


def test_features_are_what_is_nothing_else():
    """Neither id, target, time nor what is excluded; sensitive columns are."""
    task = Task(
        dataset="d", id="id", target="y", time="year", exclude=("note",), sensitive=("SEX",)
    )
    assert task.features(["id", "SEX", "y", "x", "year", "note"]) == ("SEX", "x")


@pytest.mark.parametrize(("classes", "positive"), [((0, 1), 1), (("no", "yes"), "no")])
def test_a_binary_answer_is_positive_from_the_threshold_on(classes, positive):
    """The threshold itself is positive, whichever class that is."""
    signature = Signature(kind="binary", inputs=(), outputs=(), classes=classes, positive=positive)
    other = next(label for label in classes if label != positive)
    answered = decide(pa.table({"score": [0.29, 0.3, 0.31]}), signature, 0.3)
    assert answered["prediction"].to_pylist() == [other, positive, positive]


def test_a_multiclass_answer_is_the_class_of_the_largest_score():
    """Of equal scores the first class of the signature wins."""
    signature = Signature(kind="multiclass", inputs=(), outputs=(), classes=("a", "b", "c"))
    scores = zip(score_columns(signature), [[0.2, 0.4], [0.5, 0.4], [0.3, 0.2]], strict=True)
    answered = decide(pa.table(dict(scores)), signature, 0.5)
    assert answered["prediction"].to_pylist() == ["b", "a"]


def test_an_answer_that_is_there_is_left_alone():
    """A regression's prediction is its answer."""
    predictions = pa.table({"prediction": [1.5]})
    assert (
        decide(predictions, Signature(kind="regression", inputs=(), outputs=()), 0.5) is predictions
    )


@pytest.mark.parametrize(
    ("target", "positive", "found"),
    [
        (pa.array([0, 1, 1], pa.int8()), 1, [False, True, True]),
        (pa.chunked_array([["no"], ["yes"]]), "yes", [False, True]),
        (pa.array([True, False]), True, [True, False]),
        (pa.array([0.0, 1.0]), 1, [False, True]),
    ],
)
def test_the_positive_rows_are_found(target, positive, found):
    """Whatever type the target has, and however it is cut up."""
    task = Task(dataset="d", target="y", positive=positive)
    assert is_positive(target, task).tolist() == found


def test_a_positive_that_the_target_cannot_hold_is_refused():
    """It is told, and what the target is."""
    task = Task(dataset="d", target="y", positive="yes")
    with pytest.raises(InvalidInput, match="positive = 'yes' is no value of a int64 target"):
        is_positive(pa.array([0, 1]), task)


@pytest.mark.parametrize(
    "value", [np.float64(0.5), np.int8(3), np.bool_(1), pa.scalar("a"), np.str_("a")]
)
def test_a_scalar_becomes_pythons_own(value):
    """What `scalar` gives, `Facts` takes."""
    assert Facts({"value": scalar(value)})["value"] == scalar(value)


@pytest.mark.parametrize(
    ("stated", "fits"),
    [
        ("1.0", True),
        ("1.2", True),
        ("1.3", False),
        ("2.0", False),
        ("0.9", False),
        ("1", False),
        ("", False),
    ],
)
def test_a_plugin_for_an_older_minor_contract_works(stated, fits):
    """The same major version, and a minor one not newer than ours."""
    assert compatible(stated, "1.2") is fits


def test_a_value_of_another_type_is_told_in_a_line_without_the_value():
    """attrs' own validator raises with the attribute and the value beside the message."""
    with pytest.raises(TypeError) as caught:
        Check(name="auc", value=0.5, reason=None)
    assert str(caught.value) == "Check.reason is None: expected str"
    with pytest.raises(TypeError) as caught:
        Task(dataset="d", id=b"secret")
    assert str(caught.value) == "Task.id is bytes: expected str or None"
