"""The same call in other processes, each with a hash seed of its own."""

from __future__ import annotations

import gc
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 120.0
"""Seconds until a process counts as hung."""


def elsewhere(calls: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
    """The results of some calls, all at once, each in a fresh interpreter.

    A test is left, saying so, where a function or an argument cannot be pickled: a class that is
    local to a function, say.

    Raises:
        AssertionError: a call raised; the message is what it said.
    """
    try:
        payloads = [_payload(function, arguments) for function, arguments in calls]
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        pytest.skip(f"another process is not tried, since the plugin cannot be pickled: {error}")
    with tempfile.TemporaryDirectory() as folder:
        started = [
            _start(payload, Path(folder) / f"{place}", seed=place + 1)
            for place, payload in enumerate(payloads)
        ]
        return [_result(process, path) for process, path in started]


def _payload(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """What a process reads: the modules to have, with their files, and the call."""
    names = {function.__module__, *(type(argument).__module__ for argument in arguments)}
    names |= {argument.__module__ for argument in arguments if isinstance(argument, type)}
    files = {name: getattr(sys.modules[name], "__file__", None) for name in sorted(names)}
    return pickle.dumps((files, pickle.dumps((function, arguments))))


def _start(payload: bytes, path: Path, *, seed: int) -> tuple[subprocess.Popen[bytes], Path]:
    path.write_bytes(payload)
    code = "from interlock_hookspecs.conformance.elsewhere import answer; answer()"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "PYTHONHASHSEED": str(seed),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return process, path


def _result(process: subprocess.Popen[bytes], path: Path) -> Any:
    try:
        _, said = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        msg = f"another process hangs: nothing came back within {TIMEOUT:.0f} s"
        raise AssertionError(msg) from None
    lines = said.decode(errors="replace").strip().splitlines()
    assert process.returncode == 0, f"another process failed: {lines[-1] if lines else 'silently'}"
    return pickle.loads(path.read_bytes())  # noqa: S301  (written by the process that we started)


def answer() -> None:
    """Make the call that the file named on the command line holds, and write its result there."""
    path = Path(sys.argv[1])
    files, call = pickle.loads(path.read_bytes())  # noqa: S301  (written by the process that started us)
    for name, file in files.items():
        _have(name, file)
    function, arguments = pickle.loads(call)  # noqa: S301  (likewise)
    path.write_bytes(pickle.dumps(function(*arguments)))
    # What is left goes with the process: the interpreter need not look through all of it on its
    # way out, which takes longer than many a call.
    gc.freeze()


def _have(name: str, file: str | None) -> None:
    """Import a module, from its file where it is on no path: pytest imports tests so."""
    try:
        importlib.import_module(name)
    except ImportError:
        if file is None:
            raise
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
