"""What of a process a plugin must leave as it found it."""

from __future__ import annotations

import contextlib
import decimal
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import thread as futures_thread
from typing import Any, NoReturn

import pytest

_THREAD_SECONDS = 5.0


@contextlib.contextmanager
def put_back() -> Iterator[None]:
    """Put the process back as it was after a first call, whose libraries may set things up."""
    import numpy as np

    folder, environment, path = os.getcwd(), dict(os.environ), list(sys.path)  # noqa: PTH109  (likewise)
    level, timeout, limit = logging.root.level, socket.getdefaulttimeout(), sys.getrecursionlimit()
    spoken = locale.setlocale(locale.LC_ALL)
    try:
        with warnings.catch_warnings(), np.errstate(), decimal.localcontext():
            yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        logging.root.setLevel(level)
        socket.setdefaulttimeout(timeout)
        sys.setrecursionlimit(limit)
        locale.setlocale(locale.LC_ALL, spoken)


@contextlib.contextmanager
def unchanged(act: str) -> Iterator[None]:
    """Hold a call to leaving the process as it was.

    The libraries of a plugin may set things up when they are imported: let it do its work once
    before, and `put_back` what that changed.

    Args:
        act: what is done in the block, for the message: it is followed by what changed.

    Raises:
        AssertionError: something of the process is another afterwards.
    """
    import numpy as np

    # A call that sets a seed leaves what its like left before: the numbers must have moved on.
    random.random()  # noqa: S311  (no secret is made of it)
    np.random.random()  # noqa: NPY002  (the shared generator is what we look at)
    before = _state()
    yield
    after = _state()
    changed = [name for name, value in before.items() if after[name] != value]
    assert not changed, f"{act} changes the process: {', '.join(changed)}"


@contextlib.contextmanager
def staying() -> Iterator[None]:
    """Fail where a plugin ends the process: nothing would be left to tell of it.

    Raises:
        pytest.fail.Exception: it calls ``os._exit``. That is no `Exception`, which a plugin may
            catch; in a child of its own the call is a plugin's right.
    """
    ours, ends = os.getpid(), os._exit

    def told(status: int) -> NoReturn:
        if os.getpid() != ours:
            ends(status)
        pytest.fail(f"it ends the process of whoever asks it, with os._exit({status})")

    os._exit = told
    try:
        yield
    finally:
        os._exit = ends


@contextlib.contextmanager
def no_thread_left(act: str) -> Iterator[None]:
    """Hold what is done in the block to leaving no thread that the process waits for at its end.

    Raises:
        AssertionError: one still runs a few seconds later.
    """
    before = waited_for()
    yield
    left = waited_for() - before
    for thread in left:
        thread.join(_THREAD_SECONDS / len(left))
    names = sorted({thread.name for thread in left if thread.is_alive()})
    assert not names, (
        f"{act} leaves threads for which a command waits for ever: {', '.join(names)}; "
        "end them, or make them daemons"
    )


def waited_for() -> set[threading.Thread]:
    """The threads without whose end the process has none, but for those of executors.

    The interpreter tells an executor's threads to end, and then waits for them.
    """
    told: Collection[threading.Thread] = getattr(futures_thread, "_threads_queues", ())
    return {
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread() and thread not in told
    }


def _state() -> Mapping[str, object]:
    import numpy as np

    numbers = np.random.get_state(legacy=False)  # noqa: NPY002  (the shared generator is what we look at)
    return {
        "the current folder": os.getcwd(),  # noqa: PTH109  (Path would hide a trailing change)
        "the environment": dict(os.environ),
        "the import path": tuple(sys.path),
        "the warning filters": tuple(map(_spelled, warnings.filters)),
        "the random numbers of `random`": random.getstate(),
        "the random numbers of numpy": repr(numbers) + str(numbers["state"]["key"].tobytes()),
        "how numpy treats errors": np.geterr(),
        "the decimal context": repr(decimal.getcontext()),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the log's level": logging.root.level,
        "the log's handlers": tuple(map(id, logging.root.handlers)),
        "the handling of interrupts": signal.getsignal(signal.SIGINT),
        "the sockets' time-out": socket.getdefaulttimeout(),
        "the recursion limit": sys.getrecursionlimit(),
    }


def _spelled(filter_: Sequence[Any]) -> tuple[Any, ...]:
    """A warning filter with its patterns as text: Python compiles some when they are first used."""
    return tuple(getattr(part, "pattern", part) for part in filter_)
