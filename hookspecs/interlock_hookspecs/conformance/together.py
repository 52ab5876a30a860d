"""Acts that start at the same time: in threads of this process, and in processes of their own."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Event

T = TypeVar("T")

CALLERS = 8
"""How many threads call at once."""

PROCESSES = 4
"""How many processes do."""

TIMEOUT = 120.0
"""Seconds until a process counts as hung."""


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """The results of acts that start together, each in a thread of its own."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return [done.result() for done in [pool.submit(act) for act in acts]]


def in_processes(acts: Sequence[Callable[[], T]]) -> list[T]:
    """The results of acts that start together, each in a process of its own.

    The processes are forked, so that an act is any function; a test is left, saying so, on a
    platform that cannot fork.

    Raises:
        AssertionError: an act raised, or its process died or hung; the message is what it said.
    """
    context = forking()
    go = context.Event()
    started = []
    with quiet_forks():
        for act in acts:
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=_do, args=(act, theirs, go))
            child.start()
            theirs.close()
            started.append((child, ours))
    go.set()
    try:
        return [_result(child, answer) for child, answer in started]
    finally:
        for child, answer in started:
            child.kill()
            child.join()
            answer.close()


def forking() -> Any:
    """The part of `multiprocessing` that forks; leaves a test where there is none."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this platform cannot fork; threads are tried in its stead")
    return multiprocessing.get_context("fork")


def quiet_forks() -> warnings.catch_warnings[None]:
    """Python warns of a fork beside threads; what is forked here only calls the plugin."""
    return warnings.catch_warnings(action="ignore", category=DeprecationWarning)


def _do(act: Callable[[], object], answer: Connection, go: Event) -> None:
    go.wait(TIMEOUT)
    try:
        told = (True, act())
    except BaseException as error:  # noqa: BLE001  (whatever ends it is said to who started it)
        told = (False, f"{type(error).__name__}: {error}")
    answer.send(told)


def _result(child: Any, answer: Connection) -> Any:
    held, told = False, ""
    if not answer.poll(TIMEOUT):
        told = f"nothing came back within {TIMEOUT:.0f} s"
    else:
        with suppress(EOFError):
            held, told = answer.recv()
    child.join(TIMEOUT)
    assert held, f"a process failed: {told or f'it ended with {child.exitcode}'}"
    return told
