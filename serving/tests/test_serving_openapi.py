"""The OpenAPI document says what the server does, and the page of it needs nobody else."""

import re
import subprocess
import sys

import jsonschema
import numpy as np
import orjson
import pyarrow as pa
import pytest
from asking import ROW

from interlock_hookspecs import Field, Signature

BATCH = "/v2/models/employment/batch"
EVERY_TYPE = Signature(
    kind="binary",
    inputs=(
        Field(name="age", type="int64", nullable=False),
        Field(name="income", type="double", nullable=True),
        Field(name="city", type="string", nullable=True),
        Field(name="rooms", type="uint8", nullable=True),
        Field(name="rent", type="float", nullable=False),
        Field(name="member", type="bool", nullable=False),
        Field(name="born", type="date32[day]", nullable=True),
        Field(name="seen", type="timestamp[us, tz=UTC]", nullable=False),
    ),
    outputs=(Field(name="score", type="double", nullable=False),),
    classes=(0, 1),
    positive=1,
    id=Field(name="person", type="int64"),
    time=Field(name="year", type="int64"),
)
# What is too large is refused before it is read. JSON Schema cannot say that a tensor's shape
# counts its data, or that its name is a column's.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 405, 413, 415]

[[operations]]
include-path-regex = "/infer$"
[operations.checks]
positive_data_acceptance.enabled = false
"""


class Quarter:
    """A model that says 0.25, whatever it is asked."""

    def __init__(self, signature=EVERY_TYPE):
        self.signature = signature

    def predict(self, rows):
        return pa.table({"score": np.full(rows.num_rows, 0.25)})


def fetch(client, path):
    with client.connect() as link:
        link.request("GET", path)
        answer = link.getresponse()
        return answer, answer.read().decode()


@pytest.mark.real_backend
@pytest.mark.schema
def test_schemathesis_finds_nothing(serving, target, tmp_path):
    """Requests made from the document, right ones and wrong ones, are answered as it says."""
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with serving(target(1, Quarter())) as client:
        command = [sys.executable, "-m", "schemathesis.cli", "run"]
        command += [f"{client.feed.told}/openapi.json", "--phases", "examples,coverage,fuzzing"]
        command += ["--max-examples", "10", "--generation-deterministic", "--no-color"]
        # The same models again, by their versions.
        command += ["--exclude-path-regex", "/versions/"]
        found = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
    # The whole report has every request in it.
    assert found.returncode == 0, found.stdout[:4_000] + found.stderr[:2_000]
    assert int(re.search(r"(\d+) generated", found.stdout)[1]) > 100


@pytest.mark.schema
def test_the_document_describes_every_path(client):
    """Each served version has its paths, and each schema is one by JSON Schema 2020-12."""
    document = orjson.loads(fetch(client, "/openapi.json")[1])
    assert document["openapi"] == "3.1.0"
    model = "/v2/models/employment"
    models = {
        f"{start}{end}"
        for start in (model, f"{model}/versions/release-1")
        for end in ("", "/ready", "/infer", "/batch")
    }
    assert document["paths"].keys() == {"/v2", "/v2/health/live", "/v2/health/ready", *models}
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_names_the_models_columns(client):
    """A row's schema has each feature with its type, and leaves the id and time columns free."""
    _, text = fetch(client, "/openapi.json")
    schemas = orjson.loads(text)["components"]["schemas"]
    row = schemas["any-rows"]["properties"]["rows"]["items"]
    assert row["required"] == ["age", "income", "city"]
    assert {name: column["type"] for name, column in row["properties"].items()} == {
        "age": "integer",
        "income": ["number", "null"],
        "city": ["string", "null"],
        "person": ["integer", "null"],
        "year": ["integer", "null"],
    }


def test_a_swap_changes_the_document(serving, target):
    """It describes what is served now: with nothing served there is no model in it."""
    with serving() as client:
        assert "models" not in fetch(client, "/openapi.json")[1]
        client.feed.change(target(2, Quarter()))
        client.until(lambda: client.get("/v2/health/ready")[1]["serving"] == ["release-2"])
        text = fetch(client, "/openapi.json")[1]
        assert "versions/release-2/infer" in text
        assert '"seen"' in text


def test_a_page_that_asks_nobody_else(client):
    """The page holds all that it needs, and its policy lets it ask the endpoint only."""
    answer, text = fetch(client, "/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r"(?:src|href)=\"([^\"]*)\"|url\(|@import", text) == ["openapi.json"]
    assert "default-src 'none'; connect-src 'self'" in answer.headers["content-security-policy"]
    assert BATCH in text
    assert client.call("POST", "/docs", b"{}")[0] == 405


def test_names_of_columns_are_no_markup(serving, target):
    """What a model names its columns is shown, not run."""
    name = "<script>alert(1)</script>"
    inputs = (Field(name=name, type="double"),)
    signature = Signature(
        kind="binary", inputs=inputs, outputs=EVERY_TYPE.outputs, classes=(0, 1), positive=1
    )
    with serving(target(1, Quarter(signature))) as client:
        _, text = fetch(client, "/docs")
    assert name not in text
    assert "&lt;script&gt;alert(1)" in text


def test_rows_of_named_columns_are_scored(client, logistic):
    """A batch of rows gets a row of outputs each, in its order, and is captured as any other."""
    rows = [ROW, {"city": None, "income": None, "age": 7.0, "person": 3}]
    status, headers, value = client.call("POST", BATCH, {"rows": rows, "id": "call-1"})
    model = logistic(1.0)
    scores = [model.score(**ROW), model.score(age=7)]
    assert (status, headers["x-request-id"]) == (200, "call-1")
    assert value == {
        "model_name": "employment",
        "model_version": "release-1",
        "id": "call-1",
        "parameters": {"release": "release-1", "number": "1"},
        "rows": [{"prediction": "in work", "score": pytest.approx(score)} for score in scores],
    }
    client.until(lambda: client.captures.all)
    (capture,) = client.captures.all
    assert capture.rows.to_pylist()[1] == {"age": 7, "income": None, "city": None, "person": 3}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, '"rows" is missing'),
        ({"rows": []}, '"rows" is missing'),
        ({"rows": [ROW, 3]}, "rows[1] is no JSON object"),
        ({"rows": [ROW, {"age": 1, "city": None}]}, "rows[1] lacks 'income'"),
        ({"rows": [{**ROW, "agee": 1}]}, "rows[0]: 'agee' is unknown: did you mean 'age'?"),
        ({"rows": [ROW, {**ROW, "age": "40"}]}, "input 'age', row 1: a text, expected INT64"),
        ({"rows": [{**ROW, "age": 0.5}]}, "input 'age', row 0: a number, expected INT64"),
        ({"rows": [{**ROW, "age": None}]}, "input 'age', row 0: null"),
    ],
)
def test_a_wrong_row_is_named(client, body, why):
    """The refusal says which row and which column, and what to write instead."""
    status, _, value = client.call("POST", BATCH, body)
    assert (status, why in value["error"]) == (400, True), value


def test_too_many_rows_are_too_large(serving, target):
    """A batch over the limit is refused whole."""
    with serving(target(1), max_rows=2) as client:
        assert client.call("POST", BATCH, {"rows": [ROW] * 3})[0] == 413
        assert client.call("GET", BATCH)[0] == 405
