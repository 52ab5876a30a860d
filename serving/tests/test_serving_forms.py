"""What came before of a request is not read again, and nothing changes by it."""

import contextlib
import http.client
import itertools
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import orjson
import pyarrow as pa
import pytest
from asking import INFER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_hookspecs import Field, InvalidInput, Signature
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.forms import Forms
from interlock_serving.v2.protocol import Query, read_columns, read_envelope

NUMBERS = itertools.count()


class Sums:
    """A model of doubles that adds them up."""

    def __init__(self, names="ab", *, nullable=True, times=1.0):
        self.signature = Signature(
            kind="regression",
            inputs=tuple(Field(name=name, type="double", nullable=nullable) for name in names),
            outputs=(Field(name="prediction", type="double"),),
        )
        self.times = times

    def predict(self, rows):
        columns = [column.fill_null(0.0).to_numpy() for column in rows.columns]
        return pa.table({"prediction": self.predict_numbers(np.column_stack(columns))[:, 0]})

    def predict_numbers(self, rows):
        return self.times * np.nan_to_num(rows).sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def sums(serving, target):
    """Endpoints that take missing numbers, and that take none."""
    with (
        serving(target(1, Sums())) as gaps,
        serving(target(1, Sums(nullable=False))) as whole,
    ):
        yield {True: gaps, False: whole}


@pytest.fixture
def found(monkeypatch):
    """Of each request with bytes whether its JSON was known."""
    seen = []
    find = Forms.find

    def told(self, json, behind):
        form = find(self, json, behind)
        seen.append(form is not None)
        return form

    monkeypatch.setattr(Forms, "find", told)
    return seen


def asked(client, body, behind, **more):
    """The status, and what the answer says beside its id, of a request with bytes behind JSON."""
    head = orjson.dumps(body)
    with client.connect() as link:
        headers = {"inference-header-content-length": str(len(head)), **more}
        link.request("POST", INFER, head + behind, headers)
        answer = link.getresponse()
        content = answer.read()
    size = int(answer.getheader("inference-header-content-length", len(content)))
    said = orjson.loads(content[:size])
    return answer.status, {**said, "id": ""}, content[size:]


def serves(client, release):
    """Whether an endpoint serves a release and nothing else."""
    return client.get("/v2/health/ready")[1]["serving"] == [release]


@st.composite
def bodies(draw):
    """A request for a few rows of two doubles, in one of a few forms."""
    rows = draw(st.integers(1, 3))
    name = draw(st.sampled_from(["m", "a"]))
    datatype = draw(st.sampled_from(["FP64", "FP64", "FP32"]))
    size = {"FP64": 16, "FP32": 8}[datatype] * rows
    size += draw(st.sampled_from([0, 0, 0, 8]))
    about = {"name": name, "datatype": datatype, "shape": [rows, 2]}
    body = {"inputs": [{**about, "parameters": {"binary_data_size": size}}]}
    if draw(st.booleans()):
        body["parameters"] = {"binary_data_output": draw(st.sampled_from([True, False, "x"]))}
    if draw(st.booleans()):
        body["outputs"] = [{"name": draw(st.sampled_from(["prediction", "x"]))}]
    return body


values = st.floats(-8, 8) | st.sampled_from([np.nan, np.inf, 0.0])


@pytest.mark.real_backend
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(bodies(), st.lists(st.lists(values, min_size=1, max_size=8), min_size=2, max_size=4))
def test_a_known_form_is_answered_as_an_unknown_one(sums, body, contents):
    """With whatever numbers behind it, missing ones, infinite ones, too few and too many."""
    for client in sums.values():
        for content in contents:
            behind = np.array(content).tobytes()
            # What has a name of its own is never known.
            named = {**body, "id": f"request-{next(NUMBERS)}"}
            assert asked(client, body, behind) == asked(client, named, behind)


@pytest.mark.real_backend
def test_requests_of_one_form_are_answered_each_for_itself(serving, target, found):
    """From the second on their JSON is known; each has its numbers, its name and its capture."""
    about = {"name": "m", "datatype": "FP64", "shape": [1, 2]}
    body = {"inputs": [{**about, "parameters": {"binary_data_size": 16}}]}
    with serving(target(1, Sums())) as client:
        for number in range(20):
            behind = np.array([number, 0.5]).tobytes()
            name = {"x-request-id": f"call-{number}"}
            status, said, _ = asked(client, body, behind, **name)
            assert (status, said["outputs"][0]["data"]) == (200, [number + 0.5])
        client.until(lambda: len(client.captures.all) == 20)
    assert found == [False] + [True] * 19
    kept = {each.request_id: each.rows.to_pydict() for each in client.captures.all}
    assert kept == {f"call-{n}": {"a": [float(n)], "b": [0.5]} for n in range(20)}


