"""What an endpoint last came to of a release decides whether a run tries it again."""

import pytest

from interlock.ledger import Entry
from interlock.lifecycle.rollouts.gone_back import gone_back, last_word
from interlock_hookspecs import Endpoint

RELEASE, CHAMPION = "release-b", "release-a"


def rollout(sequence, status):
    return {
        "id": f"rollout-{sequence}",
        "release": RELEASE,
        "status": status,
        "sequence": sequence,
        "ended_at": "2026-05-01T03:00:00+00:00",
        "reason": "it disagrees",
    }


def line(sequence, release, reason="deploy"):
    at = "2026-05-02T04:00:00+00:00"
    said = {"sequence": sequence, "release": release, "reason": reason}
    return {**said, "at": at, "actor": "ben"}


def how(rollouts=(), history=()):
    found = last_word(RELEASE, rollouts, [line(1, CHAMPION), *history])
    return found and (found.how, found.reason)


@pytest.mark.parametrize("status", ["rolled-back", "aborted"])
def test_a_rollout_that_went_back_is_the_last_word(status):
    """Whether the numbers or a person said so; of others that were superseded nothing is said."""
    assert how([rollout(3, status)]) == (status, "it disagrees")
    assert how([rollout(5, "superseded"), rollout(3, status)]) == (status, "it disagrees")


def test_nothing_was_said_of_a_release_that_never_went_back():
    """New, superseded, on its way or live."""
    assert how() is None
    assert how([rollout(3, "superseded")]) is None
    assert how([rollout(3, "open")]) is None
    assert how([rollout(4, "promoted")], [line(3, RELEASE, "rollout")]) is None


@pytest.mark.parametrize("status", ["open", "promoted"])
def test_a_later_rollout_takes_it_back(status):
    """Somebody tried it again."""
    assert how([rollout(5, status), rollout(3, "rolled-back")]) is None
    assert how([rollout(3, status), rollout(5, "rolled-back")]) == ("rolled-back", "it disagrees")


def test_a_rollback_of_what_was_live_counts_until_it_is_live_again():
    """And one that comes back to it is none against it."""
    left = [line(3, RELEASE), line(4, CHAMPION, "rollback")]
    assert how((), left) == ("rollback", "ben rolled it back")
    assert how((), [*left, line(5, RELEASE)]) is None
    assert how((), [line(3, RELEASE), line(4, "release-c"), line(5, RELEASE, "rollback")]) is None
    assert how((), [line(3, RELEASE), line(4, "release-c")]) is None


def test_blue_green_that_went_back_tells_the_numbers():
    """It was live while it was watched: the end of its rollout says why it left."""
    history = [line(3, RELEASE, "rollout"), line(4, CHAMPION, "rollback")]
    assert how([rollout(6, "rolled-back")], history) == ("rolled-back", "it disagrees")


ENDPOINT = {"name": "e", "stack": "dev", "project": "employment"}


def intended(deployment, release):
    record = {"endpoint": ENDPOINT, "targets": [{"release": {"id": release}, "weight": 1.0}]}
    said = {"record": record, "release": release, "reason": "deploy"}
    return Entry("deployment.intended", deployment, said)


def applied(deployment, release):
    return Entry(
        "deployment.applied", deployment, {"record": intended("", release).payload["record"]}
    )


def targets(deployment, release, reason="deploy"):
    return Entry("deployment.targets", deployment, {"release": release, "reason": reason})


MADE = Entry("release.made", RELEASE, {"record": {"id": RELEASE}})
LONG = [targets("deployment-1", f"release-{number:02d}") for number in range(90)]
BEGUN = [intended("deployment-1", CHAMPION), applied("deployment-1", CHAMPION), *LONG]


@pytest.mark.parametrize(
    ("since", "went"),
    [
        ([], None),
        ([targets("deployment-1", RELEASE)], None),
        (
            [targets("deployment-1", RELEASE), targets("deployment-1", CHAMPION, "rollback")],
            "rollback",
        ),
        ([intended("deployment-2", RELEASE), applied("deployment-2", RELEASE)], None),
    ],
)
def test_a_long_life_of_an_endpoint_is_not_read_for_a_new_release(
    open_ledger, monkeypatch, since, went
):
    """What was live before the release was made says nothing of it."""
    ledger, read = open_ledger(), []
    ledger.append_all("employment", [*BEGUN, MADE, *since])
    ask = ledger.reads.events

    def noted(*args, **how):
        found = ask(*args, **how)
        read.extend(found)
        return found

    monkeypatch.setattr(ledger.reads, "events", noted)
    found = gone_back(ledger.reads, Endpoint(**ENDPOINT), RELEASE)
    assert (found and found.how) == went
    assert len(read) <= 1 + len(since)


@pytest.mark.parametrize("after", range(1, 9))
def test_the_history_after_any_moment_is_the_end_of_the_whole(open_ledger, after):
    """Also where what came true after it was intended before."""
    ledger = open_ledger()
    entries = [
        intended("deployment-1", CHAMPION),
        applied("deployment-1", CHAMPION),
        targets("deployment-1", RELEASE),
        intended("deployment-2", CHAMPION),
        targets("deployment-1", CHAMPION, "rollback"),
        applied("deployment-2", CHAMPION),
        applied("deployment-2", CHAMPION),
        targets("deployment-2", RELEASE),
    ]
    ledger.append_all("employment", entries)
    whole = ledger.reads.endpoint_history("employment", "dev", "e")
    assert len(whole) == 5
    found = ledger.reads.endpoint_history("employment", "dev", "e", after=after)
    assert found == [line for line in whole if line["sequence"] > after]
