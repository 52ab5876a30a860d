"""Arrow tables between processes: small ones as bytes, large ones through shared memory.

The sender writes a table's buffers once, as an Arrow IPC stream; the receiver maps them and copies
nothing.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_worker.wire import Segment, Shared

if TYPE_CHECKING:
    import pyarrow as pa

INLINE = 64 * 1024
"""Bytes up to which a table goes with the message: making and mapping memory costs more."""

_LARGE = 256 * 1024 * 1024
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)
_NEWS = Path("/proc/meminfo")


def pack(table: pa.Table) -> Segment:
    """A table as a segment of a message. A `Shared` one is the caller's to close."""
    import pyarrow as pa

    if table.nbytes <= INLINE:
        sink = pa.BufferOutputStream()
        _write(table, sink)
        return sink.getvalue()
    with _storage(table.nbytes) as (descriptor, path):
        with pa.OSFile(path, "wb") as file:
            _write(table, file)
        return Shared(descriptor, os.fstat(descriptor).st_size)


def unpack(segment: Segment) -> pa.Table:
    """The table of a segment; of a `Shared` one without a copy, its memory kept as long as it."""
    import pyarrow as pa

    if isinstance(segment, Shared):
        flags = mmap.MAP_SHARED | _POPULATE
        try:
            mapped = mmap.mmap(segment.descriptor, segment.size, flags, mmap.PROT_READ)
        finally:
            os.close(segment.descriptor)
        segment = mapped
    with pa.ipc.open_stream(pa.BufferReader(pa.py_buffer(segment))) as reader:
        return reader.read_all()


def _write(table: pa.Table, sink: Any) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


@contextlib.contextmanager
def _storage(size: int) -> Iterator[tuple[int, str]]:
    """A file without a name to write into: in memory, on disk where memory would not hold it.

    Yields:
        its descriptor, and a path that opens it while this lasts. The descriptor stays open,
        unless writing fails.
    """
    if hasattr(os, "memfd_create") and _fits(size):
        descriptor = os.memfd_create("interlock-table", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
        named = None
    else:
        descriptor, path = named_file = tempfile.mkstemp(prefix="interlock-table-")
        named = named_file[1]
    try:
        yield descriptor, path
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        if named is not None:
            Path(named).unlink()


def _fits(size: int) -> bool:
    """Whether memory has room for a table twice over; what is small is not asked about."""
    if size < _LARGE:
        return True
    try:
        lines = _NEWS.read_text(encoding="ascii").splitlines()
    except OSError:
        return True
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return not free or size * 2 < free[0]
