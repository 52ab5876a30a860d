"""A server whose settings change: the next one takes its place, at the same port if need be."""

import contextlib
import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import psutil
import pytest
from ports import free_port

pytestmark = pytest.mark.real_backend
ROW = {"rows": [{"x": 1.0, "z": 0.5, "group": "a"}]}


@pytest.fixture
def port():
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture
def serving(project, port):
    """A project that serves at that port."""

    def begin(**settings):
        made = project()
        lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
        with (made.folder / "interlock.toml").open("a") as file:
            file.write(f"\n[stack.dev.deploy-local]\nport = {port}\nmax_rows = 5\n{lines}")
        made("run", "--until", "deploy")
        return made

    return begin


def ask(endpoint, rows):
    """The status of a request of so many rows, over a connection of its own."""
    url = urlsplit(endpoint["address"])
    link = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    with contextlib.closing(link):
        body = json.dumps({"rows": ROW["rows"] * rows})
        link.request("POST", f"/v2/models/{endpoint['endpoint']}/batch", body)
        return link.getresponse().status


def process_of(project):
    """The server of the latest deployment."""
    said = project.folder / ".interlock" / "servers" / f"{project.endpoint['id']}.json"
    return psutil.Process(json.loads(said.read_bytes())["process"]["pid"])


@pytest.mark.parametrize("workers", [1, 2])
def test_settings_change_at_a_fixed_port(serving, workers):
    """By the next deploy: the new server answers at the same address before the old one ends."""
    project = serving(workers=workers)
    before, old = project.endpoint, process_of(project)
    assert (ask(before, 5), ask(before, 6)) == (200, 413)
    stop, failed, answered = threading.Event(), [], []

    def load():
        while not stop.is_set():
            # A connection that the system gave to the old one in its last moment is asked again.
            for last in (False, False, True):
                try:
                    status = ask(before, 1)
                except OSError as error:
                    if last:
                        failed.append(repr(error))
                    continue
                (answered if status == 200 else failed).append(status)
                break

    client = threading.Thread(target=load)
    client.start()
    try:
        project.edit("max_rows = 5", "max_rows = 6")
        project("deploy")
    finally:
        stop.set()
        client.join(120)
    after, ended = project.listed("deployments", "--limit", 2)
    assert (after["address"], after["now"]) == (before["address"], "answers")
    assert (ended["id"], ended["now"]) == (before["id"], "removed")
    assert (ask(after, 6), ask(after, 7)) == (200, 413)
    assert answered
    assert failed == []
    assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE
    assert process_of(project).pid != old.pid


def test_a_server_that_cannot_start_takes_nobodys_place(serving, port):
    """Its port is another's: it is told, and what served serves on, as the champion."""
    project = serving()
    before = project.endpoint
    with socket.create_server(("127.0.0.1", free_port())) as other:
        taken = other.getsockname()[1]
        project.edit(f"port = {port}", f"port = {taken}")
        said = project("deploy", expect=1)
        assert f"cannot listen on 127.0.0.1:{taken}: Address already in use" in said.err
        said = project("deployments", "--restart", expect=1)
        assert "Address already in use" in said.err
    assert ask(before, 5) == 200
    listed = {one["id"]: one["now"] for one in project.listed("deployments")}
    assert [now for id_, now in listed.items() if id_ != before["id"]] == ["failed", "failed"]
    assert listed[before["id"]] == "answers"
    # What is live is known: the next release is held against it, and it is what is gone back to.
    status = project.listed("status")
    assert before["release"] in json.dumps(status)
    project("deploy")
    after = project.endpoint
    assert after["address"].endswith(f":{taken}")
    assert after["now"] == "answers"


def test_a_port_is_shared_with_nobody_else(serving, write_project_at, port, tmp_path):
    """Another endpoint at the same port is refused, though the next server of one shares it."""
    first = serving()
    second = write_project_at(tmp_path / "second")
    with (second.folder / "interlock.toml").open("a") as file:
        file.write(f"\n[stack.dev.deploy-local]\nport = {port}\n")
    said = second("run", "--until", "deploy", expect=1)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said.err
    assert ask(first.endpoint, 5) == 200


def test_a_server_that_is_down_is_started_with_the_settings_of_now(serving):
    """--restart starts it as --start does, and records nothing of a second one."""
    project = serving()
    before, old = project.endpoint, process_of(project)
    old.kill()
    old.wait(60)
    project.edit("max_rows = 5", "max_rows = 6")
    project("deployments", "--restart")
    (after,) = project.listed("deployments")
    assert (after["id"], after["address"], after["now"]) == (
        before["id"], before["address"], "answers"
    )  # fmt: skip
    assert (ask(after, 6), ask(after, 7)) == (200, 413)


def test_two_commands_that_replace_a_server_at_once_leave_one(project):
    """The slower one finds a newer server, and leaves it: each would have ended the other's."""
    from interlock.codec import decode
    from interlock.lifecycle.endpoints import _end_others
    from interlock_hookspecs import Deployment

    made = project()
    made("run", "--until", "deploy")
    older = made.endpoint
    made("deployments", "--restart")
    newer = made.endpoint
    assert newer["id"] > older["id"]
    _end_others(made.session(), decode(Deployment, older["body"]))
    assert (made.endpoint["id"], made.endpoint["now"]) == (newer["id"], "answers")
