"""Wrong inputs: each is answered with the field, the row and what was expected instead."""

import json
import time

import pytest
from asking import INFER

pytestmark = pytest.mark.real_backend


def bad(name, data, datatype=None, shape=None):
    """A request of two rows in which one input is replaced."""
    good = {"age": ("INT64", [1, 2]), "income": ("FP64", [1.0, 2.0]), "city": ("BYTES", ["a", "b"])}
    good[name] = (datatype or good.get(name, ("INT64",))[0], data)
    return {
        "inputs": [
            {
                "name": each,
                "datatype": kind,
                "shape": shape if each == name and shape is not None else [len(values)],
                "data": values,
            }
            for each, (kind, values) in good.items()
        ]
    }


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (bad("age", [1, "x"]), "input 'age', row 1: a text, expected INT64"),
        (bad("age", [1, 2.5]), "input 'age', row 1: a number, expected INT64"),
        (
            bad("age", [1.0, 2.5], "FP64"),
            "input 'age', row 1: a number that INT64 does not hold exactly",
        ),
        (bad("age", [1, True]), "input 'age', row 1: a boolean, expected INT64"),
        (
            bad("age", [1, None]),
            "input 'age', row 1: null, and the model was fitted without missing values here",
        ),
        (bad("age", [1, 2**63]), "input 'age', row 1: a number out of the range of INT64"),
        (bad("age", [1, 300], "INT8"), "input 'age', row 1: a number out of the range of INT8"),
        (bad("age", [1, -1], "UINT8"), "input 'age', row 1: a number out of the range of UINT8"),
        (
            bad("age", [1, 2**63], "UINT64"),
            "input 'age', row 1: a number out of the range of INT64",
        ),
        (bad("age", [1, 10**30]), "input 'age', row 1: a number, expected INT64"),
        (bad("age", ["a", "b"], "BYTES"), "input 'age': datatype BYTES, expected INT64"),
        (bad("city", [1, 2], "INT64"), "input 'city': datatype INT64, expected BYTES"),
        (bad("city", ["a", 5]), "input 'city', row 1: an integer, expected BYTES"),
        (bad("city", ["a", ["b"]]), "input 'city', row 1: a list, expected BYTES"),
        (bad("city", ["a", {}]), "input 'city', row 1: an object, expected BYTES"),
        (bad("income", [1, 2, 3]), "input 'income' has 3 rows, 'age' has 2"),
        (bad("age", [1, 2, 3]), "input 'income' has 2 rows, 'age' has 3"),
        (bad("age", [1, 2], shape=[3]), "input 'age': 2 values do not fill the shape [3]"),
        (
            bad("age", [1, 2], shape=[1, 2]),
            "input 'age': shape [1, 2], expected [n] or [n, 1]",
        ),
        (bad("age", [1, 2], shape=[]), "input 'age': the shape is neither [n] nor [n, k]"),
        (bad("age", [], shape=[0]), "input 'age': the shape has no rows"),
        (bad("age", [1, 2], shape=[-2]), "input 'age': the shape is neither [n] nor [n, k]"),
        (bad("age", [1, 2], shape=[True]), "input 'age': the shape is neither [n] nor [n, k]"),
        (bad("age", [1], shape=[1, 1, 1]), "input 'age': the shape is neither [n] nor [n, k]"),
        (bad("age", {"0": 1}, shape=[1]), "input 'age': \"data\" is no list"),
        (bad("agee", [1, 2]), "input 'agee' is unknown: did you mean 'age'?"),
        (bad("zzzz", [1, 2]), "input 'zzzz' is unknown"),
        (bad("m", [1, 2], shape=[1, 2]), "input 'm': shape [1, 2], expected [n, 3]"),
        (bad("age", [[1], [2]], shape=[2]), "input 'age', row 0: a list, expected INT64"),
        (
            {"inputs": bad("age", [1, 2])["inputs"][:2]},
            "input 'city' is missing",
        ),
        (
            {"inputs": bad("age", [1, 2])["inputs"] + bad("age", [1, 2])["inputs"][:1]},
            "input 'age' is given twice",
        ),
        (
            {**bad("age", [1, 2]), "outputs": [{"name": "scor"}]},
            "output 'scor' is unknown: did you mean 'score'?",
        ),
        (
            {**bad("age", [1, 2]), "outputs": [{"name": "score"}] * 2},
            "output 'score' is given twice",
        ),
        ({**bad("age", [1, 2]), "outputs": [1]}, "outputs[0] has no name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_input_is_named(shared, body, error):
    """What does not fit the model's signature is answered 400 with the field, and the row."""
    status, _, value = shared.call("POST", INFER, body)
    assert status == 400
    assert value["error"].startswith(error)


def test_an_unknown_datatype_lists_the_known(shared):
    """A datatype that the protocol lacks is answered with those that it has."""
    status, _, value = shared.call("POST", INFER, bad("age", [1, 2], "INT63"))
    assert status == 400
    assert "the datatype is none of" in value["error"]


def test_a_value_of_a_row_is_never_echoed(shared):
    """An error names field and row; the value may be personal and stays out."""
    for data in (["1", "Secretia"], [1, "Secretia"]):
        _, _, value = shared.call("POST", INFER, bad("age", data))
        assert "Secretia" not in value["error"]


def test_1e999_is_no_number(shared):
    """A number larger than a double is refused, wherever the parser lets it pass."""
    body = json.dumps(bad("income", [1.0, 12345.0])).replace("12345.0", "1e999").encode()
    assert shared.call("POST", INFER, body)[0] == 400


def test_an_enormous_shape_costs_nothing(shared):
    """A shape is compared with the data, never allocated."""
    body = bad("age", [1, 2], shape=[2, 10**18])
    began = time.monotonic()
    assert shared.call("POST", INFER, body)[0] == 400
    assert time.monotonic() - began < 20
