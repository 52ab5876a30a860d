"""The suite of observers catches every one that breaks a promise, and says which."""

import json
import os
import re
import signal
import threading
import time
import types

import pytest
from wrong_plugins import catches, each, unclaimed

from interlock_events_acme import AcmeEvents
from interlock_events_acme_conformance import AcmeEventsSuite
from interlock_hookspecs import Artifact, Conflict, Secret, Unavailable, hookimpl, plugin, setting
from interlock_hookspecs.conformance import events
from interlock_hookspecs.conformance.happenings import PAYLOADS
from interlock_track_acme import AcmeTracker
from interlock_track_acme_conformance import AcmeTrackerSuite


def before_writing(function):
    """An observer that does something of its own with an event, then writes it as Acme does."""

    def body(namespace):
        @hookimpl
        def on_event(self, event, ws):
            function(self, event, ws)
            AcmeEvents.on_event(self, event)

        namespace["on_event"] = on_event

    return types.new_class(function.__name__, (AcmeEvents,), exec_body=body)


def instead_of_writing(function):
    """An observer that writes a line in its own way."""
    return types.new_class(
        function.__name__, (AcmeEvents,), exec_body=lambda names: names.update(_append=function)
    )


class AnswersTheEvent(AcmeEvents):
    @hookimpl
    def on_event(self, event):
        return event.id


@before_writing
def refuses_an_unknown_kind(self, event, ws):
    assert event.kind in PAYLOADS, f"unknown kind {event.kind}"


@before_writing
def expects_a_run(self, event, ws):
    assert event.run, "an event without a run"


@before_writing
def redacts_in_place(self, event, ws):
    for value in event.payload.values():
        if isinstance(value, dict):
            value.pop("source", None)


@before_writing
def signs_the_event(self, event, ws):
    object.__setattr__(event, "kind", f"acme.{event.kind}")


@before_writing
def refuses_an_event_twice(self, event, ws):
    seen = self.root / f"seen-{event.sequence}-{event.kind}"
    if seen.exists():
        raise Conflict("heard before", expected=None, found=event.id)
    seen.touch()


@before_writing
def expects_order(self, event, ws):
    last = self.root / "last"
    if last.exists():
        assert int(last.read_text()) < event.sequence, "events come out of order"
    last.write_text(str(event.sequence))


@before_writing
def names_a_file_by_the_run(self, event, ws):
    if event.run and "\0" not in event.run and len(event.run) < 99:
        path = self.root / "runs" / event.run
        (self.root / "runs").mkdir(exist_ok=True)
        if path.parent.is_dir() and not path.is_dir():
            path.touch()


@before_writing
def believes_that_checks_have_values(self, event, ws):
    for check in event.payload.get("checks") or ():
        float(check["value"] or 0)


@before_writing
def believes_that_a_payload_has_a_shape(self, event, ws):
    if event.kind == "run.started":
        event.payload["policy"]["bounds"]


@before_writing
def refuses_a_huge_event(self, event, ws):
    assert len(str(event.payload)) < 1_000_000, "too large"


@before_writing
def works_long_on_a_huge_event(self, event, ws):
    time.sleep(len(event.payload.get("checks") or ()) / 20_000)


@before_writing
def needs_the_card(self, event, ws):
    if event.kind == "review.held" and event.payload["card"]:
        ws.locate(Artifact(**event.payload["card"]))


@before_writing
def takes_a_card_for_a_file(self, event, ws):
    if event.kind == "review.held" and event.payload["card"]:
        ws.locate(Artifact(**event.payload["card"])).read_text()


class KnowsAnEventByItsPlace(AcmeEvents):
    @hookimpl
    def on_event(self, event):
        seen = self.root / f"seen-{event.sequence}"
        if not seen.exists():
            seen.touch()
            super().on_event(event)


class DropsWhatItHears(AcmeEvents):
    @hookimpl
    def on_event(self, event):
        pass


