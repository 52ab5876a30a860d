"""The short ways of the server say what the long ones say."""

import itertools
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_hookspecs import Field, InvalidInput, Signature
from interlock_serving.models.recording import Recorder
from interlock_serving.models.scoring import ModelFailed, Pace, Scorer
from interlock_serving.v2.binary import split
from interlock_serving.v2.matrix import Matrix
from interlock_serving.v2.protocol import Query, read_columns, read_envelope
from interlock_serving.v2.writing import write_answer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
easy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Doubles:
    """A model of two doubles, null as nothing, that takes rows as a table or as numbers alone."""

    def __init__(self, kind, classes=()):
        names = {"regression": ["prediction"], "binary": ["score"]}
        outputs = names.get(kind) or [f"score[{label}]" for label in classes]
        self.signature = Signature(
            kind=kind,
            inputs=tuple(Field(name=name, type="double", nullable=True) for name in "ab"),
            outputs=tuple(Field(name=name, type="double") for name in outputs),
            classes=classes,
            positive=classes[1] if kind == "binary" else None,
            id=Field(name="id", type="int64"),
        )

    def predict(self, rows):
        columns = [rows[name].to_numpy() for name in "ab"]
        scores = self.predict_numbers(np.column_stack(columns))
        names = [field.name for field in self.signature.outputs]
        return pa.table({name: scores[:, place] for place, name in enumerate(names)})

    def predict_numbers(self, rows):
        assert rows.dtype == np.float64
        assert rows.ndim == 2
        a, b = np.tanh(np.nan_to_num(rows)).T
        if (a == np.tanh(13.0)).any():
            return np.full((len(rows), len(self.signature.outputs)), np.nan)
        return np.column_stack([a - b, a + b, a * b][: len(self.signature.outputs)])


class TableOnly:
    """The same, which takes nothing but tables."""

    def __init__(self, model):
        self.signature, self.predict = model.signature, model.predict


MODELS = {
    "regression": Doubles("regression"),
    "texts": Doubles("binary", ("no", "yes")),
    "whole numbers": Doubles("binary", (0, 1)),
    "truths": Doubles("binary", (False, True)),
    "three": Doubles("multiclass", ("x", "y", "z")),
}
NUMBER = st.floats(-12, 12) | st.sampled_from([0.0, -0.0, 5e-324, 1e308, -1e308])
FORMS = ("tensor", "columns", "turned", "binary", "binary columns", "with an id", "whole")


@st.composite
def questions(draw):
    """A request for rows of two doubles in one of the forms that clients send; maybe with nulls."""
    form = draw(st.sampled_from(FORMS))
    rows = draw(st.lists(st.tuples(NUMBER, NUMBER | st.none()), min_size=1, max_size=4))
    if form == "whole":
        rows = [(3, b) for _, b in rows]
    columns = dict(zip("ab", zip(*rows, strict=True), strict=True))
    if form == "tensor":
        flat = [value for row in rows for value in row]
        return [{"name": "m", "datatype": "FP64", "shape": [len(rows), 2], "data": flat}], b""
    if form == "binary":
        sent = np.array(rows, float)
        about = {"name": "m", "datatype": "FP64", "shape": [len(rows), 2]}
        return [{**about, "parameters": {"binary_data_size": sent.nbytes}}], sent.tobytes()
    inputs, behind = [], b""
    for name, values in sorted(columns.items(), reverse=form == "turned"):
        tensor = {"name": name, "datatype": "FP64", "shape": [len(rows)]}
        if form == "binary columns":
            sent = np.array(values, float)
            tensor["parameters"] = {"binary_data_size": sent.nbytes}
            behind += sent.tobytes()
        else:
            tensor["data"] = list(values)
        inputs.append(tensor)
    if form == "with an id":
        ids = list(range(len(rows)))
        inputs.append({"name": "id", "datatype": "INT64", "shape": [len(rows)], "data": ids})
    return inputs, behind


def scored(scorer, release, asked, ids):
    """What is answered to requests that are scored together, as they say it and as it is kept."""
    queries = []
    for request_id, (inputs, behind) in zip(ids, asked, strict=True):
        head = orjson.dumps({"inputs": inputs})
        body, rest = split(head + behind, b"%d" % len(head))
        envelope = read_envelope(body, rest if behind else None)
        rows, values = read_columns(envelope, scorer.columns, max_rows=9)
        queries.append(Query(request_id, rows, values))
    answers = [*zip(queries, scorer.score(queries), strict=True)]
    names = frozenset(scorer.outputs)
    said = [
        (
            write_answer("m", release, query.id, answer, None),
            write_answer("m", release, query.id, answer, None, names),
        )
        for query, answer in answers
    ]
    return said, answers


class Kept:
    """A sink that keeps captures one by one, by the ids of their requests."""

    def __init__(self):
        self.captures = {}

    def put_batch(self, batch):
        self.captures |= {each.request_id: each for each in batch.each()}


def recorded(release, batches):
    """What stands in the record: of batches, each of them requests with their answers."""
    sink = Kept()
    recorder = Recorder(sink, release, mirror=False)
    for second, delivered in enumerate(batches):
        recorder.add(delivered, NOON + timedelta(seconds=second))
    recorder.take()()
    return sink.captures


