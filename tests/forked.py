"""Commands in processes of their own, forked from one that has imported everything.

A test that types a hundred commands would spend minutes on imports alone. Each command is a real
process all the same, with its own environment, folder, output, exit code, and death.

A line on standard input asks for a command, a line on standard output answers: first the process
id, then the exit code, negative for a signal.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

# Alembic's own, pytest's, and what runs at its import, or in MLflow's environment.
_ELSEWHERE = {"migrations", "conformance", "__main__", "interlock_pyfunc_v1"}
_LIBRARIES = (
    "alembic.command",
    "cattrs.gen",
    "jinja2",
    "markdown_it",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "rich.progress",
    "rich.table",
    "s3fs",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.tree",
    "skops.io",
    "sqlalchemy.dialects.sqlite",
    "threadpoolctl",
    "traceback",
)


def preload() -> None:
    """Import our packages, the embedded plugins and what they stand on; start nothing."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    from interlock_hookspecs import ROLES

    ours = {
        found.module for role in ROLES for found in metadata.entry_points(group=f"interlock.{role}")
    }
    for name in sorted({"interlock", "interlock_hookspecs"} | ours):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}."):
            if not _ELSEWHERE & {*module.name.split(".")}:
                importlib.import_module(module.name)
    warm()
    # A search for garbage in a command would write to all of this, and copy it.
    gc.collect()
    gc.freeze()


def warm() -> None:
    """Have done what a process does once: compile the card, and code that reads and writes records.

    And fit, for scikit-learn looks for kinds of frames in what every distribution says of itself.
    """
    import attrs
    from cattrs import StructureHandlerNotFoundError
    from sklearn.dummy import DummyClassifier

    import interlock_hookspecs
    from interlock_govern_card.page import template
    from interlock_serving import status
    from interlock_worker import codec

    # No server of a busy machine is called silent because it takes its time.
    status._SECONDS = 30.0  # noqa: SLF001  (a command has it from no setting)
    template()
    DummyClassifier().fit([[0.0], [1.0]], [0, 1])
    converter = codec._shared()  # noqa: SLF001  (it makes the code of a kind when it meets one)
    for name in interlock_hookspecs.__all__:
        kind = getattr(interlock_hookspecs, name)
        if isinstance(kind, type) and attrs.has(kind):
            converter.get_unstructure_hook(kind)
            # What holds a table, a model or rows, is never read as a record.
            with contextlib.suppress(StructureHandlerNotFoundError):
                converter.get_structure_hook(kind)


def command(request: dict[str, Any]) -> None:
    """Be the command that was asked for; does not return."""
    for place, name in enumerate((os.devnull, request["stdout"], request["stderr"])):
        mode = os.O_RDONLY if place == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(name, mode, 0o600), place)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["folder"])
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = ["interlock", *request["words"]]
    importlib.invalidate_caches()
    code = 1
    try:
        if request["first"]:
            runpy.run_path(request["first"])
        from interlock.cli.main import main

        code = main(request["words"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def main() -> None:
    """Answer until there is nothing more to read."""
    preload()
    threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("[0-9]*/comm")}
    # A fork keeps one thread only; Arrow's allocator starts its own again.
    if len(threads - {"jemalloc_bg_thd"}) > 1:
        sys.exit(f"an import started threads: {threads}")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            command(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
