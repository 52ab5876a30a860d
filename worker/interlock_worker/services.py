"""What a hook works with and does not read: it stays where it is, and is called from afar.

For each there is the protocol of what may be called, and the object that stands for it in the
other process.
"""

from __future__ import annotations

import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from interlock_hookspecs import (
    Artifact,
    Capture,
    CaptureBatch,
    CaptureSink,
    Model,
    OpenTarget,
    Predictor,
    Signature,
    TargetFeed,
    Unsupported,
    Workspace,
)
from interlock_worker.codec import decode, encode

if TYPE_CHECKING:
    import pyarrow as pa


class Calling(Protocol):
    """How objects of the other process are called, as what stands for one here knows it."""

    def call(
        self, number: int, protocol: type[Any], method: str, arguments: Mapping[str, Any]
    ) -> Any:
        """Call a method of one of its objects."""

    def drop(self, number: int) -> None:
        """Note that an object is not needed here any more."""

    def opener(self, format: str, settings: Mapping[str, Any]) -> Any:  # noqa: A002  (the field's own word)
        """The plugin that owns a model format in this process's environment."""


class Remote:
    """Stands for an object of the other process; when it goes, the other side may forget it."""

    def __init__(self, peer: Calling, number: int, protocol: type[Any]) -> None:
        self._peer = peer
        self._number = number
        self._protocol = protocol
        weakref.finalize(self, peer.drop, number).atexit = False

    def _call(self, method: str, **arguments: Any) -> Any:
        return self._peer.call(self._number, self._protocol, method, arguments)


class _WorkspaceCalls(Workspace, Protocol):
    """What may be called on a workspace from afar."""

    def opener_settings(self, format: str) -> Any:  # noqa: A002  (the field's own word)
        """The settings of the plugin that owns a format, as plain values by name."""


class ServedWorkspace:
    """A workspace as the other process may call it."""

    def __init__(self, workspace: Any) -> None:
        self._workspace = workspace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)

    def opener_settings(self, format: str) -> Any:  # noqa: A002  (the field's own word)
        """What the owner of a format is set to here; nothing where the workspace cannot say."""
        opener = getattr(self._workspace, "opener", None)
        return settings_of(opener(format)) if opener is not None else {}


def settings_of(plugin: Any) -> dict[str, Any]:
    """The fields of a plugin that its constructor takes, by the name it takes them under."""
    fields = attrs.fields(type(plugin))
    return {field.alias: getattr(plugin, field.name) for field in fields if field.init}


class RemoteWorkspace(Remote):
    """The workspace in a worker: it calls back, and writes models with the opener that is here."""

    def __init__(self, peer: Calling, number: int, run_id: str) -> None:
        super().__init__(peer, number, _WorkspaceCalls)
        self.run_id = run_id

    @property
    def log(self) -> logging.Logger:
        """A logger whose records go to the other process, under the plugin's name."""
        return logging.getLogger("interlock.plugins")

    def scratch(self) -> Path:
        """As the contract says."""
        path: Path = self._call("scratch")
        return path

    def keep(self, path: Path, *, name: str | None = None) -> Artifact:
        """As the contract says. Both processes see the same files."""
        kept: Artifact = self._call("keep", path=Path(path).absolute(), name=name)
        return kept

    def locate(self, artifact: Artifact) -> Path:
        """As the contract says."""
        path: Path = self._call("locate", artifact=artifact)
        return path

    def write_model(self, format: str, fitted: Any, signature: Signature) -> Model:  # noqa: A002  (the field's own word)
        """Write a fitted object with the opener of this environment.

        A fitted object cannot cross; the model file that is made of it can.

        Raises:
            Unsupported: this environment lacks the opener of the format.
        """
        opener = self._peer.opener(format, self._call("opener_settings", format=format))
        model = opener.write_model(format=format, fitted=fitted, signature=signature, ws=self)
        if not isinstance(model, Model):
            msg = f"model-{format}, hook write_model: gave {type(model).__name__}, expected Model"
            raise TypeError(msg)
        return model

    def open_model(self, model: Model) -> Predictor:
        """Open a model in the other process; its predictor stays there and is called from here."""
        predictor: Predictor = self._call("open_model", model=model)
        return predictor

    def package_model(self, target: str, model: Model, rows: pa.Table | None = None) -> Model:
        """As the contract says."""
        packaged: Model = self._call("package_model", target=target, model=model, rows=rows)
        return packaged

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        """As the contract says."""
        self._call("progress", message=message, done=done, total=total)

    def project_attribute(self, name: str) -> Any:
        """An attribute of the project's module, where it is a plain value.

        Raises:
            NotFound: there is none of this name.
            Unsupported: it is a function, a class or another thing that cannot cross.
        """
        try:
            return self._call("project_attribute", name=name)
        except Unsupported as error:
            msg = f"the project's {name!r}: {error}; run this plugin in the project's own process"
            raise Unsupported(msg) from error


