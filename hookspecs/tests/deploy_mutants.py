# ruff: noqa: INP001  (tests are no packages: pytest has this folder on its path)
"""Servers that are wrong on purpose, made of a right one: what the tests of the suite share."""

from collections.abc import Callable
from typing import Any

import pytest

from interlock_deploy_acme import AcmeServer
from interlock_hookspecs import OpenTarget, hookimpl
from interlock_hookspecs.conformance import endpoints, serving

Mutation = Callable[..., Any]


class Through:
    """Something that core gives a server, with some of it changed."""

    def __init__(self, inner: Any, **changed: Mutation) -> None:
        self._inner = inner
        self._changed = changed

    def __getattr__(self, name: str) -> Any:
        if name in self._changed:
            return self._changed[name](self._inner)
        return getattr(self._inner, name)


def server(**given: Mutation) -> Callable[[str], type[AcmeServer]]:
    """A server that takes what core gives it through a function for each: feed, captures."""
    through: dict[str, Mutation] = {"feed": _same, "captures": _same, **given}

    def make(name: str) -> type[AcmeServer]:
        class Mutant(AcmeServer):
            @hookimpl
            def serve_endpoint(self, endpoint: Any, feed: Any, captures: Any, ws: Any) -> None:
                if "change" in given:
                    given["change"]()
                feed = through["feed"](feed)
                captures = through["captures"](captures)
                AcmeServer.serve_endpoint(self, endpoint, feed, captures, ws)

        Mutant.__name__ = name
        return Mutant

    return make


def _same(given: Any) -> Any:
    return given


def with_targets(function: Mutation) -> type[AcmeServer]:
    """A server whose targets are others, at each moment."""

    def changed(feed: Any) -> Any:
        return Through(feed, current=lambda inner: function(inner.current))

    return server(feed=changed)(function.__name__)


def with_model(function: Mutation) -> type[AcmeServer]:
    """A server whose models predict through a function of the predictor and the rows."""

    def current(targets: Any) -> tuple[OpenTarget, ...]:
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


def with_captures(function: Mutation) -> type[AcmeServer]:
    """A server that captures something else: None for nothing."""

    def put(sink: Any) -> Mutation:
        def changed(capture: Any) -> Any:
            made = function(capture)
            return True if made is None else sink.put(made)

        return changed

    return server(captures=lambda sink: Through(sink, put=put))(function.__name__)


def changing(function: Mutation) -> type[AcmeServer]:
    """A server whose module was changed before it serves."""
    return server(change=function)(function.__name__)


LATE = ("not all", "never", "does not return", "a thread keeps", "still", "but a mirror", "status")
"""Of what a suite says once it has waited for long enough."""


def impatient(monkeypatch: pytest.MonkeyPatch, sentence: str) -> None:
    """Let the suite send less, and give up soon where that is how it finds what is wrong.

    Elsewhere it waits as ever: what a busy machine does late is not what is to be found.
    """
    monkeypatch.setattr(serving, "_HUGE", 1_000_000)
    if any(word in sentence for word in LATE):
        monkeypatch.setattr(endpoints, "PATIENCE", 3.0)
    if sentence.startswith("a status takes"):
        monkeypatch.setattr(endpoints, "STATUS_SECONDS", 0.8)
