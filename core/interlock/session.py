"""What a command works with: the stack, and the ledger, plugins and store behind it.

Each is opened when it is first used, so that a listing never imports a plugin.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from interlock.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from interlock.artifacts import ArtifactStore
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.errors import HookFailed
    from interlock.ledger import Ledger
    from interlock.ledger.asked import ServerReads
    from interlock.ledger.file_reads import FileReads
    from interlock.plugins.funnel import Funnel
    from interlock.plugins.watch import Watcher
    from interlock.redact import Redactor
    from interlock.stack import Stack
    from interlock_hookspecs import Actor, Event, Task


class Reporter(Protocol):
    """Who is told how work goes on: the terminal, or nobody."""

    def stage(self, name: str, text: str) -> None:
        """A stage began; text says with what."""

    def done(self, name: str, text: str, seconds: float) -> None:
        """A stage ended; text says with what result."""

    def progress(self, message: str, done: int | None, total: int | None) -> None:
        """How far the work is."""

    def note(self, text: str) -> None:
        """Something a person should know."""

    def warn(self, text: str) -> None:
        """Something a person should look at."""


class Silent:
    """A reporter that tells nobody."""

    def stage(self, name: str, text: str) -> None:
        pass

    def done(self, name: str, text: str, seconds: float) -> None:
        pass

    def progress(self, message: str, done: int | None, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass


class Session:
    """A stack, opened.

    Args:
        stack: as loaded from its file.
        actor: who acts; the account of the operating system where nothing is said.
        reporter: who is told.
        overrides: the ``key=value`` that were laid over the stack file, recorded with a run.

    Attributes:
        tells_always: whether the plugins are loaded to hear of an event where nothing else needs
            them.
        asks_late: whether a plugin whose settings lack a variable of the environment is refused
            only once it is asked. What works refuses before it begins; what reads, or serves, asks
            some plugins, and needs no secret of the others.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        actor: Actor | None = None,
        reporter: Reporter | None = None,
        overrides: tuple[str, ...] = (),
    ) -> None:
        self.stack = stack
        self.overrides = overrides
        self._actor = actor
        self.reporter: Reporter = reporter or Silent()
        self.watcher: Watcher | None = None
        self._patience: float | None = None
        self._warned: set[str] = set()
        self.tells_always = False
        self.asks_late = False

    @functools.cached_property
    def actor(self) -> Actor:
        """Who acts."""
        return self._actor or current_actor()

    @property
    def project(self) -> str:
        """The project's name: its chain in the ledger."""
        return self.stack.project.name

    @property
    def task(self) -> Task:
        """The task of the stack file.

        Raises:
            UsageError: it has none.
        """
        task = self.stack.task
        if task is None:
            msg = f"{self.stack.file}: there is no [task]: nothing says what to predict"
            raise UsageError(msg, hint='add [task] with dataset = "...", target = "..." and kind')
        return task

    @property
    def home(self) -> Path:
        """The project's folder for what is not configured elsewhere."""
        return self.stack.root / ".interlock"

    @functools.cached_property
    def ledger(self) -> Ledger:
        """The ledger, opened, and migrated where it is a file of ours."""
        from interlock.ids import follow
        from interlock.ledger import Ledger

        ledger = Ledger.open(self.stack.address("ledger"), actor=self.actor, observers=self._tell)
        if self._patience is not None:
            ledger.patience.seconds = self._patience
        for latest in ledger.reads.events(self.project, limit=1):
            follow(latest["id"])
        return ledger

    def wait_at_most(self, seconds: float) -> None:
        """How long a ledger that went away is waited for from now on."""
        self._patience = seconds
        if "ledger" in self.__dict__:
            self.ledger.patience.seconds = seconds

    @property
    def reads(self) -> ServerReads:
        """What a server asks of the ledger; one in a file is not opened for that."""
        light = None if "ledger" in self.__dict__ else self._light
        return self.ledger.reads if light is None else light

    @functools.cached_property
    def _light(self) -> FileReads | None:
        from interlock.ledger.file_reads import FileReads

        return FileReads.open(self.stack.address("ledger"))

    @functools.cached_property
    def funnel(self) -> Funnel:
        """The stack's plugins, loaded."""
        from interlock.plugins.load import load

        funnel = load(
            self.stack, warn=self.reporter.warn, late=self.asks_late, learn=self.redact.add
        )
        funnel.watcher = self.watcher
        return funnel

    @functools.cached_property
    def store(self) -> ArtifactStore:
        """The artifact store."""
        from interlock.artifacts import open_store

        return open_store(
            self.stack.address("artifacts"), self.home / "cache", limit=self.stack.artifacts_cache
        )

    @functools.cached_property
    def redact(self) -> Redactor:
        """Takes the stack's secrets out of a text: of every error's before it is recorded."""
        from interlock.redact import Redactor, collect_secrets

        return Redactor(collect_secrets(self.stack))

    def workspace(self, run_id: str, *, funnel: Funnel | None = None) -> CoreWorkspace:
        """A workspace for the hooks of one run or command; leave it to clean up.

        Args:
            run_id: of what, as its hooks are told.
            funnel: asked for openers; by default the one over all of the stack's plugins.
        """
        from interlock.artifacts.workspace import CoreWorkspace

        return CoreWorkspace(
            run_id=run_id,
            store=self.store,
            funnel=funnel or self.funnel,
            progress=self.reporter.progress,
            project=self._project_module,
        )

    def close(self) -> None:
        """Let go of the ledger, where it was opened."""
        for name in ("ledger", "_light"):
            opened = self.__dict__.get(name)
            if opened is not None:
                opened.close()

    def _project_module(self) -> ModuleType | None:
        from interlock.plugins.load import import_project

        path = self.stack.project.module
        return import_project(path) if path else None

    def _tell(self, event: Event) -> None:
        # A listing does not load plugins to tell them: those hear of it that are loaded anyway.
        if "funnel" not in self.__dict__ and not self.tells_always:
            return
        given: dict[str, Any] = {"event": event}
        with contextlib.ExitStack() as stack:
            # The store is not opened for observers that do not look into it.
            if self.funnel.asks("on_event", "ws"):
                given["ws"] = stack.enter_context(self.workspace(event.run or event.subject))
            failed: tuple[HookFailed, ...] = self.funnel.observe("on_event", **given)
        for error in failed:
            text = str(error)
            # One that is out of order is so at each event, and there are dozens in a run.
            if text not in self._warned:
                self._warned.add(text)
                self.reporter.warn(text)


def current_actor(environ: Mapping[str, str] = os.environ) -> Actor:
    """Who acts: ``INTERLOCK_ACTOR``, else the account. Unverified either way."""
    from interlock_hookspecs import Actor

    named = environ.get("INTERLOCK_ACTOR", "").strip() or _account()
    return Actor(subject=named, issuer=socket.gethostname())


def _account() -> str:
    import getpass

    return getpass.getuser()
