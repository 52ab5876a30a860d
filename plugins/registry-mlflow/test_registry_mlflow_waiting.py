"""Tags of releases for which a real MLflow server could not be reached at once."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import uuid
from urllib.parse import urlsplit

import pytest
from ports import free_port

from interlock_hookspecs import Unavailable
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.happenings import event_of
from interlock_hookspecs.conformance.versions import NAME, register
from interlock_registry_mlflow import MlflowRegistry
from interlock_registry_mlflow.releases import Told

pytestmark = pytest.mark.real_backend


class Line:
    """The way to a server, which can be cut and mended."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._server, self._open = (parts.hostname, parts.port), []
        self._port = free_port()
        self.mend()
        self.url = f"http://127.0.0.1:{self._port}"

    def mend(self):
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self):
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(mlflow_server):
    made = Line(mlflow_server.url)
    yield made
    made.cut()


@pytest.fixture
def registry(line, tmp_path):
    prefix = f"{uuid.uuid4().hex}."
    return MlflowRegistry(uri=line.url, prefix=prefix, attempts=1, timeout=25.0, root=tmp_path)


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace")


def tags_of(registry, number):
    """The tags of a version, as MLflow has them."""
    backend = registry._open()
    return backend.registry.get_model_version(backend.written(NAME), number).tags


def released(model, release):
    return event_of("release.made", {"record": {"model": model}}, project=NAME, subject=release)


def test_a_release_is_noted_when_the_server_is_back(registry, line, ws):
    """With the next alias; the warning says where it waits meanwhile."""
    made = register(registry, "a", ws)
    line.cut()
    with pytest.raises(Unavailable, match=r"nothing listens there.*mlflow-releases\.jsonl"):
        registry.on_event(released(made.model.digest, "release-7"))
    revoked = event_of("release.revoked", {}, project=NAME, subject="release-7")
    with pytest.raises(Unavailable, match="waits in"):
        registry.on_event(revoked)
    with pytest.raises(Unavailable):
        registry.set_alias(NAME, "champion", None, made.number)
    line.mend()
    registry.set_alias(NAME, "champion", None, made.number)
    tags = tags_of(registry, made.number)
    assert (tags["interlock.release"], tags["interlock.revoked"]) == ("release-7", "release-7")
    assert registry._waiting().path.read_text() == ""


def test_a_later_release_stays(registry, ws):
    """Another machine told of it while ours had not come through."""
    made = register(registry, "a", ws)
    registry.on_event(released(made.model.digest, "release-8"))
    registry._waiting().add(Told(project=NAME, release="release-7", model=made.model.digest))
    register(registry, "b", ws)
    assert tags_of(registry, made.number)["interlock.release"] == "release-8"
    assert registry._waiting().path.read_text() == ""


def test_what_is_anothers_or_torn_is_left(registry, ws):
    """Two stacks of a project may have a server each; a crash may have cut a line."""
    made = register(registry, "a", ws)
    waiting = registry._waiting()
    told = Told(project=NAME, release="release-7", model=made.model.digest)
    other = MlflowRegistry(uri="http://127.0.0.1:9", root=registry.root)._waiting()
    other.add(told)
    with waiting.path.open("a") as file:
        file.write('{"server": "torn\n')
    waiting.add(told)
    registry.on_event(released(made.model.digest, "release-9"))
    kept = waiting.path.read_text().splitlines()
    assert json.loads(kept[0])["server"] == other.server != waiting.server
    assert kept[1:] == ['{"server": "torn']
    assert tags_of(registry, made.number)["interlock.release"] == "release-9"


def test_what_mlflow_refuses_does_not_wait_for_ever(registry, ws):
    """An id that it cannot store fails no registration, and goes."""
    register(registry, "a", ws)
    registry._waiting().add(Told(project=NAME, release="x" * 10_000, model="sha256:" + "d" * 64))
    register(registry, "b", ws)
    assert registry._waiting().path.read_text() == ""