@pytest.mark.real_backend
def test_requests_of_one_batch_are_looked_through_together(serving, target):
    """What is wrong in one is told to who sent it, what is missing in one is in its capture."""
    about = {"name": "m", "datatype": "FP64", "shape": [1, 2]}
    body = {"inputs": [{**about, "parameters": {"binary_data_size": 16}}]}
    numbers = [0.5, np.nan, np.inf, -np.inf] * 8

    def ask(number):
        return asked(client, body, np.array([1.0, number]).tobytes())

    with serving(target(1, Sums())) as client:
        ask(0.0)
        with ThreadPoolExecutor(len(numbers)) as pool:
            found = [*pool.map(ask, numbers)]
        client.until(lambda: len(client.captures.all) == 17)
    told = [
        said["error"] if status != 200 else said["outputs"][0]["data"] for status, said, _ in found
    ]
    refused = "input 'b', row 0: a number out of the range of FP64"
    assert told == [[1.5], [1.0], refused, refused] * 8
    kept = [each.rows["b"].to_pylist()[0] for each in client.captures.all]
    assert sorted(kept, key=str) == [0.0] + [0.5] * 8 + [None] * 8


@pytest.mark.real_backend
def test_a_known_form_goes_where_requests_go_now(serving, target):
    """To the release that is served, to a version by its name, and to each mirror."""
    about = {"name": "m", "datatype": "FP64", "shape": [1, 2]}
    body = {"inputs": [{**about, "parameters": {"binary_data_size": 16}}]}
    behind = np.array([1.0, 2.0]).tobytes()
    with serving(target(1, Sums())) as client:
        for _ in range(2):
            assert asked(client, body, behind)[1]["outputs"][0]["data"] == [3.0]
        client.feed.change(target(2, Sums(times=2.0)))
        client.until(lambda: serves(client, "release-2"))
        assert asked(client, body, behind)[1]["outputs"][0]["data"] == [6.0]
        client.feed.change(target(3, Sums("abc")))
        client.until(lambda: serves(client, "release-3"))
        status, said, _ = asked(client, body, behind)
        assert (status, "expected [n, 3]" in said["error"]) == (http.client.BAD_REQUEST, True)
        client.feed.change(target(4, Sums()), target(5, Sums(), mirror=True))
        client.until(lambda: serves(client, "release-4"))
        asked(client, body, behind)
        client.until(lambda: len(client.captures.all) == 5)
    assert [each.release for each in client.captures.all if each.mirror] == ["release-5"]


def plain(row, **more):
    """A request for one row, a tensor a column, as text."""
    datatypes = {float: "FP64", int: "INT32", str: "BYTES", bool: "BOOL"}
    inputs = [
        {"name": name, "datatype": datatypes[type(value)], "shape": [1], "data": [value]}
        for name, value in row.items()
    ]
    return orjson.dumps({"inputs": inputs, **more}).decode()


class Mixed(Sums):
    """A model of columns of each kind, which says how long a row is as text."""

    def __init__(self):
        kinds = {"a": "double", "n": "int32", "s": "string", "t": "bool"}
        super().__init__()
        self.signature = attrs.evolve(
            self.signature,
            inputs=tuple(Field(name=name, type=kind) for name, kind in kinds.items()),
        )

    def predict(self, rows):
        return pa.table({"prediction": [float(len(str(row))) for row in rows.to_pylist()]})


@pytest.fixture(scope="module")
def models(serving, target):
    """Endpoints of doubles, and of columns of each kind, with a request for a row of each."""
    with serving(target(1, Sums())) as sums, serving(target(1, Mixed())) as mixed:
        yield (
            (sums, plain({"a": 1.5, "b": 2.5})),
            (mixed, plain({"a": 1.5, "n": 7, "s": "x", "t": True})),
        )


def answered(client, body, **headers):
    """The status and the body of an answer, without its id."""
    with client.connect() as link:
        link.request("POST", INFER, body, headers)
        answer = link.getresponse()
        return answer.status, {**orjson.loads(answer.read()), "id": ""}


ODD = (
    *("", "2.5", "-0.0", "1e3", "3", "null", "true", '"x"', '"a]b"', '"x\\""', '"data"', "[]"),
    *("{}", "1.5,2.5", "1.5,", "NaN", "[1.5", "1.5]", "1.5]]", '"', "1e999", "2.5 ", "\t2.5"),
    *("1]}", "9007199254740993", "123456789012345678901234567890", '"data":[1.5', "é", '"é"'),
)