@easy
@given(st.sampled_from(sorted(MODELS)), st.lists(st.lists(questions(), min_size=1, max_size=4)))
def test_rows_of_numbers_are_answered_as_a_table_is(target, name, batches):
    """Without tables the server says and records what it says and records with them."""
    opened = [target(1, predictor) for predictor in (MODELS[name], TableOnly(MODELS[name]))]
    scorers = [Scorer(each) for each in opened]
    kept = [[], []]
    number = itertools.count()
    for asked in batches:
        together = {len(inputs) == 3 for inputs, _ in asked}
        for batch in [asked] if len(together) == 1 else [[each] for each in asked]:
            ids = [f"request-{next(number)}" for _ in batch]
            found = [scored(each, opened[0].target.release, batch, ids) for each in scorers]
            assert found[0][0] == found[1][0]
            for answers, (_, more) in zip(kept, found, strict=True):
                answers.append(more)
    for gone in (0, 1):  # a client that went away does not stand in the record
        one, two = (
            recorded(opened[0].target.release, [each[gone:] for each in answers])
            for answers in kept
        )
        ids = {query.id: second for second, each in enumerate(kept[0]) for query, _ in each[gone:]}
        assert one.keys() == two.keys() == ids.keys()
        for request_id, second in ids.items():
            first, other = one[request_id], two[request_id]
            assert first.at == other.at == NOON + timedelta(seconds=second)
            for part in ("rows", "predictions"):
                same = [getattr(each, part).combine_chunks() for each in (first, other)]
                assert same[0].equals(same[1])
                assert same[0].schema.equals(same[1].schema)


def test_rows_of_numbers_need_no_table(target):
    """Every usual form of a request is scored without one, and a table is made for the record."""
    model = Doubles("binary", (0, 1))
    model.predict = None
    scorer = Scorer(target(1, model))
    for form in ("tensor", "columns"):
        for rows in (1, 3):
            values = [0.5] * rows
            inputs = [{"name": "m", "datatype": "FP64", "shape": [rows, 2], "data": values * 2}]
            if form == "columns":
                about = {"datatype": "FP64", "shape": [rows], "data": values}
                inputs = [{"name": name, **about} for name in "ba"]
                scorer.columns.usual.learn(inputs)
            envelope = read_envelope(orjson.dumps({"inputs": inputs}))
            query = Query("request", *read_columns(envelope, scorer.columns, max_rows=9))
            (answer,) = scorer.score([query])
            assert answer.values(0) == [0] * rows
            (kept,) = recorded(target(1).target.release, [[(query, answer)]]).values()
            assert kept.rows.to_pydict() == {"a": values, "b": values}
            assert kept.predictions.column_names == ["prediction", "score"]


def test_an_answer_that_is_no_number_is_found_without_a_table(target):
    """It is a fault of the model, and so are answers of another shape."""
    model = Doubles("binary", (0, 1))
    query = Query("request", 1, Matrix(("a", "b"), [13.0, 1.0]))
    with pytest.raises(ModelFailed, match="'score' that is no finite number"):
        Scorer(target(1, model)).score([query])
    model.predict_numbers = lambda _: np.zeros((1, 2))
    with pytest.raises(ModelFailed, match=r"shape \(1, 2\), where \(1, 1\) is promised"):
        Scorer(target(1, model)).score([query])


class Prompt:
    """A prompt model that says on which thread it was asked.

    Args:
        seconds: how long it computes.
    """

    prompt = True
    signature = Signature(
        kind="regression",
        inputs=(Field(name="age", type="int64"),),
        outputs=(Field(name="prediction", type="double"),),
    )

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.threads = []

    def predict(self, rows):
        self.threads.append(threading.current_thread().name)
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass
        values = rows["age"].to_numpy().astype(float)
        if (values == -13).any():
            raise InvalidInput("not this row")
        return pa.table({"prediction": values})


@pytest.mark.real_backend
def test_short_batches_of_a_prompt_model_are_scored_between_requests(serving, target):
    """Once it is known to be short, a prompt model is asked without a thread, and is captured."""
    model = Prompt()
    asked = 0
    deadline = time.monotonic() + 120
    with serving(target(1, model)) as client:
        while "server" not in model.threads:
            assert time.monotonic() < deadline
            assert client.infer({"age": asked})[1]["outputs"][0]["data"] == [float(asked)]
            asked += 1
        assert client.infer({"age": -13}) == (400, {"error": "not this row"})
        assert client.infer({"age": 5}, {"age": 6})[0] == 200
        wait = time.monotonic() + 120
        while len(client.captures.all) < asked + 1:
            assert time.monotonic() < wait
            time.sleep(0.005)
    assert model.threads[0] == "model-release-1"
    ages = [age for one in client.captures.all for age in one.rows["age"].to_pylist()]
    assert sorted(ages) == sorted([*range(asked), 5, 6])


@pytest.mark.real_backend
@pytest.mark.parametrize("prompt", [True, False])
def test_what_takes_long_or_promises_nothing_keeps_its_thread(serving, target, prompt):
    """A prompt model that computes for long is asked on its thread, and so is any other."""
    model = Prompt(0.02 if prompt else 0.0)
    model.prompt = prompt
    with serving(target(1, model)) as client:
        for age in range(8):
            assert client.infer({"age": age})[0] == 200
    assert set(model.threads) == {"model-release-1"}


def test_a_pace_is_known_by_size():
    """Batches of a size that was not met are not short; slow ones count, one alone for little."""
    pace = Pace()
    assert not pace.is_short(1)
    pace.tell(1, 0.0001)
    assert pace.is_short(1)
    assert not pace.is_short(64)
    pace.tell(1, 0.1)
    assert pace.is_short(1)
    for _ in range(10):
        pace.tell(1, 0.1)
    assert not pace.is_short(1)
