"""An endpoint that is locked: keys from the environment open it, and are found nowhere."""

import http.client
import json
from urllib.parse import urlsplit

import pytest
from ports import free_port

pytestmark = pytest.mark.real_backend
KEY = "3f1c9a7e5d2b8c4f6a0e"
LOCKED = """
[stack.dev.deploy-local]
api_keys = { mobile = "${MOBILE_KEY}" }
key_rights = { mobile = ["infer", "describe"] }
rate_limits = { mobile = 1000 }
"""


def asked(endpoint, **headers):
    url = urlsplit(endpoint["address"])
    link = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    try:
        row = {"x": 1.0, "z": 0.5, "group": "a"}
        path = f"/v2/models/{endpoint['endpoint']}/batch"
        link.request("POST", path, json.dumps({"rows": [row]}), headers)
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        link.close()


def test_a_key_of_the_environment_opens_an_endpoint(project, monkeypatch):
    """With it predictions come, without it none; no file and no command shows it."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(LOCKED)
    monkeypatch.setenv("MOBILE_KEY", KEY)
    said = made("run", "--until", "deploy")
    assert made.endpoint["now"] == "answers"
    status, answer = asked(made.endpoint, authorization=f"Bearer {KEY}")
    assert (status, len(answer["rows"])) == (200, 1)
    assert asked(made.endpoint, authorization=f"Bearer {KEY}x")[0] == 401
    printed = said.out + said.err + made("stack", "show").out + made("deployments", "--json").out
    made("undeploy")
    assert KEY not in printed
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    assert any("servers" in path.parts for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_key_is_changed_while_it_serves(project, monkeypatch):
    """Another server takes the place at the same port, with the key of now; the old one ends."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(LOCKED + f"port = {free_port()}\n")
    monkeypatch.setenv("MOBILE_KEY", KEY)
    made("run", "--until", "deploy")
    before = made.endpoint
    monkeypatch.setenv("MOBILE_KEY", KEY[::-1])
    made("deployments", "--restart")
    after, ended = made.listed("deployments", "--limit", 2)
    assert (after["address"], after["now"]) == (before["address"], "answers")
    assert (ended["id"], ended["now"]) == (before["id"], "removed")
    assert after["release"] == before["release"]
    assert asked(after, authorization=f"Bearer {KEY}")[0] == 401
    assert asked(after, authorization=f"Bearer {KEY[::-1]}")[0] == 200
    (line, first) = made.listed("deployments", "--history")
    assert (line["reason"], first["reason"]) == ("restart", "deploy")
    made("audit", "verify")


def test_a_key_is_not_written_in_the_stack_file(project):
    """A key in plain text is refused before anything runs, and not repeated."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(LOCKED.replace("${MOBILE_KEY}", KEY))
    said = made("stack", "check", expect=2)
    assert "api_keys.mobile: is a secret, and is not written in a file: write ${NAME}" in said.err
    assert KEY not in said.err
