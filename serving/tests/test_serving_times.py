"""Times that a column cannot hold are refused where they come: no model or monitor meets one."""

import json

import pytest
from asking import INFER

from interlock_hookspecs import Field, Signature

HELD = {
    "timestamp[ns]": "2262-04-10T00:00:00",
    "timestamp[us, tz=UTC]": "9999-12-31T23:59:59Z",
    "timestamp[s, tz=Asia/Tokyo]": "2024-03-01T00:00:00+01:00",
}
NOT_HELD = [
    ("timestamp[ns]", "9999-12-31T00:00:00"),
    ("timestamp[ns]", "0001-01-01T00:00:00"),
    ("timestamp[ns, tz=UTC]", "2262-04-12T00:00:00Z"),
    ("timestamp[us, tz=UTC]", "0001-01-01T00:00:00+01:00"),
    ("timestamp[us, tz=UTC]", "9999-12-31T23:59:59-01:00"),
    ("timestamp[s, tz=Asia/Tokyo]", "9999-12-31T23:59:59Z"),
]


def asked(serving, target, logistic, kind, text):
    """The answer to a request that carries a time, and what was counted and captured."""
    signature = Signature(
        kind="binary",
        inputs=(Field(name="age", type="double"),),
        outputs=(Field(name="score", type="double"),),
        classes=(0, 1),
        positive=1,
        time=Field(name="when", type=kind),
    )
    inputs = [
        {"name": "age", "datatype": "FP64", "shape": [1], "data": [40.0]},
        {"name": "when", "datatype": "BYTES", "shape": [1], "data": [text]},
    ]
    with serving(target(1, logistic(signature=signature))) as client:
        status, _, value = client.call("POST", INFER, json.dumps({"inputs": inputs}).encode())
        traffic = client.get("/v2/health/ready")[1]["traffic"][0]
    return status, value, traffic, client.captures.all


@pytest.mark.parametrize(("kind", "text"), HELD.items())
def test_the_latest_time_that_a_column_holds_is_taken(serving, target, logistic, kind, text):
    """And captured."""
    status, _, _, captured = asked(serving, target, logistic, kind, text)
    assert (status, len(captured)) == (200, 1)


@pytest.mark.parametrize(("kind", "text"), NOT_HELD)
def test_a_time_beyond_is_the_clients_mistake(serving, target, logistic, kind, text):
    """As .NET's least time in a zone: it counts as refused, and nothing of it is captured."""
    status, value, traffic, captured = asked(serving, target, logistic, kind, text)
    assert status == 400
    assert value["error"] == f"input 'when', row 0: a time out of the range of {kind}"
    assert (traffic["refused"], traffic["failed"], captured) == (1, 0, [])
