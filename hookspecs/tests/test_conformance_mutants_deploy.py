"""The deploy suite catches every server of ours that breaks a promise, and says which.

A server runs in a process of its own, so a mutant may change the module that it is made of.
"""

import os
import signal
import threading
import time
import traceback
import types

import attrs
import pyarrow as pa
import pytest

import interlock_deploy_acme
from interlock_deploy_acme import AcmeServer
from interlock_hookspecs import (
    Capture,
    EndpointStatus,
    InvalidInput,
    OpenTarget,
    Unavailable,
    hookimpl,
)
from interlock_hookspecs.conformance import endpoints, serving
from interlock_hookspecs.conformance.deploy import DeploySuite
from interlock_hookspecs.conformance.released import FAILS
from interlock_hookspecs.conformance.suite import run


class Through:
    """Something that core gives a server, with some of it changed."""

    def __init__(self, inner, **changed):
        self._inner = inner
        self._changed = changed

    def __getattr__(self, name):
        if name in self._changed:
            return self._changed[name](self._inner)
        return getattr(self._inner, name)


def server(**given):
    """A server that takes what core gives it through a function for each: feed, captures."""

    def make(name):
        class Mutant(AcmeServer):
            @hookimpl
            def serve_endpoint(self, endpoint, feed, captures, ws):
                feed = given.get("feed", lambda feed: feed)(feed)
                captures = given.get("captures", lambda captures: captures)(captures)
                given.get("change", lambda: None)()
                AcmeServer.serve_endpoint(self, endpoint, feed, captures, ws)

        Mutant.__name__ = name
        return Mutant

    return make


def with_targets(function):
    """A server whose targets are others, at each moment."""
    changed = lambda feed: Through(feed, current=lambda inner: function(inner.current))  # noqa: E731
    return server(feed=changed)(function.__name__)


def with_model(function):
    """A server whose models predict through a function of the predictor and the rows."""

    def current(targets):
        return tuple(
            OpenTarget(
                target=target.target,
                predictor=Through(
                    target.predictor,
                    predict=lambda inner: lambda rows: function(inner, rows),
                ),
            )
            for target in targets
        )

    current.__name__ = function.__name__
    return with_targets(current)


def with_captures(function):
    """A server that captures something else: None for nothing."""

    def put(sink):
        def changed(capture):
            made = function(capture)
            return True if made is None else sink.put(made)

        return changed

    captures = lambda sink: Through(sink, put=put)  # noqa: E731
    return server(captures=captures)(function.__name__)


def changing(function):
    """A server whose module was changed before it serves."""
    return server(change=function)(function.__name__)


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
def fails_at_what_does_not_fit():
    interlock_deploy_acme._column = lambda field, values: pa.array(
        values, pa.type_for_alias(field.type)
    )


@changing
def repeats_the_value():
    def column(field, values):
        try:
            return pa.array(values, pa.type_for_alias(field.type))
        except (pa.ArrowException, TypeError):
            raise InvalidInput(f"{field.name} does not fit: {values}") from None

    interlock_deploy_acme._column = column


@changing
def shows_its_traceback():
    sent = interlock_deploy_acme._Handler._send

    def send(self, status, value):
        sent(self, status, {**value, "trace": traceback.format_exc()} if status == 500 else value)

    interlock_deploy_acme._Handler._send = send


@changing
def answers_a_failure_with_200():
    sent = interlock_deploy_acme._Handler._send
    interlock_deploy_acme._Handler._send = lambda self, status, value: sent(
        self, 200 if status == 500 else status, value
    )


@changing
def takes_a_body_of_any_length():
    def body(self):
        return self.rfile.read(int(self.headers["content-length"]))[:100_000]

    interlock_deploy_acme._Handler._body = body


@changing
def fails_with_its_mirror():
    answered = interlock_deploy_acme._Service._answer

    def answer(self, chosen, asked, request_id):
        try:
            return answered(self, chosen, asked, request_id)
        except ZeroDivisionError:
            raise KeyboardInterrupt from None

    interlock_deploy_acme._Service._answer = answer


@changing
def hears_no_signal():
    interlock_deploy_acme.signal = types.SimpleNamespace(
        SIGTERM=signal.SIGTERM, SIGINT=signal.SIGINT, signal=lambda number, handler: handler
    )


@changing
def hears_one_signal():
    interlock_deploy_acme.signal = types.SimpleNamespace(
        SIGTERM=signal.SIGTERM, SIGINT=signal.SIGTERM, signal=signal.signal
    )


@changing
def does_not_stop():
    signals = types.SimpleNamespace(SIGTERM=signal.SIGTERM, SIGINT=signal.SIGINT)
    signals.signal = lambda number, handler: signal.signal(number, signal.SIG_IGN)
    interlock_deploy_acme.signal = signals


@changing
def leaves_a_thread_behind():
    before = interlock_deploy_acme._Server.__exit__

    def leave(self, *error):
        before(self, *error)
        threading.Thread(target=time.sleep, args=(60,)).start()

    interlock_deploy_acme._Server.__exit__ = leave


@changing
def leaves_requests_in_flight():
    interlock_deploy_acme._Server.daemon_threads = True
    interlock_deploy_acme._Server.block_on_close = False


@changing
def shares_its_address():
    interlock_deploy_acme._Server.allow_reuse_port = True


class LetsAnErrorOfTheSystemThrough(AcmeServer):
    @hookimpl
    def serve_endpoint(self, endpoint, feed, captures, ws):
        try:
            super().serve_endpoint(endpoint, feed, captures, ws)
        except Unavailable as error:
            raise error.__cause__ from None


