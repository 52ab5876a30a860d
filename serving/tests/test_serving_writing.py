"""What is written once for all answers is what each would have been written as."""

import attrs
import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_serving.v2.answers import Answer, Numbers, Tables
from interlock_serving.v2.protocol import is_request_id
from interlock_serving.v2.writing import write_answer

TEXTS = st.text(max_size=6) | st.sampled_from(["%", "%d%b%%", '"', "\\", "ü,]", "a,b"])
IDS = st.from_regex(r"[\x21-\x7e]{1,12}", fullmatch=True) | st.sampled_from(["%s", '","x":"'])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
KINDS = {"FP64": FLOATS, "INT64": st.integers(-(2**63), 2**63 - 1), "BOOL": st.booleans()}


@st.composite
def batches(draw):
    """A batch of requests of some rows, as numbers or as a table, with the rows of each."""
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    as_table = draw(st.booleans())
    kinds = {**KINDS, "BYTES": TEXTS} if as_table else KINDS
    names = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    outputs = tuple((name, draw(st.sampled_from(sorted(kinds)))) for name in names)
    total = sum(counts)
    columns = [
        draw(st.lists(kinds[datatype], min_size=total, max_size=total)) for _, datatype in outputs
    ]
    if as_table:
        predictions = pa.table([pa.array(column) for column in columns], names)
        return Tables(predictions, predictions, len(counts), outputs), counts
    arrays = [np.array(column) for column in columns]
    return Numbers(np.zeros((total, 1)), arrays, len(counts), outputs, (), gaps=False), counts


@pytest.fixture
def release(target):
    return target(1).target.release


# The release is a value, which no example changes.
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_answer_is_the_json_of_its_parts(data, release):
    """Of any names, ids and values, in batches of any shape, all outputs or some."""
    batch, counts = data.draw(batches())
    model, version = data.draw(TEXTS), attrs.evolve(release, number=data.draw(TEXTS))
    names = [name for name, _ in batch.outputs]
    selected = data.draw(st.none() | st.frozensets(st.sampled_from(names)))
    numeric = [name for name, datatype in batch.outputs if datatype != "BYTES"]
    binary = data.draw(st.frozensets(st.sampled_from(numeric)) if numeric else st.just(frozenset()))
    start = 0
    for rows in counts:
        request_id = data.draw(IDS)
        assert is_request_id(request_id)
        answer = Answer(batch, start, rows)
        size, content = write_answer(model, version, request_id, answer, selected, binary)
        described, behind = [], b""
        for place, (name, datatype) in enumerate(batch.outputs):
            if selected is not None and name not in selected:
                continue
            said = {"name": name, "datatype": datatype, "shape": [rows]}
            values = batch.values[place][start : start + rows]
            if name in binary:
                kind = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?"}[datatype]
                told = np.array(values, kind).tobytes()
                said["parameters"] = {"binary_data_size": len(told)}
                behind += told
            else:
                said["data"] = values
            described.append(said)
        json = orjson.dumps(
            {
                "model_name": model,
                "model_version": version.id,
                "id": request_id,
                "parameters": {"release": version.id, "number": version.number},
                "outputs": described,
            }
        )
        assert content == json + behind
        assert size == (len(json) if binary else None)
        start += rows