def rewritten(self, line, seconds):
    path = self.root / self.file
    text = path.read_bytes() if path.exists() else b""
    time.sleep(seconds)
    temporary = path.with_name(f"{threading.get_ident()}-{os.getpid()}")
    temporary.write_bytes(text + line)
    temporary.replace(path)


LOCK = threading.Lock()


@instead_of_writing
def writes_the_file_anew(self, line):
    rewritten(self, line, seconds=0.001)


@instead_of_writing
def locks_out_its_own_threads_only(self, line):
    with LOCK:
        rewritten(self, line, seconds=0.5)


@before_writing
def prints_what_happens(self, event, ws):
    print(event.kind)  # noqa: T201  (it is what must not be)


@before_writing
def works_in_another_folder(self, event, ws):
    os.chdir(self.root)


@before_writing
def sets_a_variable(self, event, ws):
    os.environ["ACME_RUN"] = event.subject


@before_writing
def hides_its_files(self, event, ws):
    os.umask(0o177)


@before_writing
def takes_over_a_signal(self, event, ws):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@before_writing
def sends_later_from_a_thread(self, event, ws):
    threading.Thread(target=time.sleep, args=(1.0,), name="sender").start()


@instead_of_writing
def writes_only_what_is_newer(self, line):
    path = self.root / self.file
    lines = path.read_text().splitlines() if path.exists() else []
    if not lines or json.loads(line)["sequence"] > json.loads(lines[-1])["sequence"]:
        AcmeEvents._append(self, line)


BUSY = threading.Lock()


@instead_of_writing
def refuses_while_it_writes(self, line):
    if not BUSY.acquire(blocking=False):
        raise Unavailable("busy")
    try:
        time.sleep(0.05)
        AcmeEvents._append(self, line)
    finally:
        BUSY.release()


@instead_of_writing
def lets_an_error_of_the_system_through(self, line):
    with (self.root / self.file).open("ab") as log:
        log.write(line)


@instead_of_writing
def exits_without_its_backend(self, line):
    try:
        AcmeEvents._append(self, line)
    except Unavailable:
        raise SystemExit(3) from None


@instead_of_writing
def tries_again_for_long(self, line):
    try:
        AcmeEvents._append(self, line)
    except Unavailable:
        time.sleep(0.3)


@plugin(contract="1.0")
class ShowsItsToken(AcmeEvents):
    token: str | Secret[str] = setting("", doc="who we are")

    def _append(self, line):
        try:
            super()._append(line)
        except Unavailable:
            address = f"https://{self.token.reveal()}@example.org"
            raise Unavailable(f"{address} does not answer") from None


@plugin(contract="1.0")
class PrintsItsToken(AcmeEvents):
    token: str | Secret[str] = setting("", doc="who we are")

    def __repr__(self):
        token = self.token.reveal() if isinstance(self.token, Secret) else self.token
        return f"PrintsItsToken({token})"


class HearsRuns(AcmeEvents):
    on_event = None

    @hookimpl
    def on_run(self, run):
        pass


