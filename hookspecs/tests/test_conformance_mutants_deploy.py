"""The deploy suite catches every server of ours that breaks a promise, and says which.

A server runs in a process of its own, so a mutant may change the module that it is made of.
"""

import os
import time

import attrs
import pyarrow as pa
from deploy_mutants import (
    Through,
    changing,
    impatient,
    server,
    with_captures,
    with_model,
    with_targets,
)
from wrong_plugins import catches, each, unclaimed

import interlock_deploy_acme
from interlock_deploy_acme import AcmeServer
from interlock_hookspecs import (
    Capture,
    OpenTarget,
)
from interlock_hookspecs.conformance.deploy import DeploySuite
from interlock_hookspecs.conformance.released import FAILS


def set_target(one, **changes):
    return OpenTarget(target=attrs.evolve(one.target, **changes), predictor=one.predictor)


@with_targets
def decides_at_a_half(targets):
    return tuple(
        set_target(one, release=attrs.evolve(one.target.release, threshold=0.5)) for one in targets
    )


@with_targets
def gives_each_the_same_weight(targets):
    return tuple(set_target(one, weight=1.0) for one in targets)


@with_targets
def sends_all_to_the_first(targets):
    return tuple(set_target(one, weight=float(place == 0)) for place, one in enumerate(targets))


@with_targets
def answers_by_the_mirror(targets):
    mirrored = any(one.target.mirror for one in targets)
    return tuple(set_target(one, mirror=mirrored != one.target.mirror) for one in targets)


@with_targets
def asks_no_mirror(targets):
    return tuple(one for one in targets if not one.target.mirror)


@with_targets
def answers_by_a_mirror_that_is_alone(targets):
    if len(targets) == 1:
        return (set_target(targets[0], mirror=False),)
    return targets


FIRST = []


@with_targets
def serves_what_it_began_with(targets):
    FIRST.extend(targets if not FIRST else ())
    return tuple(FIRST)


LAST = []


@with_targets
def goes_on_with_what_was_withdrawn(targets):
    LAST[:] = targets or LAST
    return tuple(LAST)


SEEN = {}


@with_targets
def stops_to_change(targets):
    key = tuple(one.target.release.id for one in targets)
    since = SEEN.setdefault("since", time.monotonic())
    if SEEN.setdefault("key", key) != key:
        SEEN.update(key=key, since=time.monotonic())
    fresh = time.monotonic() - since < 0.03 and len(SEEN) > 2
    SEEN["asked"] = True
    return () if fresh else targets


@with_model
def rounds_its_scores(predictor, rows):
    return pa.table({"score": [round(score, 1) for score in scored(predictor, rows)]})


ROWS = []


@with_model
def scores_the_latest_rows(predictor, rows):
    ROWS[:] = [rows]
    time.sleep(0.01)
    return predictor.predict(ROWS[0])


@with_model
def dies_with_its_model(predictor, rows):
    if FAILS in rows["x"].to_pylist():
        os._exit(1)
    return predictor.predict(rows)


def scored(predictor, rows):
    return predictor.predict(rows)["score"].to_pylist()


@with_captures
def captures_nothing(capture):
    return None


@with_captures
def names_requests_itself(capture):
    return with_changes(capture, request_id="made-here")


@with_captures
def captures_an_endpoint_for_a_release(capture):
    return with_changes(capture, release="employment")


@with_captures
def captures_the_features_only(capture):
    return with_changes(capture, rows=capture.rows.select(["x", "word"]))


@with_captures
def captures_scores_only(capture):
    return with_changes(capture, predictions=capture.predictions.select(["score"]))


@with_captures
def takes_a_mirror_for_an_answer(capture):
    return with_changes(capture, mirror=False)


@with_captures
def captures_yesterday(capture):
    return with_changes(capture, at=capture.at.replace(year=2025))


def with_changes(capture, **changes):
    kept = {field.name: getattr(capture, field.name) for field in attrs.fields(Capture)}
    return Capture(**{**kept, **changes})


