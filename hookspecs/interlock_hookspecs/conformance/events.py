"""The promises of an observer, of the roles ``track`` and ``events``.

It hears anything, changes nothing of it, and disturbs nobody. What reached its backend only its
author can read back: a subclass that says how in `heard` claims that nothing is lost, and one that
says in `away` how the backend goes away, what happens then.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock_hookspecs import Workspace
from interlock_hookspecs.conformance.delivery import DeliveryPromises, crowd, tell
from interlock_hookspecs.conformance.happenings import (
    PAYLOADS,
    event_of,
    hostile,
    life,
    missing_card,
    with_card,
)
from interlock_hookspecs.conformance.leaks import SECRET, said_by, with_secrets
from interlock_hookspecs.conformance.suite import another, ask
from interlock_hookspecs.conformance.together import at_once, in_processes
from interlock_hookspecs.conformance.workspace import LocalWorkspace

_HUGE = 4_000_000
_PATIENCE = 30.0


class EventsSuite(DeliveryPromises):
    """What core relies on in whoever hears events."""

    role = "events"

    def away(self, plugin: Any) -> Any:  # noqa: ARG002  (a subclass uses it)
        """The plugin with a backend that cannot be reached; None: nothing of it can be away."""
        return None

    def test_it_hears_every_kind(self, plugin: Any, ws: Workspace) -> None:
        """An event of any kind that the ledger writes is heard, and nothing is given back."""
        for event in life():
            tell(plugin, event, ws)

    def test_it_passes_over_an_unknown_kind(self, plugin: Any, ws: Workspace) -> None:
        """A kind of event that did not exist when it was written is no error."""
        for kind in ("model.retired", "run", "", "x" * 500, "run.started.again", "Ümlaut.✓"):
            event = event_of(kind or " ", {"run": "run-1", "anything": [1, {"a": None}]})
            tell(plugin, event, ws)

    def test_it_changes_nothing_of_what_it_hears(self, plugin: Any, ws: Workspace) -> None:
        """The event is the same after it was heard, down to the inner tables of its payload."""
        for kind, payload in PAYLOADS.items():
            event = event_of(kind, copy.deepcopy(payload))
            tell(plugin, event, ws)
            assert dict(event.payload) == payload, f"the payload of {kind} was changed"
            assert event == event_of(kind, payload), f"the event {kind} was changed"

    def test_an_event_twice_is_no_error(self, plugin: Any, ws: Workspace) -> None:
        """An event that is told again, also to another instance, is heard or passed over."""
        event = event_of("checks.measured")
        for one in (plugin, plugin, another(plugin)):
            tell(one, event, ws)

    def test_order_makes_no_difference(self, plugin: Any, ws: Workspace) -> None:
        """Events that come late, and of a run whose beginning was not heard, are no error."""
        for event in reversed(life()):
            tell(plugin, event, ws)

    def test_nothing_that_is_written_breaks_it(self, plugin: Any, ws: Workspace) -> None:
        """A payload of any shape, and any text in it, is heard: an event is not to be refused."""
        escape = f"escaped-{uuid.uuid4().hex}"
        for what, event in hostile(escape).items():
            tell(plugin, event, ws, what=what)
        home = Path(getattr(plugin, "root", None) or Path.cwd()).resolve()
        for folder in home.parents[:2]:
            for path in folder.glob(f"{escape}*"):
                path.unlink()
                raise AssertionError("the text of an event names a file outside of the project")

    def test_a_huge_event_is_heard(self, plugin: Any, ws: Workspace) -> None:
        """A payload of several megabytes is heard, within seconds."""
        rows = [{"name": f"check_{place}", "value": 0.5} for place in range(20_000)]
        payload = {"run": "run-1", "checks": rows, "text": "x" * _HUGE}
        tell(another(plugin), event_of(), ws)
        started = time.monotonic()
        tell(plugin, event_of("checks.measured", payload), ws, what="a huge event")
        seconds = time.monotonic() - started
        assert seconds < _PATIENCE, f"a huge event takes {seconds:.0f} s, and the run waits for it"

    def test_artifacts_may_be_gone(self, plugin: Any, ws: Workspace) -> None:
        """It reads a card that the workspace has, and does without one that is gone."""
        tell(plugin, with_card(ws), ws, what="a review with a card")
        tell(plugin, missing_card(), ws, what="a review whose card is gone")

    def test_many_tell_it_at_once(self, plugin: Any, ws: Workspace) -> None:
        """Several threads and several processes may tell it at once."""
        told = crowd(500)
        at_once([functools.partial(tell, plugin, event, ws) for event in told])
        in_processes([functools.partial(tell, another(plugin), event, ws) for event in told])

    def test_it_prints_nothing(self, plugin: Any, ws: Workspace) -> None:
        """Standard output is the command's: a line in it breaks whoever reads its JSON."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            for event in life():
                tell(plugin, event, ws)
        assert printed.getvalue() == "", "it prints to standard output"

    def test_it_leaves_the_process_as_it_was(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Folder, environment and signals are the command's, and no thread keeps it from ending."""
        # From the first event on: a command tells few, and what is set up then stays set up.
        before, threads = _process(), set(threading.enumerate())
        for event in life():
            tell(plugin, event, ws)
        for name, value in _process().items():
            assert value == before[name], f"it changes the {name} of the process"
        left = [thread for thread in set(threading.enumerate()) - threads if not thread.daemon]
        assert not left, f"the thread {left[0].name!r} keeps the process from ending"

    def test_a_backend_that_is_away_is_said(self, plugin: Any, ws: Workspace) -> None:
        """Without its backend it keeps the event for later or raises Unavailable, in seconds."""
        # What is imported at the first event is no wait for a backend.
        tell(another(plugin), event_of(), ws, away=True)
        with self._gone(plugin) as gone:
            started = time.monotonic()
            for kind in ("run.started", "checks.measured", "run.finished"):
                tell(gone, event_of(kind), ws, what="a backend that is away", away=True)
            seconds = time.monotonic() - started
            assert seconds < _PATIENCE, f"it waits {seconds:.0f} s for a backend that is away"

    def test_no_error_shows_a_secret(self, plugin: Any, ws: LocalWorkspace) -> None:
        """What it raises without its backend shows no setting that came from the environment."""
        secret = dict(with_secrets(plugin))
        if not secret:
            pytest.skip("optional: no setting of the plugin may be a secret")
        for name, made in secret.items():
            with self._gone(made) as gone:
                said = ""
                try:
                    ask(gone, "on_event", event=event_of(), ws=ws)
                except Exception as error:  # noqa: BLE001  (another test says which it may raise)
                    said = said_by(error)
                assert SECRET not in said, f"an error shows the secret setting {name!r}"

    @contextlib.contextmanager
    def _gone(self, plugin: Any) -> Iterator[Any]:
        gone = self.away(plugin)
        if gone is None:
            pytest.skip("optional: the suite does not say in `away` how its backend goes away")
        yield gone


def _process() -> dict[str, Any]:
    mask = os.umask(0)
    os.umask(mask)
    return {
        "current folder": Path.cwd(),
        "environment": dict(os.environ),
        "mask for new files": mask,
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)],
    }
