# ruff: noqa: ANN001, ANN201, ANN202, ARG002  (written as a test is: its types are its values)
"""A plugin that misbehaves on request, installed into an environment that core has not."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import attrs

from interlock_hookspecs import (
    Check,
    Conflict,
    Facts,
    Finding,
    InvalidInput,
    NotFound,
    Secret,
    hookimpl,
    plugin,
    project_root,
    reveal,
    setting,
)


@attrs.frozen(kw_only=True)
class Grid:
    """A setting of a class of the plugin's own."""

    rows: int
    name: str = ""


class OwnError(Exception):
    """An exception that nobody else knows."""


def _even(instance, attribute, value):  # noqa: ARG001  (a validator's arguments)
    if value % 2:
        raise ValueError(f"{attribute.name} is {value}: expected an even number")


@plugin(contract="1.0", kinds=("binary", "regression"), measures={"binary": ("size",)})
class Apart:
    """Does what it is told."""

    do: str = setting("answer", doc="what check_data does")
    folder: Path = setting(Path(), doc="where it leaves notes")
    depth: int = setting(2, doc="an even number", validator=_even)
    words: tuple[str, ...] = setting(("a", "b"), doc="some words")
    kind: Literal["a", "b"] = setting("a", doc="one of two")
    grid: Grid | None = setting(None, doc="a class of its own")
    grids: tuple[Grid, ...] = setting((), doc="several")
    table: dict[str, float | str] = setting(attrs.Factory(dict), doc="a table")
    facts: Facts = setting(attrs.Factory(Facts), doc="open")
    token: str | Secret[str] = setting("", doc="a secret")
    anything: Any = setting(None, doc="whatever")
    root: Path = project_root()

    @property
    def hooks_left_out(self):
        """What it answers not, where it is told to hold back."""
        return ("check_model", "measure_performance") if self.do == "hold_back" else ()

    @hookimpl
    def check_data(self, rows, task):
        """Do it."""
        return getattr(self, self.do)(rows, task) or []

    @hookimpl
    def check_model(self, predictor, heldout):
        """Ask the predictor, whose model is elsewhere."""
        scores = predictor.predict(heldout)
        total = float(sum(scores["score"].to_pylist()))
        return [Check(name=predictor.signature.kind, value=total, n=scores.num_rows)]

    @hookimpl
    def measure_performance(self, window):
        """Count the rows."""
        n = window.rows.num_rows
        found = Finding(name="rows", status="ok", n=n, served=n, start=window.start, end=window.end)
        return [found]

    @hookimpl
    def set_alias(self, name, alias, expected, number):
        """Crash, or refuse."""
        if name == "crash":
            self.crash_once(None, None)
        raise Conflict(f"{alias} moved", expected=expected, found=number)

    @hookimpl
    def build_profile(self, ws, task):
        """Ask the workspace for what the task names."""
        ws.project_attribute(task.dataset)
        return []

    def answer(self, rows, task):
        """Three records."""
        return [Check(name=f"check{place}", value=place, n=3) for place in range(3)]

    def say(self, rows, task):
        """Tell of the process and of the settings."""
        names = {name: str(getattr(self, name)) for name in ("folder", "words", "grid", "grids")}
        told = {"pid": os.getpid(), "python": sys.executable, "token": type(self.token).__name__}
        told |= {"length": len(reveal(self.token)), "core": "interlock.session" in sys.modules}
        rows = 0 if rows is None else rows.num_rows
        return [Check(name="told", value=rows, facts={**names, **told})]

    def wrong(self, rows, task):
        """No list."""
        return 7

    def wrong_member(self, rows, task):
        """A list with something else in it."""
        return [Check(name="right", value=1), "wrong"]

    def crash(self, rows, task):
        """End like a program with a bad pointer."""
        os.kill(os.getpid(), signal.SIGSEGV)

    def crash_once(self, rows, task):
        """End, the first time."""
        note = self.folder / "crashed"
        if not note.exists():
            note.touch()
            os._exit(3)
        return self.answer(rows, task)

    def hang(self, rows, task):
        """Never answer; a process that it started does not end either."""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (self.folder / "pid").write_text(f"{os.getpid()} {child.pid}")
        time.sleep(60)

    def fork_and_crash(self, rows, task):
        """Leave behind a fork that holds every descriptor, and end."""
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(20,))
        child.start()
        os._exit(5)

    def prints(self, rows, task):
        """Write to standard output, as text and as bytes."""
        print('{"no": "message"}')
        os.write(1, b"\x00\xff\x80 garbage\n")
        print(f"the token is {reveal(self.token)}", file=sys.stderr)
        return self.answer(rows, task)

    def logs(self, rows, task):
        """Log, in its own name and in a library's."""
        logging.getLogger("some.library").warning("a library says %d", 7)
        logging.getLogger("interlock.plugins").error("it says %s", reveal(self.token))

    def huge(self, rows, task):
        """Answer with many records and a long text."""
        many = [Check(name=f"check{place}", value=place) for place in range(20_000)]
        return [*many, Check(name="long", reason="ü" * 5_000_000)]

    def raises(self, rows, task):
        """Raise what the task names."""
        known = {"InvalidInput": InvalidInput, "NotFound": NotFound, "OwnError": OwnError}
        known |= {"ValueError": ValueError, "TimeoutError": TimeoutError, "SystemExit": SystemExit}
        raise known[task.dataset]("as it was told")
