"""Which bytes, and which rows: the digests that the ledger refers to.

A file's digest is the SHA-256 of its bytes. A folder's is the SHA-256 of its manifest. A table's
is logical: two tables that hold the same rows have one digest however they are stored.
All are written ``sha256:`` and 64 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "sha256:"
_CHUNK = 1 << 20


def is_digest(value: object) -> bool:
    """Whether a value is written as a digest.

    >>> is_digest("sha256:" + "0" * 64), is_digest("sha256:abc")
    (True, False)
    """
    if not isinstance(value, str) or not value.startswith(PREFIX):
        return False
    digits = value[len(PREFIX) :]
    return len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits)  # noqa: PLR2004  (SHA-256 in hex)


def digest_field(instance: object, attribute: Any, value: Any) -> None:
    """Validator: a digest, or None."""
    if value is not None and not is_digest(value):
        msg = f"{type(instance).__name__}.{attribute.name} is {value!r}: expected sha256:<64 hex>"
        raise ValueError(msg)


def bytes_digest(data: bytes) -> str:
    """The digest of some bytes.

    >>> bytes_digest(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return PREFIX + hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """The digest of a file's bytes, read in chunks of 1 MiB.

    Raises:
        OSError: the file cannot be read.
    """
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
    return PREFIX + hasher.hexdigest()


def folder_manifest(path: Path) -> tuple[tuple[str, int, str], ...]:
    """What a folder holds: (path with forward slashes, bytes, digest), sorted by path.

    Empty folders, permissions and times do not count.

    Raises:
        ValueError: the folder holds a symbolic link or a special file, which has no bytes of
            its own to answer for.
    """
    entries = []
    for item in sorted(path.rglob("*"), key=lambda found: found.relative_to(path).as_posix()):
        if item.is_symlink() or not (item.is_file() or item.is_dir()):
            msg = f"{item.relative_to(path)} is neither a file nor a folder"
            raise ValueError(msg)
        if item.is_file():
            name = item.relative_to(path).as_posix()
            entries.append((name, item.stat().st_size, file_digest(item)))
    return tuple(entries)


def manifest_bytes(manifest: tuple[tuple[str, int, str], ...]) -> bytes:
    """The canonical bytes of a manifest: compact JSON, one array an entry, sorted by path."""
    return json.dumps(sorted(manifest), ensure_ascii=True, separators=(",", ":")).encode()


def folder_digest(path: Path) -> str:
    """The digest of a folder: that of its manifest."""
    return bytes_digest(manifest_bytes(folder_manifest(path)))


def path_digest(path: Path) -> str:
    """The digest of a file or of a folder, whichever stands there."""
    return folder_digest(path) if path.is_dir() else file_digest(path)


def logical_type(kind: pa.DataType) -> str:
    """The name of an Arrow type without what storage alone decides.

    Dictionary encoding, the width of string and binary offsets, views and run-end encoding do
    not count; the width of integers, the unit and zone of times do.

    >>> import pyarrow as pa
    >>> logical_type(pa.dictionary(pa.int8(), pa.large_string()))
    'string'
    >>> logical_type(pa.timestamp("us", "UTC"))
    'timestamp[us, tz=UTC]'
    """
    import pyarrow.types as t

    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return logical_type(kind.value_type)
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return "string"
    if t.is_binary(kind) or t.is_large_binary(kind) or t.is_binary_view(kind):
        return "binary"
    if t.is_list(kind) or t.is_large_list(kind):
        return f"list<{logical_type(kind.value_type)}>"
    if t.is_struct(kind):
        inner = ", ".join(f"{field.name}: {logical_type(field.type)}" for field in kind)
        return f"struct<{inner}>"
    return str(kind)


class TableHasher:
    """The logical digest of a table that arrives in batches.

    Column names and their order, logical types, values, nulls and the order of rows count.
    Chunks, slices, dictionary encoding, string width and metadata do not. Every NaN is the same
    NaN; 0.0 and -0.0 differ.

    >>> import pyarrow as pa
    >>> whole, parts = TableHasher(), TableHasher()
    >>> whole.update(pa.table({"x": [1, None, 3]}))
    >>> parts.update(pa.table({"x": [1]}))
    >>> parts.update(pa.table({"x": pa.array([None, 3], pa.int64())}))
    >>> whole.digest() == parts.digest()
    True
    """

    def __init__(self) -> None:
        self._schema: list[tuple[str, str]] | None = None
        self._columns: list[_ColumnHasher] = []
        self.rows = 0

    def update(self, batch: pa.Table | pa.RecordBatch) -> None:
        """Add the rows of one batch.

        Raises:
            ValueError: its columns or their logical types differ from the batches before.
        """
        schema = [(field.name, logical_type(field.type)) for field in batch.schema]
        if self._schema is None:
            self._schema = schema
            self._columns = [_ColumnHasher() for _ in schema]
        elif schema != self._schema:
            msg = f"a batch has columns {schema}, the ones before {self._schema}"
            raise ValueError(msg)
        for hasher, column in zip(self._columns, batch.columns, strict=True):
            for chunk in getattr(column, "chunks", [column]):
                hasher.update(chunk)
        self.rows += batch.num_rows

    def digest(self) -> str:
        """The digest of all rows so far."""
        parts = [column.hexdigests() for column in self._columns]
        body = json.dumps([1, self.rows, self._schema or [], parts], separators=(",", ":"))
        return bytes_digest(body.encode())


def table_digest(table: pa.Table) -> str:
    """The logical digest of a table; see `TableHasher` for what counts.

    >>> import pyarrow as pa
    >>> plain = pa.table({"city": ["Lowell", None, "Lowell"]})
    >>> encoded = pa.table({"city": plain["city"].dictionary_encode()})
    >>> table_digest(plain) == table_digest(encoded)
    True
    """
    hasher = TableHasher()
    hasher.update(table)
    return hasher.digest()


class _ColumnHasher:
    """Three streams a column, so that where one chunk ends cannot be seen in the bytes."""

    def __init__(self) -> None:
        self._validity = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()
        self._children: dict[str, _ColumnHasher] = {}

    def hexdigests(self) -> list[Any]:
        children = [[name, child.hexdigests()] for name, child in self._children.items()]
        own = [part.hexdigest() for part in (self._validity, self._lengths, self._values)]
        return [*own, children]

    def update(self, array: pa.Array) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.types as t

        kind = array.type
        if t.is_dictionary(kind):
            array = array.dictionary_decode()
            kind = array.type
        elif t.is_run_end_encoded(kind):
            array = pc.run_end_decode(array)
            kind = array.type
        valid = pc.is_valid(array)
        self._validity.update(valid.to_numpy(zero_copy_only=False).astype(np.uint8).tobytes())
        if t.is_null(kind):
            return
        if logical_type(kind) in ("string", "binary"):
            self._text(array)
        elif t.is_list(kind) or t.is_large_list(kind):
            lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
            self._lengths.update(lengths.to_numpy(zero_copy_only=False).tobytes())
            self._child("item").update(array.flatten())
        elif t.is_struct(kind):
            for index, field in enumerate(kind):
                # flatten() carries the parent's nulls into the child; field() would not.
                self._child(field.name).update(array.flatten()[index])
        else:
            self._values.update(_fixed_width(array))

    def _child(self, name: str) -> _ColumnHasher:
        return self._children.setdefault(name, _ColumnHasher())

    def _text(self, array: pa.Array) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        data = array.cast(pa.large_binary())
        lengths = pc.fill_null(pc.binary_length(data), 0).cast(pa.int64())
        self._lengths.update(lengths.to_numpy(zero_copy_only=False).tobytes())
        # The buffer may hold bytes under a null and outside a slice: neither is a value.
        kept = data.drop_null()
        if len(kept):
            _, offsets, values = kept.buffers()
            ends = np.frombuffer(offsets, np.int64)[kept.offset : kept.offset + len(kept) + 1]
            if ends[-1] > ends[0]:
                self._values.update(values.slice(ends[0], ends[-1] - ends[0]))


def _fixed_width(array: pa.Array) -> bytes:
    """The values of a fixed-width array, zero under nulls, every NaN alike."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = array.type
    if t.is_boolean(kind):
        filled = pc.fill_null(array, False)  # noqa: FBT003  (a value, not a switch)
        return bytes(filled.to_numpy(zero_copy_only=False).astype(np.uint8).tobytes())
    if t.is_floating(kind):
        values = pc.fill_null(array, pa.scalar(0, kind)).to_numpy(zero_copy_only=False).copy()
        values[np.isnan(values)] = np.nan
        return bytes(values.tobytes())
    if t.is_integer(kind):
        filled = pc.fill_null(array, pa.scalar(0, kind))
        return bytes(filled.to_numpy(zero_copy_only=False).tobytes())
    if t.is_temporal(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()  # noqa: PLR2004  (bits)
        return _fixed_width(array.view(width)) if not t.is_interval(kind) else _spelled(array)
    return _spelled(array)


def _spelled(array: pa.Array) -> bytes:
    """Decimals, intervals and other rare types: each value's text, with its length before it."""
    out = bytearray()
    for value in array.to_pylist():
        text = b"" if value is None else repr(value).encode()
        out += len(text).to_bytes(8, "little") + text
    return bytes(out)
