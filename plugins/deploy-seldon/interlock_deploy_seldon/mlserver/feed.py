"""Core's feed with the models in an MLServer: what our server is handed to serve.

A change of core's is handed on once MLServer has all that it names; what was served before is
served until then. What left is unloaded when its last answer was given.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs

from interlock_deploy_seldon.mlserver.packing import Pack, pack
from interlock_deploy_seldon.mlserver.predictor import RemotePredictor
from interlock_hookspecs import OpenTarget, PluginError, TargetFeed, Unavailable

if TYPE_CHECKING:
    from interlock_deploy_seldon.mlserver.api import Api
    from interlock_deploy_seldon.mlserver.repository import Repository
    from interlock_hookspecs import Predictor, Workspace

_TICK_SECONDS = 0.5
_LOOK_SECONDS = 5.0
_AGAIN_SECONDS = (2.0, 60.0)
"""After which time what failed is tried again: at first, and at last, twice as long each time."""
_END_SECONDS = 5.0
_LINGER_SECONDS = 2.0
"""How long a model stays that is served no longer: who has just read that it is may still come."""


@attrs.define(eq=False)
class _Known:
    """A model that MLServer has for us.

    Attributes:
        opened: core's own predictor of it.
        remote: ours.
        left: when it was handed over last, by the monotonic clock; infinite while it is.
    """

    opened: Predictor
    remote: RemotePredictor
    left: float = float("inf")


class RemoteFeed:
    """A target feed whose predictors ask an MLServer.

    Args:
        feed: core's.
        repository: where MLServer finds models.
        api: the MLServer.
        ws: locates models' files, and logs.
        patience: seconds that an MLServer which does not answer is waited for at first.
    """

    def __init__(
        self,
        feed: TargetFeed,
        repository: Repository,
        api: Api,
        ws: Workspace,
        *,
        patience: float = 0.0,
    ) -> None:
        self._feed = feed
        self._repository = repository
        self._api = api
        self._ws = ws
        self._patience = patience
        self._known: list[_Known] = []
        self._current: tuple[OpenTarget, ...] = ()
        self._watchers: list[Callable[[], None]] = []
        self._trouble = ""
        self._lost = ""
        self._again = 0.0
        self._look_at = 0.0
        self._wait = _AGAIN_SECONDS[0]
        self._told = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._follow, name="mlserver-feed", daemon=True)

    def __enter__(self) -> Self:
        """Have MLServer load what is to be served now.

        Raises:
            PluginError: it cannot be.
        """
        self._feed.watch(self._told.set)
        try:
            self._begin()
        except BaseException:
            self._leave_all()
            raise
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Need no model any more. Our server has given its last answer."""
        self._closing = True
        self._told.set()
        self._thread.join(_END_SECONDS)
        # One that still waits for MLServer holds its models until this process ends.
        if not self._thread.is_alive():
            self._leave_all()

    @property
    def current(self) -> tuple[OpenTarget, ...]:
        """What is to be served, and MLServer has loaded."""
        return self._current

    @property
    def problem(self) -> str:
        """Why the targets may be out of date, or not be answered for."""
        return "; ".join(filter(None, (self._feed.problem, self._trouble, self._lost)))

    @property
    def answers(self) -> bool:
        """Whether MLServer answers for the models, as far as it is known."""
        return not self._lost

    def watch(self, changed: Callable[[], None]) -> None:
        """Call back each time that `current` became another tuple."""
        self._watchers.append(changed)

    def started(self, address: str) -> None:
        """Tell core that our server listens."""
        self._feed.started(address)

    def _begin(self) -> None:
        """The first targets; an MLServer that is just being started again is waited for."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._take(self._feed.current)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_TICK_SECONDS)
            else:
                return

    def _leave_all(self) -> None:
        for known in self._known:
            self._repository.leave(known.remote.held)

    def _follow(self) -> None:
        seen = self._feed.current if not self._trouble else None
        while True:
            self._told.wait(_TICK_SECONDS)
            self._told.clear()
            if self._closing:
                return
            wanted = self._feed.current
            if wanted is not seen:
                self._wait = _AGAIN_SECONDS[0]
            if wanted is not seen or (self._trouble and time.monotonic() >= self._again):
                seen = wanted
                self._try(wanted)
            # Unasked, too: an MLServer that has lost its models or hangs is not ready. One that is
            # at work for us says nothing meanwhile, and has a time of its own for that.
            busy = any(known.remote.is_asked for known in self._known)
            if self._lost or (time.monotonic() >= self._look_at and not busy):
                self._look_after()
            self._let_go()

    def _try(self, wanted: tuple[OpenTarget, ...]) -> None:
        try:
            self._take(wanted)
        except Exception as error:  # noqa: BLE001  (what is served goes on, whatever it is)
            self._say(error)
        else:
            self._trouble = ""

    def _say(self, error: Exception) -> None:
        text = str(error) if isinstance(error, PluginError) else repr(error)
        if text != self._trouble:
            self._ws.log.error("not everything is served that should be: %s", text)
        self._trouble = text
        self._again = time.monotonic() + self._wait
        self._wait = min(2 * self._wait, _AGAIN_SECONDS[1])

    def _take(self, targets: tuple[OpenTarget, ...]) -> None:
        """Have MLServer load what these need, then hand them over."""
        made = tuple(
            OpenTarget(target=target.target, predictor=self._remote(target)) for target in targets
        )
        if [one.target for one in made] == [one.target for one in self._current]:
            return
        self._current = made
        serving = {id(one.predictor) for one in made}
        for known in self._known:
            if id(known.remote) in serving:
                known.left = float("inf")
            elif known.left == float("inf"):
                known.left = time.monotonic()
        for changed in self._watchers:
            changed()

    def _remote(self, target: OpenTarget) -> RemotePredictor:
        for known in self._known:
            if known.opened is target.predictor:
                return known.remote

        def write(folder: Path) -> Pack:
            return pack(target, folder, self._ws)

        held = self._repository.take(write)
        signature = target.predictor.signature
        remote = RemotePredictor(signature, held, self._api, self._is_lost)
        # Until it is handed over it may be let go, should what it came with not load.
        self._known.append(_Known(target.predictor, remote, time.monotonic()))
        return remote

    def _is_lost(self) -> None:
        self._lost = "MLServer does not answer, and is looked after"
        self._told.set()

    def _look_after(self) -> None:
        """See that MLServer answers, and has all that is needed."""
        self._look_at = time.monotonic() + _LOOK_SECONDS
        try:
            for known in self._known:
                self._repository.see_to(known.remote.held)
        except PluginError as error:
            self._lost = f"models are not answered for: {error}"
        else:
            self._lost = ""

    def _let_go(self) -> None:
        now = time.monotonic()
        for known in [one for one in self._known if now - one.left > _LINGER_SECONDS]:
            if known.remote.users == 0:
                self._known.remove(known)
                self._repository.leave(known.remote.held)
