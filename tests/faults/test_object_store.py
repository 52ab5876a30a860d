"""Artifacts in an S3 store, on a real server: a model's whole life, and what goes wrong there."""

import base64
import os
import shutil
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from s3_server import BUCKET, OWNER, TEAM

from interlock.artifacts import open_store

pytestmark = pytest.mark.real_backend
KILLED = -9
DIES_AFTER = Path(__file__).with_name("dies_after.py")
STACKS = """
[stack.next]
extends = "dev"
artifacts = "{next}"

[stack.next.registry-sql]
url = "sqlite:///.interlock/next.db"

[stack.prod]
extends = "dev"
train = []
ledger = "sqlite:///.interlock/prod.db"
artifacts = "{prod}"

[stack.prod.registry-sql]
url = "sqlite:///.interlock/prod-registry.db"
"""
# Ends the process when the store has the first part of an object, and not the second.
DIES_IN_AN_UPLOAD = """
import os
import signal

from s3fs import S3FileSystem


async def call(self, method, *more, **arguments):
    answer = await _call(self, method, *more, **arguments)
    if method == "upload_part":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


_call, S3FileSystem._call_s3 = S3FileSystem._call_s3, call
"""
WITHOUT_THE_DRIVER = """
import sys

sys.modules["s3fs"] = None
"""
# Prints by how many bytes the peak of its memory grew; a first small artifact opens all it needs.
MEASURED = """
import resource
import sys
from pathlib import Path

from interlock.artifacts import open_store

path, address, cache = sys.argv[1:]
store = open_store(address, Path(cache))
store.check(store.keep_bytes(b"small", name="small"), afresh=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kept = store.keep(Path(path))
store.check(kept, afresh=True)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.fixture
def team(small, s3_server):
    """A small project of a member of the team, whose artifacts are under a prefix of its own."""
    small.environ |= s3_server.environ
    small.prefix = uuid.uuid4().hex
    small.edit('".interlock/artifacts"', f'"s3://{BUCKET}/{small.prefix}/dev"')
    with (small.folder / "interlock.toml").open("a") as file:
        places = {name: f"s3://{BUCKET}/{small.prefix}/{name}" for name in ("next", "prod")}
        file.write(STACKS.format(**places))
    return small


def key(project, digest, stack="dev"):
    """Where an artifact lies in the store."""
    name = digest.removeprefix("sha256:")
    return f"{BUCKET}/{project.prefix}/{stack}/sha256/{name[:2]}/{name}"


def model_key(project, stack="dev"):
    """Where the latest run's model lies in the store."""
    return key(project, project.run["model"], stack)


def another_machine(project):
    """Forget what was fetched here before."""
    shutil.rmtree(project.folder / ".interlock/cache", ignore_errors=True)


def test_a_models_whole_life(team, s3_server):
    """Run, serve, measure, verify, swap and promote; no secret and no host is written anywhere."""
    said = [team("run"), team("status")]
    assert team.endpoint["now"] == "answers"
    first = model_key(team)
    assert first in s3_server.objects(team.prefix)
    said += [team("monitor"), team("audit", "verify", "--artifacts")]
    # A machine that has fetched nothing serves it.
    another_machine(team)
    (server,) = team.servers()
    os.kill(server, signal.SIGKILL)
    said += [team("deploy")]
    assert team.endpoint["now"] == "answers"
    said += [team("stack", "plan", "--to", "next"), team("stack", "apply", "--to", "next")]
    assert first.replace("/dev/", "/next/") in s3_server.objects(team.prefix)
    said += [team("promote", team.run["version"], "--to", "prod")]
    resumed = team.listed("runs", "--stack", "prod")[0]["id"]
    said += [team("run", "--stack", "prod", "--resume", resumed, "--until", "review")]
    said += [team("audit", "verify", "--artifacts", "--stack", name) for name in ("next", "prod")]
    written = [path.read_bytes() for path in team.folder.rglob("*") if path.is_file()]
    written += [part.encode() for one in said for part in (one.out, one.err)]
    host = s3_server.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    for secret in (TEAM["AWS_SECRET_ACCESS_KEY"], host):
        assert not any(secret.encode() in text for text in written)


def test_an_upload_that_is_killed_shows_nothing_and_resume_ends_it(team, s3_server, rows, tmp_path):
    """Half of an object is no object; the same run goes on."""
    import pyarrow.parquet as pq

    # As large as it takes to be sent in parts.
    notes = [base64.b64encode(os.urandom(60_000)).decode() for _ in range(len(rows))]
    pq.write_table(rows.append_column("notes", [notes]), team.folder / "rows.parquet")
    team.edit('id = "id"', 'id = "id"\nexclude = ["notes"]')
    dies = tmp_path / "dies.py"
    dies.write_text(DIES_IN_AN_UPLOAD)
    team("run", "--until", "train", first=dies, expect=KILLED)
    assert s3_server.objects(team.prefix) == []
    assert [name for name in s3_server.unfinished() if team.prefix in name] != []
    team("run", "--resume", team.run["id"], "--until", "train")
    assert team("audit", "verify", "--artifacts").code == 0


