"""For the tests of plugins: a small project in a temporary folder, and commands typed in it.

pytest loads this where interlock-core is installed, with nothing else of ours. Two fixtures:

- ``interlock_project`` writes a project whose stack selects the plugin under test
- ``interlock_at`` types commands in a folder that the test has filled itself
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from unittest import mock

import pytest

if TYPE_CHECKING:
    import pyarrow as pa

ACTOR = "ana"
"""Who types, where a test names nobody."""

STACK: Mapping[str, Any] = {
    "data": "files",
    "train": "sklearn",
    "validate": ["metrics"],
    "registry": "sql",
    "govern": ["policy"],
    "deploy": "local",
    "monitor": ["drift", "performance"],
    "train-sklearn": {
        "estimator": "sklearn.tree.DecisionTreeClassifier",
        "parameters": {"max_depth": 3},
    },
}
"""The stack that a test's own plugins take a place in: the embedded ones."""

TASK: Mapping[str, Any] = {
    "dataset": "rows.parquet",
    "id": "id",
    "target": "y",
    "kind": "binary",
    "positive": 1,
}
"""What is predicted: whether x, give or take some noise, is above 0."""

BOUNDS: Mapping[str, str] = {"metrics.roc_auc": ">= 0.6"}
"""The policy of the project: nothing is released without a bound that holds."""

_ROWS = 300
_STOP_SECONDS = 30.0


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The values that it printed with ``--json``."""
        return json.loads(self.out)


class Project:
    """A folder, and a person who types commands in it.

    Commands run in this process: fast, and under the test's debugger and monkeypatches.

    Attributes:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: object, expect: int | None = 0, actor: str = ACTOR) -> Said:
        """Type a command: ``project("run", "--until", "register")``.

        Args:
            words: what stands behind ``interlock`` in the line.
            expect: the exit code that it must end with; None for any.
            actor: who types it.

        Raises:
            AssertionError: it ended with another code; with all that it printed.
        """
        from interlock.cli.main import main

        # Each command of a person is a process of its own, in which project.py is imported anew.
        _forget_project_modules()
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, {"INTERLOCK_ACTOR": actor, "OMP_NUM_THREADS": "1"}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main([str(word) for word in words])
        said = Said(code, out.getvalue(), err.getvalue())
        check(said, words, expect)
        return said

    def listed(self, *words: object, expect: int = 0) -> Any:
        """The values that a command prints with ``--json``."""
        return self(*words, "--json", expect=expect).json

    def events(self, kind: str) -> list[Any]:
        """The payloads of the ledger's events of a kind, oldest first."""
        found = self.listed("audit", "log", "--kind", kind, "--limit", 1000)
        return [event["payload"] for event in found]

    @property
    def run(self) -> Any:
        """The latest run."""
        return self.listed("runs", "--limit", 1)[0]

    @property
    def endpoint(self) -> Any:
        """The latest deployment, and how it is now."""
        return self.listed("deployments", "--limit", 1)[0]

    def edit(self, old: str, new: str, file: str = "interlock.toml") -> None:
        """Replace what stands once in a file."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"  # noqa: S101  (a test's own mistake)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def end(self) -> None:
        """End every server that was started here, after its requests in flight."""
        from interlock.processes import ProcessIdentity, is_alive

        for said in (self.folder / ".interlock/servers").glob("*.json"):
            server = ProcessIdentity(**json.loads(said.read_bytes())["process"])
            deadline = time.monotonic() + _STOP_SECONDS
            number = signal.SIGTERM
            while is_alive(server):
                os.kill(server.pid, number)
                number = signal.SIGKILL if time.monotonic() > deadline else number
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(server.pid, os.WNOHANG)
                time.sleep(0.02)


P = TypeVar("P", bound=Project)


def check(said: Said, words: tuple[object, ...], expect: int | None) -> None:
    """Hold a command to the exit code that a test expects; None for any.

    Raises:
        AssertionError: it ended with another; with all that it printed.
    """
    typed = " ".join(map(str, words))
    if expect not in (said.code, None):
        msg = f"interlock {typed} ended with {said.code}\n{said.out}{said.err}"
        raise AssertionError(msg)


@pytest.fixture
def interlock_at() -> Iterator[Callable[..., Any]]:
    """Type commands in a folder: ``interlock_at(tmp_path)("plugins", "list")``.

    Servers that were started there end with the test.
    """
    begun: list[Project] = []
    path = list(sys.path)

    def at(folder: Path, kind: Callable[[Path], P] = Project) -> P:  # type: ignore[assignment]  # the default is the bound itself
        made = kind(folder)
        begun.append(made)
        return made

    yield at
    for project in begun:
        project.end()
    _forget_project_modules()
    sys.path[:] = path


@pytest.fixture
def interlock_project(
    interlock_at: Callable[..., Project], tmp_path: Path
) -> Callable[..., Project]:
    """Write a project whose stack selects plugins by word.

    ``interlock_project({"registry": "acme"})``: what a test says is laid over `STACK`, `TASK` and
    `BOUNDS`; None takes a key away. Settings stand beside the words:
    ``{"registry": "acme", "registry-acme": {"url": "..."}}``.
    """

    def write(
        stack: Mapping[str, Any] | None = None,
        *,
        task: Mapping[str, Any] | None = None,
        bounds: Mapping[str, Any] | None = None,
        approvals: int = 0,
        module: str = "",
        rows: pa.Table | None = None,
    ) -> Project:
        import pyarrow.parquet as pq

        project = interlock_at(tmp_path / "project")
        project.folder.mkdir()
        pq.write_table(make_rows() if rows is None else rows, project.folder / "rows.parquet")
        tables: dict[str, Mapping[str, Any]] = {
            "project": {"name": "small", **({"module": "project.py"} if module else {})},
            "task": {**TASK, **(task or {})},
            "policy": {"approvals": approvals},
            "policy.bounds": {**BOUNDS, **(bounds or {})},
            "stack.dev": {**STACK, **(stack or {})},
        }
        text = "\n".join(f"[{name}]\n{_toml(table)}" for name, table in tables.items())
        (project.folder / "interlock.toml").write_text(text, encoding="utf-8")
        if module:
            (project.folder / "project.py").write_text(module, encoding="utf-8")
        return project

    return write


def make_rows(count: int = _ROWS) -> pa.Table:
    """A table that a shallow tree learns: id, two features, and the target y."""
    import random

    import pyarrow as pa

    numbers = random.Random(7)  # noqa: S311  (rows, no secret)
    x, z, noise = ([numbers.gauss() for _ in range(count)] for _ in range(3))
    y = [int(value + 0.5 * error > 0) for value, error in zip(x, noise, strict=True)]
    return pa.table({"id": range(count), "x": x, "z": z, "y": y})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the commands of a test leave servers behind, as commands do; the fixtures end them."""
    left = "ignore:subprocess [0-9]+ is still running:ResourceWarning"
    for item in items:
        if "interlock_at" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings(left))


def _forget_project_modules() -> None:
    for name in [name for name in sys.modules if name.startswith("interlock_project_")]:
        del sys.modules[name]


def _toml(table: Mapping[str, Any]) -> str:
    """The lines of a table; JSON's text is TOML's, but for tables."""
    said = {key: value for key, value in table.items() if value is not None}
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in said.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = (f"{json.dumps(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(inner)} }}"
    return json.dumps(value, ensure_ascii=False, default=str)
