"""A rollout whose champion was revoked, where no other release was ever live: a person decides."""

import pytest

pytestmark = pytest.mark.real_backend

LIKE = ("--set", "train-sklearn.parameters.min_samples_leaf=2")
WATCH = ("rollout", "watch", "--every", "0.1")
WHY = ("--reason", "neither is good")
REFUSED, WAITING = 3, 4


@pytest.fixture
def alone(rolled, until):
    """A canary that serves all, because the champion beside it was revoked."""
    made = rolled("canary", {"rollout.refusal_rate": '"<= 0.01"'}, steps=[0.5], window=3600)
    made.first = made.endpoint["release"]
    made("run", *LIKE)
    made("revoke", made.first, "--reason", "wrong rows")
    made.canary = made.listed("rollout", "status")[0]["release"]
    until(lambda: made.endpoint["serving"] == [made.canary])
    return made


def test_who_would_take_it_out_is_told_that_there_is_nothing_else(alone):
    """Nothing is decided, so that it may still be promoted; it was stuck half way out."""
    for words in (("rollout", "abort", *WHY), ("rollback",)):
        said = alone(*words, expect=REFUSED)
        assert "and no other good release was live here" in said.err
        assert "interlock undeploy ends the endpoint" in said.err
    assert alone.listed("rollout", "status")[0]["phase"] == "watching"
    alone("rollout", "promote", "--reason", "it will do")
    assert alone.endpoint["release"] == alone.canary


def test_a_broken_bound_holds_where_there_is_nothing_to_go_back_to(alone, send):
    """It serves on, as nobody else can, until a person has said what is to be done."""
    assert alone.canary not in send(alone, 30, null=True)
    said = alone(*WATCH, expect=WAITING)
    assert "rollout.refusal_rate is 1 (n = 30): the bound is <= 0.01; the champion " in said.out
    assert "and no other good release was live here" in said.out
    alone("undeploy")
    assert alone.listed("rollout", "status")[0]["status"] == "superseded"


def test_status_says_what_is_served(alone):
    """And not what was live on record when the server dropped it."""
    said = alone("status").out
    assert f"serves     release-{alone.canary[-8:]}\n" in said
    assert f"served     release-{alone.first[-8:]}, version 1" in said
    assert "was revoked by" in said
    assert alone.listed("status")["serving"] == [alone.canary]
