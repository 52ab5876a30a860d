"""Records to JSON values and back, as the ledger and the disk hold them, and their digests."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson

from interlock.errors import InterlockError
from interlock_hookspecs import PluginError, bytes_digest, from_plain
from interlock_worker.codec import decode, encode

__all__ = ["canonical", "decode", "decode_one", "digest_of", "encode"]

T = TypeVar("T")


def decode_one(kind: type[T], value: Any) -> T:
    """A record from JSON values, for who reads a few in the life of a process.

    `decode` first makes code for each kind, which pays where many are read.

    Raises:
        InterlockError: a newer contract wrote it.
        ValueError, TypeError: the values are not such a record.

    >>> from interlock_hookspecs import Field
    >>> decode_one(Field, {"name": "age", "type": "int64"}).nullable
    True
    """
    try:
        return from_plain(kind, value)
    except PluginError as error:
        raise InterlockError(str(error)) from error


def canonical(value: Any) -> bytes:
    """JSON values as bytes that depend on the values only: sorted keys, no spaces.

    >>> canonical({"b": 1, "a": [None, 0.5]})
    b'{"a":[null,0.5],"b":1}'
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: Any) -> str:
    """The digest of JSON values."""
    return bytes_digest(canonical(value))