def with_status(function):
    """A server of another status."""

    class Mutant(AcmeServer):
        @hookimpl
        def endpoint_status(self, deployment):
            return function(deployment, AcmeServer().endpoint_status)

    Mutant.__name__ = function.__name__
    return Mutant


@with_status
def raises_where_nothing_answers(deployment, ask):
    said = ask(deployment)
    if not said.live:
        raise ConnectionRefusedError(111, "refused")
    return said


@with_status
def remembers_that_it_was_alive(deployment, ask):
    serving = [target.release.id for target in deployment.targets]
    return EndpointStatus(live=True, ready=True, serving=serving)


@with_status
def is_ready_for_nothing(deployment, ask):
    said = ask(deployment)
    return attrs.evolve(said, ready=said.live)


@with_status
def names_one_release(deployment, ask):
    said = ask(deployment)
    return attrs.evolve(said, serving=said.serving[:1])


@with_status
def keeps_the_problem_to_itself(deployment, ask):
    said = ask(deployment)
    return attrs.evolve(said, detail="" if said.live else said.detail)


@with_status
def believes_any_server(deployment, ask):
    said = interlock_deploy_acme._ask(deployment.address) if deployment.address else {}
    ready = bool(said.get("serving"))
    return EndpointStatus(live=ready, ready=ready, serving=said.get("serving", ()),
                          detail=said.get("problem", ""))  # fmt: skip


@with_status
def takes_its_time(deployment, ask):
    time.sleep(1.0)
    return ask(deployment)


@with_status
def says_nothing_of_what_is_gone(deployment, ask):
    said = ask(deployment)
    return said if said.live else attrs.evolve(said, detail="")


class ServesNothing(AcmeServer):
    serve_endpoint = None


MUTANTS = [
    (ServesNothing, "it_keeps_to_the_form", "the role deploy requires apply_endpoint"),
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
    (is_ready_for_nothing, "nothing_is_served_once_all_is_withdrawn",
     "an endpoint that answers nothing is called ready"),
    (scores_the_latest_rows, "each_of_many_gets_its_own_answer",
     "a request at once gets another's answer"),
    (fails_at_what_does_not_fit, "a_bad_request_is_the_clients_error",
     "a text for a number is answered with 500"),
    (repeats_the_value, "a_bad_request_is_the_clients_error",
     "a text for a number is answered with the value"),
    (takes_a_body_of_any_length, "a_huge_request_is_refused", "a huge request is answered with"),
    (dies_with_its_model, "a_model_that_fails_is_the_servers_error",
     "a model that fails is answered with 0"),
    (answers_a_failure_with_200, "a_model_that_fails_is_the_servers_error",
     "a model that fails is answered with 200"),
    (shows_its_traceback, "a_model_that_fails_is_the_servers_error",
     "an answer shows a traceback"),
    (hears_no_signal, "it_ends_after_what_is_in_flight",
     "after SIGTERM: the process ended without a word"),
    (hears_one_signal, "it_ends_after_what_is_in_flight", "after SIGINT: KeyboardInterrupt"),
    (does_not_stop, "it_ends_after_what_is_in_flight", "it does not return after SIGTERM"),
    (leaves_requests_in_flight, "it_ends_after_what_is_in_flight",
     "a request in flight at SIGTERM gets 0"),
    (leaves_a_thread_behind, "it_ends_after_what_is_in_flight",
     "it returned, and a thread keeps its process alive"),
    (shares_its_address, "a_taken_address_is_unavailable", "it listens there as well"),
    (LetsAnErrorOfTheSystemThrough, "a_taken_address_is_unavailable",
     "an address that is taken: OSError"),
    (raises_where_nothing_answers, "an_endpoint_that_never_was_is_no_error",
     "a status is an error: ConnectionRefusedError"),
    (says_nothing_of_what_is_gone, "an_endpoint_that_never_was_is_no_error", "nothing is said"),
    (takes_its_time, "an_endpoint_that_never_was_is_no_error", "a status takes 1 s"),
    (remembers_that_it_was_alive, "an_endpoint_that_never_was_is_no_error",
     "and it is called alive"),
    (names_one_release, "the_status_is_the_endpoints_own",
     "an endpoint of two releases serves release-1"),
    (keeps_the_problem_to_itself, "the_status_is_the_endpoints_own",
     "a problem of the feed is not in the status"),
    (believes_any_server, "the_status_is_the_endpoints_own",
     "the server of one endpoint is taken for another's"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mutant", "test", "sentence"), MUTANTS, ids=[mutant.__name__ for mutant, _, _ in MUTANTS]
)
def test_the_suite_catches(mutant, test, sentence, monkeypatch):
    """A server with one broken promise fails that promise's test, in words that say it."""
    monkeypatch.setattr(endpoints, "PATIENCE", 1.5)
    monkeypatch.setattr(endpoints, "STATUS_SECONDS", 0.8)
    monkeypatch.setattr(serving, "_HUGE", 1_000_000)
    (outcome,) = run(DeploySuite, lambda folder: mutant(), only=[f"test_{test}"])
    assert outcome.status == "broken"
    assert sentence in outcome.why


def test_the_server_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation nothing is broken; what is promised of servers elsewhere is unclaimed."""
    outcomes = list(run(DeploySuite, lambda folder: AcmeServer()))
    assert [one for one in outcomes if one.status == "broken"] == []
    unclaimed = {one.why for one in outcomes if one.status == "unclaimed"}
    missing = ("apply_endpoint", "read_captures")
    assert unclaimed == {f"optional: the plugin does not implement {name}" for name in missing}
