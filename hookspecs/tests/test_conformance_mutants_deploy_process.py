"""The deploy suite catches every server of ours that errs, ends or tells of itself wrongly."""

import signal
import threading
import time
import traceback
import types

import attrs
import pyarrow as pa
from deploy_mutants import changing, impatient
from wrong_plugins import catches, each

import interlock_deploy_acme
from interlock_deploy_acme import AcmeServer
from interlock_hookspecs import (
    EndpointStatus,
    InvalidInput,
    Unavailable,
    hookimpl,
)
from interlock_hookspecs.conformance.deploy import DeploySuite


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


MUTANTS = [
    (is_ready_for_nothing, "nothing_is_served_once_all_is_withdrawn",
     "an endpoint that answers nothing is called ready"),
    (fails_at_what_does_not_fit, "a_bad_request_is_the_clients_error",
     "a text for a number is answered with 500"),
    (repeats_the_value, "a_bad_request_is_the_clients_error",
     "a text for a number is answered with the value"),
    (takes_a_body_of_any_length, "a_huge_request_is_refused", "a huge request is answered with"),
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
    (takes_its_time, "an_endpoint_that_never_was_is_no_error", "a status takes "),
    (remembers_that_it_was_alive, "an_endpoint_that_never_was_is_no_error",
     "and it is called alive"),
    (names_one_release, "the_status_is_the_endpoints_own",
     "an endpoint of two releases serves release-1"),
    (keeps_the_problem_to_itself, "the_status_is_the_endpoints_own",
     "a problem of the feed is not in the status"),
    (believes_any_server, "the_status_is_the_endpoints_own",
     "the server of one endpoint is taken for another's"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence, monkeypatch):
    """A server with one broken promise fails that promise's test, in words that say it."""
    impatient(monkeypatch, sentence)
    catches(DeploySuite, lambda folder: mutant(), test, sentence)