MUTANTS = [
    (AnswersTheEvent, "it_hears_every_kind", "on_event gives str"),
    (expects_a_run, "it_hears_every_kind", "an event without a run"),
    (DropsWhatItHears, "every_kind_arrives", "did not arrive: run.started"),
    (refuses_an_unknown_kind, "it_passes_over_an_unknown_kind", "unknown kind model.retired"),
    (redacts_in_place, "it_changes_nothing_of_what_it_hears",
     "the payload of dataset.kept was changed"),
    (signs_the_event, "it_changes_nothing_of_what_it_hears", "the event run.started was changed"),
    (refuses_an_event_twice, "an_event_twice_is_no_error", "breaks it: Conflict: heard before"),
    (expects_order, "order_makes_no_difference", "events come out of order"),
    (names_a_file_by_the_run, "nothing_that_is_written_breaks_it",
     "the text of an event names a file outside of the project"),
    (believes_that_checks_have_values, "nothing_that_is_written_breaks_it",
     "checks.measured with the text '' breaks it: KeyError"),
    (believes_that_a_payload_has_a_shape, "nothing_that_is_written_breaks_it",
     "run.started with the text '' breaks it: KeyError"),
    (refuses_a_huge_event, "a_huge_event_is_heard", "too large"),
    (works_long_on_a_huge_event, "a_huge_event_is_heard",
     " s, and the run waits for it"),
    (needs_the_card, "artifacts_may_be_gone", "a review whose card is gone breaks it: NotFound"),
    (takes_a_card_for_a_file, "artifacts_may_be_gone", "a review with a card breaks it: IsADirec"),
    (writes_only_what_is_newer, "late_and_repeated_events_arrive", "did not arrive"),
    (refuses_while_it_writes, "many_tell_it_at_once", "breaks it: Unavailable: busy"),
    (KnowsAnEventByItsPlace, "projects_are_apart", "of 2 events 1 did not arrive"),
    (writes_the_file_anew, "threads_lose_nothing", "did not arrive"),
    (locks_out_its_own_threads_only, "processes_lose_nothing", "did not arrive"),
    (prints_what_happens, "it_prints_nothing", "it prints to standard output"),
    (works_in_another_folder, "it_leaves_the_process_as_it_was", "it changes the current folder"),
    (sets_a_variable, "it_leaves_the_process_as_it_was", "it changes the environment"),
    (hides_its_files, "it_leaves_the_process_as_it_was", "it changes the mask for new files"),
    (takes_over_a_signal, "it_leaves_the_process_as_it_was", "it changes the signals"),
    (sends_later_from_a_thread, "it_leaves_the_process_as_it_was",
     "the thread 'sender' keeps the process from ending"),
    (lets_an_error_of_the_system_through, "a_backend_that_is_away_is_said",
     "a backend that is away breaks it: FileNotFoundError"),
    (exits_without_its_backend, "a_backend_that_is_away_is_said",
     "a backend that is away breaks it: SystemExit"),
    (tries_again_for_long, "a_backend_that_is_away_is_said",
     " s for a backend that is away"),
    (ShowsItsToken, "no_error_shows_a_secret", "an error shows the secret setting 'token'"),
    (PrintsItsToken, "a_secret_setting_is_not_printed", "shows the secret setting 'token'"),
    (HearsRuns, "it_keeps_to_the_form", "the contract has no hook 'on_run'"),
]  # fmt: skip


@pytest.fixture
def _as_before(monkeypatch, tmp_path):
    """What a mutant does to the process is undone."""
    handler, mask = signal.getsignal(signal.SIGTERM), os.umask(0o022)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACME_RUN", "none")
    yield
    signal.signal(signal.SIGTERM, handler)
    os.umask(mask)


@pytest.mark.usefixtures("_as_before")
@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence, monkeypatch):
    """An observer with one broken promise fails that promise's test, in words that say it."""
    monkeypatch.setattr(events, "_PATIENCE", 0.5)
    catches(AcmeEventsSuite, lambda folder: mutant(root=folder), test, sentence)


@pytest.mark.parametrize("made", [AcmeEvents, AcmeTracker])
def test_the_observers_that_the_templates_have_keep_every_promise(made):
    """Without a mutation nothing is broken; what cannot be read back or go away is unclaimed."""
    suite = AcmeEventsSuite if made is AcmeEvents else AcmeTrackerSuite
    left = {one.test for one in unclaimed(suite, lambda folder: made(root=folder))}
    assert left == {"test_no_error_shows_a_secret"}


def test_every_kind_that_the_ledger_writes_is_told_by_example(request):
    """The examples are of the kinds that the reference of the ledger documents, and of all."""
    text = (request.config.rootpath / "docs/reference/ledger.md").read_text(encoding="utf-8")
    assert set(PAYLOADS) == set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