class RemotePredictor(Remote):
    """An opened model of the other process."""

    def __init__(self, peer: Calling, number: int, signature: Any) -> None:
        super().__init__(peer, number, Predictor)
        self.signature = decode(Signature, signature)

    def predict(self, rows: pa.Table) -> pa.Table:
        """Score rows over there."""
        return self._call("predict", rows=rows)


class RemoteSink(Remote):
    """Where a server in a worker puts its answers."""

    def __init__(self, peer: Calling, number: int, _: Any) -> None:
        super().__init__(peer, number, CaptureSink)

    def put(self, capture: Capture) -> bool:
        """As the contract says."""
        return bool(self._call("put", capture=capture))

    def put_batch(self, batch: CaptureBatch) -> bool:
        """As the contract says."""
        return bool(self._call("put_batch", batch=batch))

    @property
    def lost(self) -> int:
        """As the contract says."""
        return int(self._call("lost"))


class _FeedCalls(Protocol):
    """What may be called on a feed from afar: its targets cross when they changed only."""

    def changed(self) -> tuple[OpenTarget, ...] | None:
        """The targets, where they are others than when this was last asked."""

    def predictors(self) -> tuple[int, ...]:
        """For each target that was given last a number, the same as long as its predictor is."""

    def watch(self, changed: Callable[[], None]) -> None: ...

    def started(self, address: str) -> None: ...

    @property
    def problem(self) -> str: ...


class ServedFeed:
    """A feed as the other process may call it."""

    def __init__(self, feed: TargetFeed) -> None:
        self._feed = feed
        self._given: tuple[OpenTarget, ...] | None = None
        self._numbers = itertools.count()
        # Each predictor is kept with its number, so that no other gets its id.
        self._numbered: dict[int, tuple[Any, int]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def changed(self) -> tuple[OpenTarget, ...] | None:
        """The targets, where they are another tuple than the last that was given."""
        current = self._feed.current
        if current is self._given:
            return None
        self._given = current
        before = self._numbered
        self._numbered = {}
        for predictor in (target.predictor for target in current):
            known = before.get(id(predictor)) or (predictor, next(self._numbers))
            self._numbered[id(predictor)] = known
        return current

    def predictors(self) -> tuple[int, ...]:
        """The numbers of the predictors of the tuple that was given last."""
        return tuple(self._numbered[id(target.predictor)][1] for target in self._given or ())


class RemoteFeed(Remote):
    """What a server in a worker is to serve."""

    def __init__(self, peer: Calling, number: int, _: Any) -> None:
        super().__init__(peer, number, _FeedCalls)
        self._lock = threading.Lock()
        self._current: tuple[OpenTarget, ...] = ()
        self._predictors: dict[int, Predictor] = {}

    @property
    def current(self) -> tuple[OpenTarget, ...]:
        """As the contract says; the same tuple until it is another, with predictors that stay."""
        with self._lock:
            changed = self._call("changed")
            if changed is not None:
                numbers = self._call("predictors")
                before = self._predictors
                self._current = tuple(
                    attrs.evolve(target, predictor=before.get(number, target.predictor))
                    for target, number in zip(changed, numbers, strict=True)
                )
                told = zip(numbers, self._current, strict=True)
                self._predictors = {number: target.predictor for number, target in told}
            return self._current

    def watch(self, changed: Callable[[], None]) -> None:
        """As the contract says; called back on a thread of this process."""
        self._call("watch", changed=changed)

    def started(self, address: str) -> None:
        """As the contract says."""
        self._call("started", address=address)

    @property
    def problem(self) -> str:
        """As the contract says."""
        return str(self._call("problem"))


class _Callback(Protocol):
    def __call__(self) -> None: ...


class RemoteCallback(Remote):
    """A function of the other process, without arguments."""

    def __init__(self, peer: Calling, number: int, _: Any) -> None:
        super().__init__(peer, number, _Callback)

    def __call__(self) -> None:
        """Call it."""
        self._call("__call__")


def _itself(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None


@attrs.frozen(eq=False)
class Service:
    """How one kind of object is called from afar.

    Attributes:
        kind: the annotation in the contract that it stands under.
        protocol: what may be called.
        remote: makes what stands for it: of the peer, its number, and what came along.
        serve: gives the object that answers the calls.
        along: gives what comes along, as JSON values.
    """

    kind: Any
    protocol: type[Any]
    remote: Callable[[Any, int, Any], Any]
    serve: Callable[[Any], Any] = _itself
    along: Callable[[Any], Any] = _nothing


SERVICES = (
    Service(
        Workspace, _WorkspaceCalls, RemoteWorkspace, ServedWorkspace, lambda ws: str(ws.run_id)
    ),
    Service(
        Predictor,
        Predictor,
        RemotePredictor,
        along=lambda predictor: encode(predictor.signature),
    ),
    Service(CaptureSink, CaptureSink, RemoteSink),
    Service(TargetFeed, _FeedCalls, RemoteFeed, ServedFeed),
    Service(Callable[[], None], _Callback, RemoteCallback),
)
"""Everything of the contract that is called and not read."""