def test_other_bytes_and_no_bytes_are_caught(team, s3_server):
    """By an audit even where the right ones were fetched before; by who deploys without them."""
    team("run", "--until", "review")
    model = model_key(team)
    right = s3_server.files.cat_file(model)
    s3_server.files.pipe_file(model, right[:-1] + bytes([right[-1] ^ 1]))
    digest = team.run["model"]
    said = team("audit", "verify", "--artifacts", expect=1)
    assert f"the bytes stored under {digest} are others" in said.out + said.err
    another_machine(team)
    said = team("deploy", expect=1)
    assert "are others" in said.err
    assert "restore the artifact from a backup" in said.err
    s3_server.files.rm_file(model)
    said = team("deploy", expect=1)
    assert f"the artifact store has nothing under {digest}" in said.err
    s3_server.files.pipe_file(model, right)
    assert team("audit", "verify", "--artifacts").code == 0


def test_a_store_that_goes_away_in_a_run_is_said_and_resume_goes_on(team, s3_server):
    """Where it stopped, what to do, and nothing done twice; its host is not told."""
    shutil.copy(DIES_AFTER, team.folder / "project.py")
    ends = {"KILL_AFTER": "version.registered 1", "ENDS": str(s3_server.pid)}
    said = team("run", expect=1, AWS_MAX_ATTEMPTS="1", **ends)
    try:
        assert "the store does not answer" in said.err
        assert "interlock run --resume" in said.err
        assert "127.0.0.1" not in said.err
        assert team("audit", "verify").code == 0
        said = team("audit", "verify", "--artifacts", expect=1, AWS_MAX_ATTEMPTS="1")
        assert "the store does not answer" in said.err
    finally:
        s3_server.start()
    team("run", "--resume", team.run["id"], "--until", "review")
    assert team.kinds(team.run["id"]).count("candidate.made") == 1
    assert team("audit", "verify", "--artifacts").code == 0


@pytest.mark.parametrize(
    ("bucket", "environ", "told"),
    [
        (
            "absent",
            {"AWS_ACCESS_KEY_ID": OWNER["key"], "AWS_SECRET_ACCESS_KEY": OWNER["secret"]},
            "there is no such bucket",
        ),
        ("others", {}, "access is denied"),
        (BUCKET, {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "access is denied"),
        (BUCKET, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "has no credentials"),
    ],
    ids=["no bucket", "another's bucket", "a wrong secret", "no credentials"],
)
def test_a_store_that_may_not_be_used_is_said(team, bucket, environ, told):
    """Which store, why, and what to do."""
    team.edit(f'"s3://{BUCKET}/{team.prefix}/dev"', f'"s3://{bucket}/{team.prefix}"')
    said = team("run", expect=1, HOME=str(team.folder), **environ)
    assert f"artifacts: {bucket}/{team.prefix}" in said.err
    assert told in said.err
    assert "not-the-secret" not in said.err


def test_without_its_driver_it_says_what_to_install(team, tmp_path):
    """The name of the extra."""
    without = tmp_path / "without.py"
    without.write_text(WITHOUT_THE_DRIVER)
    said = team("run", first=without, expect=1)
    assert 'pip install "interlock-core[s3]"' in said.err


def test_many_writers_of_one_artifact_keep_it_once(team, s3_server, tmp_path, monkeypatch):
    """All at the same time, in parts; each of them reads it."""
    for name, value in s3_server.environ.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(20 << 20))
    address, ready = f"s3://{BUCKET}/{team.prefix}/many", Barrier(4)

    def write(place):
        store = open_store(address, tmp_path / f"cache {place}")
        ready.wait()
        kept = store.keep(path)
        store.check(kept, afresh=True)
        return kept

    with ThreadPoolExecutor(4) as pool:
        kept = set(pool.map(write, range(4)))
    assert len(kept) == 1
    assert len(s3_server.objects(f"{team.prefix}/many")) == 1


def test_a_large_artifact_is_never_whole_in_memory(team, s3_server, tmp_path):
    """Written and read by a process whose peak grows by much less than its size."""
    size = 128 << 20
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    address = f"s3://{BUCKET}/{team.prefix}/large"
    words = [sys.executable, "-c", MEASURED, path, address, tmp_path / "cache"]
    said = subprocess.run(
        words, env=team.environ, stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    assert int(said.stdout) < size / 2
