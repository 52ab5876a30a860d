"""Records to JSON values and back, as the ledger and the disk hold them, and their digests."""

from __future__ import annotations

from typing import Any

import orjson

from interlock_hookspecs import bytes_digest
from interlock_worker.codec import decode, encode

__all__ = ["canonical", "decode", "digest_of", "encode"]


def canonical(value: Any) -> bytes:
    """JSON values as bytes that depend on the values only: sorted keys, no spaces.

    >>> canonical({"b": 1, "a": [None, 0.5]})
    b'{"a":[null,0.5],"b":1}'
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: Any) -> str:
    """The digest of JSON values."""
    return bytes_digest(canonical(value))
