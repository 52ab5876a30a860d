"""Records survive the way through JSON text."""

import json
from datetime import UTC, datetime

import pytest

from interlock_hookspecs import (
    Artifact,
    Facts,
    Field,
    InvalidInput,
    Maker,
    Model,
    ModelVersion,
    Signature,
    from_plain,
    to_plain,
)


def version():
    signature = Signature(
        kind="binary",
        inputs=(Field(name="x", type="double"), Field(name="ß\0", type="string", nullable=False)),
        outputs=(Field(name="score", type="double"),),
        classes=("no", "yes"),
        positive="yes",
        time=Field(name="at", type="timestamp[us, tz=UTC]"),
    )
    artifact = Artifact(digest="sha256:" + "0" * 64, size=9, name="m", folder=True)
    facts = Facts({"n": 3, "share": 1.0, "seen": True, "note": None})
    model = Model(format="x", artifact=artifact, signature=signature, facts=facts)
    return ModelVersion(
        id="version-1",
        name="n",
        number="1",
        model=model,
        aliases=("b", "a"),
        at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        maker=Maker(plugin="registry-x", version="1"),
    )


def test_a_record_comes_back_as_it_was():
    """Nested records, tuples, times and facts with their types."""
    back = from_plain(ModelVersion, json.loads(json.dumps(to_plain(version()))))
    assert back == version()
    assert [type(value) for value in back.model.facts.values()] == [
        type(value) for value in version().model.facts.values()
    ]


def test_a_field_that_is_not_said_has_its_default():
    """Text of an older contract lacks it."""
    plain = to_plain(version())
    del plain["existing"], plain["maker"]
    assert from_plain(ModelVersion, plain).maker is None


def test_a_field_of_a_newer_contract_is_refused():
    """It would be dropped in silence."""
    plain = {**to_plain(version()), "colour": "red"}
    with pytest.raises(InvalidInput, match="ModelVersion has no 'colour' here: a newer contract"):
        from_plain(ModelVersion, plain)


def test_what_has_no_plain_form_is_refused():
    """A table is no text."""
    with pytest.raises(TypeError, match="set has no plain form"):
        to_plain({"x": {1}})