def refusing(sink):
    def put(capture):
        if not sink.put(capture):
            raise OSError("the capture queue is full")
        return True

    return put


FailsWithAFullSink = server(captures=lambda sink: Through(sink, put=refusing))("FailsWithAFullSink")


@changing
def refuses_id_and_time():
    before = interlock_deploy_acme.rows_of
    interlock_deploy_acme.rows_of = lambda asked, signature: before(
        asked, attrs.evolve(signature, id=None, time=None)
    )


@changing
def fails_with_its_mirror():
    answered = interlock_deploy_acme._Service._answer

    def answer(self, chosen, asked, request_id):
        try:
            return answered(self, chosen, asked, request_id)
        except ZeroDivisionError:
            raise KeyboardInterrupt from None

    interlock_deploy_acme._Service._answer = answer


class ServesNothing(AcmeServer):
    serve_endpoint = None


MUTANTS = [
    (ServesNothing, "it_keeps_to_the_form", "the role deploy requires the hook apply_endpoint"),
    (decides_at_a_half, "a_row_is_scored_and_decided", "not by the release's threshold"),
    (rounds_its_scores, "a_row_is_scored_and_decided", "other scores than the model gives"),
    (refuses_id_and_time, "what_was_answered_is_captured",
     "the id and time columns beside the features are refused"),
    (captures_nothing, "what_was_answered_is_captured", "of 1 answers not all were captured"),
    (names_requests_itself, "what_was_answered_is_captured", "loses the client's request id"),
    (captures_an_endpoint_for_a_release, "what_was_answered_is_captured", "names another release"),
    (captures_the_features_only, "what_was_answered_is_captured", "other values of person"),
    (captures_scores_only, "what_was_answered_is_captured",
     "other predictions than the client got"),
    (captures_yesterday, "what_was_answered_is_captured", "a capture has another time"),
    (FailsWithAFullSink, "a_sink_that_is_full_fails_nobody",
     "a full capture sink makes an answer 500"),
    (gives_each_the_same_weight, "weights_split_the_requests", "a release of weight 0 answers"),
    (sends_all_to_the_first, "weights_split_the_requests", "answers 100% of the requests"),
    (answers_by_the_mirror, "a_mirror_answers_nobody", "a mirror's answer is returned"),
    (asks_no_mirror, "a_mirror_answers_nobody", "of 10 answers not all were captured"),
    (takes_a_mirror_for_an_answer, "a_mirror_answers_nobody", "wrong about being a mirror's"),
    (fails_with_its_mirror, "a_mirror_that_fails_harms_nobody",
     "a mirror that fails makes an answer 0"),
    (answers_by_a_mirror_that_is_alone, "a_mirror_that_fails_harms_nobody",
     "an endpoint with nothing but a mirror answers"),
    (serves_what_it_began_with, "targets_change_without_a_failed_request",
     "it never came to serve release-2"),
    (stops_to_change, "targets_change_without_a_failed_request", "requests during changes"),
    (goes_on_with_what_was_withdrawn, "nothing_is_served_once_all_is_withdrawn",
     "a release that was withdrawn still answers"),
    (scores_the_latest_rows, "each_of_many_gets_its_own_answer",
     "a request at once gets another's answer"),
    (dies_with_its_model, "a_model_that_fails_is_the_servers_error",
     "a model that fails is answered with 0"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence, monkeypatch):
    """A server with one broken promise fails that promise's test, in words that say it."""
    impatient(monkeypatch, sentence)
    catches(DeploySuite, lambda folder: mutant(), test, sentence)


def test_the_server_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation nothing is broken; what is promised of servers elsewhere is unclaimed."""
    left = {one.why for one in unclaimed(DeploySuite, lambda folder: AcmeServer())}
    missing = ("apply_endpoint", "read_captures")
    assert left == {f"optional: the plugin does not implement {name}" for name in missing}
