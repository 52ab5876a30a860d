"""A client of a stand-in cluster, and what it waits for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seldon_cluster import SeldonCluster

PATIENCE = 60.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is so, and say what is not where it never comes to be."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what  # noqa: S101  (a test's own)
        time.sleep(0.005)


def models(cluster: SeldonCluster) -> list[str]:
    """The releases that have a Model."""
    return sorted(
        each["metadata"]["annotations"]["interlock/release"]
        for each in cluster.of("Model").values()
    )


def until_models(cluster: SeldonCluster, *releases: str) -> None:
    """Wait until these have Models, and no other: an object that is deleted takes a moment."""
    until(lambda: models(cluster) == sorted(releases), f"other Models than {releases} stay")


@contextlib.contextmanager
def asked_all_the_while(cluster: SeldonCluster, experiment: str) -> Iterator[list[float]]:
    """A client that asks on; gives the times at which it was not answered."""
    failed: list[float] = []
    ending = threading.Event()

    def ask() -> None:
        while not ending.wait(0.002):
            if not cluster.answers(experiment):
                failed.append(time.monotonic())

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield failed
    finally:
        ending.set()
        client.join()