@st.composite
def changed(draw):
    """What changes in a request: some values, the space before them, and one character."""
    values = draw(st.dictionaries(st.integers(0, 3), st.sampled_from(ODD), max_size=3))
    return values, draw(st.sampled_from(["", " "])), draw(st.integers(0, 40))


def with_values(body, values, gap, dropped):
    """A request with other values as they are written, or one character less."""
    head, *pieces = body.split('"data":[')
    for place, value in values.items():
        if place < len(pieces):
            _, end, rest = pieces[place].partition("]")
            pieces[place] = value + end + rest
    text = f'"data":{gap}['.join([head, *pieces])
    return text if dropped > 4 else text[:dropped] + text[dropped + 1 :]


@pytest.mark.real_backend
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(changed())
def test_a_known_frame_is_answered_as_an_unknown_one(models, change):
    """With whatever stands for its values, also where that is no JSON, or goes on behind them."""
    for client, body in models:
        for known in (body, with_values(body, {}, *change[1:2], 9)):
            assert answered(client, known)[0] == 200
        asked = with_values(body, *change).encode()
        # What has bytes behind it, if none, is not looked up among these.
        length = {"inference-header-content-length": str(len(asked))}
        assert answered(client, asked) == answered(client, asked, **length)


@pytest.mark.real_backend
@pytest.mark.parametrize("which", [0, 1], ids=["doubles", "mixed"])
def test_requests_of_one_frame_are_answered_each_for_itself(models, found, which):
    """From the second on their frame is known; each has its values, its name and its capture."""
    client, body = models[which]
    answered(client, with_values(body, {0: "8.5"}, "  ", 9))
    found.clear()
    for number in range(20):
        asked = with_values(body, {0: f"{number}.5"}, "  ", 9).encode()
        length = {"inference-header-content-length": str(len(asked))}
        name = {"x-request-id": f"call-{number}"}
        status, said = answered(client, asked, **name)
        assert (status, said) == answered(client, asked, **length)
        assert status == 200
    assert found == [True, False] * 20

    def kept():
        captures = {each.request_id: each.rows["a"].to_pylist() for each in client.captures.all}
        return [captures.get(f"call-{number}") for number in range(20)]

    client.until(lambda: kept() == [[number + 0.5] for number in range(20)])


def learned(forms, **more):
    """Whether a request with these things beside its tensor is remembered."""
    parameters = {"binary_data_size": 16}
    tensor = {"name": "m", "datatype": "FP64", "shape": [1, 2], "parameters": parameters}
    json = orjson.dumps({"inputs": [tensor], **more})
    return is_learned(forms, json, memoryview(np.ones(2).tobytes()))


def is_learned(forms, json, behind=None):
    """Whether a request is remembered."""
    model = Sums()
    model.columns = Columns(model.signature)
    envelope = read_envelope(json, behind)
    for _ in range(2):
        rows, values = read_columns(envelope, model.columns, max_rows=9)
    forms.learn(json, envelope, Query("call", rows, values), model, None, frozenset())
    return forms.find(json, behind) is not None


def test_few_forms_are_remembered():
    """However many there are; none whose JSON is long, and none that says more than its form."""
    forms = Forms()
    for number in range(100):
        assert learned(forms, parameters={"number": number})
        assert len(forms._by_json) <= 32
    assert not learned(forms, parameters={"text": "x" * 3_000})
    assert not learned(forms, id="call-1")
    assert not learned(forms, parameters={"sticky_key": "a"})
    assert not learned(forms, parameters={"timeout": 1_000_000})


def test_few_frames_are_remembered():
    """None that leaves a doubt where its values stand, and none of several rows."""
    forms, row = Forms(), {"a": 1.5, "b": 2.5}
    for number in range(100):
        assert is_learned(forms, plain(row, parameters={"number": number}).encode())
        assert len(forms._by_frame) <= 32
        assert len(forms._heads) <= 32
    body = plain(row)
    assert is_learned(forms, body.encode())
    for other in (
        body.replace('"data":', '"data" :', 1),
        body.replace('"data":', '"d\\u0061ta":', 1),
        body.replace("1.5", "1.5,2.5").replace("[1]", "[2]"),
        body.replace('"inputs"', '"parameters":{"data":[1.5]},"inputs"'),
        body.replace('"inputs"', '"parameters":{"text":"data"},"inputs"'),
        body.replace('"data"', '"data":[1.5],"data"', 1),
        plain(row, id="call-1"),
        plain(row, parameters={"sticky_key": "a"}),
        plain(row, parameters={"text": "x" * 17_000}),
    ):
        with contextlib.suppress(InvalidInput):
            assert not is_learned(forms, other.encode()), other
