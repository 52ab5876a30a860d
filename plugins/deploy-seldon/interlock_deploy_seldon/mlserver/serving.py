"""Serve an endpoint: our server in front, an MLServer behind, of our own or joined."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import interlock_serving
from interlock_deploy_seldon.mlserver.api import Api
from interlock_deploy_seldon.mlserver.feed import RemoteFeed
from interlock_deploy_seldon.mlserver.process import (
    REPOSITORY,
    OwnServer,
    Patience,
    executable,
    where,
)
from interlock_deploy_seldon.mlserver.repository import Repository
from interlock_hookspecs import CaptureSink, Endpoint, InvalidInput, TargetFeed, Unavailable
from interlock_serving.workers.peers import ENVIRONMENT as WORKER

if TYPE_CHECKING:
    from interlock_deploy_seldon.mlserver.settings import MLServerSettings
    from interlock_hookspecs import Workspace

_HOME = "INTERLOCK_DEPLOY_SELDON_HOME"
"""Tells a worker of several where the MLServer is that all of them ask."""


def serve(
    settings: MLServerSettings,
    endpoint: Endpoint,
    feed: TargetFeed,
    captures: CaptureSink,
    ws: Workspace,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: of the target.
        endpoint: which endpoint.
        feed: what to serve, now and from then on.
        captures: where answers are recorded.
        ws: locates models' files, and logs.

    Raises:
        InvalidInput: the settings contradict each other, or there is no MLServer.
        Unavailable: MLServer does not start, or does not answer; the address is taken.
        Unsupported: what is to be served first cannot be.
        PluginError: MLServer does not load it.
    """
    if settings.url:
        root = _repository_of(settings)
        with _front(settings, feed, _joined(settings), root, ws) as front:
            interlock_serving.serve_endpoint(settings, endpoint, front, captures, ws)
        return
    with _home(settings, ws) as home:
        api = Api(lambda: where(home), settings.answer_seconds, settings.load_seconds)
        with _front(settings, feed, api, home / REPOSITORY, ws) as front:
            interlock_serving.serve_endpoint(settings, endpoint, front, captures, ws)


@contextlib.contextmanager
def _front(
    settings: MLServerSettings, feed: TargetFeed, api: Api, root: Path, ws: Workspace
) -> Iterator[TargetFeed]:
    """The feed for our server: each of several workers has its own, who watches over them none."""
    try:
        if settings.has_supervisor and WORKER not in os.environ:
            yield feed
            return
        repository = Repository(root, api)
        repository.sweep()
        # A worker may begin while an MLServer that died is not back yet.
        patience = settings.start_seconds if WORKER in os.environ else 0.0
        with RemoteFeed(feed, repository, api, ws, patience=patience) as remote:
            yield remote
    finally:
        api.close()


@contextlib.contextmanager
def _home(settings: MLServerSettings, ws: Workspace) -> Iterator[Path]:
    """The folder of an MLServer of our own, which lives within this block; a worker is told it."""
    told = os.environ.pop(_HOME, None)
    if told is not None:
        yield Path(told)
        return
    command = executable(settings.mlserver, settings.root)
    home = ws.scratch()
    home.chmod(0o700)
    server = OwnServer(
        command,
        home,
        parallel_workers=settings.parallel_workers,
        python_path=tuple(settings.root / path for path in settings.python_path),
        inherit=settings.inherit,
        patience=Patience(
            start=settings.start_seconds,
            silent=max(settings.silent_seconds, settings.answer_seconds),
            load=settings.load_seconds,
        ),
        log=ws.log,
    )
    server.start()
    try:
        if settings.has_supervisor:
            os.environ[_HOME] = str(home)
        yield home
    finally:
        os.environ.pop(_HOME, None)
        server.close()


def _joined(settings: MLServerSettings) -> Api:
    """The MLServer that somebody else runs.

    Raises:
        Unavailable: it does not answer.
    """
    api = Api(lambda: settings.url, settings.answer_seconds, settings.load_seconds)
    if WORKER in os.environ:
        return api
    try:
        api.name()
    except Unavailable as error:
        raise Unavailable(f"url {settings.url}: {error}") from error
    return api


def _repository_of(settings: MLServerSettings) -> Path:
    if settings.repository is None:
        raise InvalidInput(
            "url names an MLServer to join: say repository, too, the folder of its models as this "
            "machine has it"
        )
    return settings.root / settings.repository
