"""The canonical form of a skops file: equal states give equal bytes, whichever process wrote them.

skops names array files and objects by their addresses in memory and stamps members with the time.
Here array files are named by their content, objects are numbered by first visit, immutable leaves
by their value (whether two equal strings are one object differs between processes), sets are
sorted, struct padding, which is uninitialised memory, is zeroed, the number of threads that binned
the training rows is 1, and every member is stored uncompressed with one fixed time. The result is
an ordinary skops file.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_UNIX = 3
_OWNER_ONLY = 0o600 << 16
_ONE_THREAD = -1  # a number that no object has: addresses are positive
_BY_VALUE = frozenset({"JsonNode", "TypeNode", "FunctionNode", "DTypeNode"})

SCHEMA = "schema.json"


def canonical(raw: bytes) -> bytes:
    """The canonical form of what ``skops.io.dumps`` gave; the canonical form of itself."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        _take_threads_out(schema)
        members = {name: archive.read(name) for name in archive.namelist() if name != SCHEMA}
    names, blobs = {}, {}
    for name, data in members.items():
        suffix = name.rpartition(".")[2]
        content = _without_padding(data) if suffix == "npy" else data
        names[name] = f"{hashlib.sha256(content).hexdigest()}.{suffix}"
        blobs[names[name]] = content
    body = json.dumps(_Rewriter(names).rewrite(schema), separators=(",", ":"))
    return _stored([(SCHEMA, body.encode()), *sorted(blobs.items())])


def _take_threads_out(value: Any) -> None:
    """Say of every bin mapper that one thread binned: how many did is the machine's affair.

    In the schema and not on the object, which is the caller's and may be written by two at once.
    """
    if isinstance(value, list):
        for item in value:
            _take_threads_out(item)
    elif isinstance(value, dict):
        if value.get("__class__") == "_BinMapper":
            number = value["content"]["content"]["n_threads"]
            number |= {"content": "1", "__id__": _ONE_THREAD}
        for item in value.values():
            _take_threads_out(item)


def _stored(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = _UNIX
            info.external_attr = _OWNER_ONLY
            archive.writestr(info, data)
    return buffer.getvalue()


def _without_padding(raw: bytes) -> bytes:
    import numpy as np

    if b"'descr': [" not in raw[:64]:  # no struct, no padding
        return raw
    array = np.load(io.BytesIO(raw), allow_pickle=False)
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names or ():
        clean[name] = array[name]
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()


class _Rewriter:
    """One pass over a schema, renaming files and renumbering objects as they are met."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._numbers: dict[Any, int] = {}
        self._seen: dict[int, Any] = {}

    def rewrite(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.rewrite(item) for item in value]
        if not isinstance(value, dict):
            return value
        if not isinstance(value.get("__loader__"), str):
            return {key: self.rewrite(item) for key, item in value.items()}
        identity = value.get("__id__")
        if identity in self._seen:
            # skops writes an object again wherever it is met, with new numbers for the passing
            # lists inside; the first writing stands for all.
            return self._seen[identity]
        node = self._node(value)
        if identity is not None:
            self._seen[identity] = node
        return node

    def _node(self, value: dict[str, Any]) -> dict[str, Any]:
        loader = value["__loader__"]
        node: dict[str, Any] = {}
        if "__id__" in value:
            key = self._identity(value)
            node["__id__"] = self._numbers.setdefault(key, len(self._numbers) + 1)
        for key, item in value.items():
            if key == "__id__":
                continue
            if key == "file":
                node[key] = self._names[item]
            elif key == "content" and loader == "SetNode":
                node[key] = [self.rewrite(member) for member in sorted(item, key=self._text)]
            else:
                node[key] = self.rewrite(item)
        return node

    def _identity(self, value: dict[str, Any]) -> Any:
        immutable = value["__loader__"] in _BY_VALUE or (
            value["__loader__"] == "NdArrayNode" and value["__class__"] != "ndarray"
        )
        return self._text(value) if immutable else value["__id__"]

    def _text(self, value: Any) -> str:
        return json.dumps(self._anonymous(value), sort_keys=True)

    def _anonymous(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._anonymous(item) for item in value]
        if not isinstance(value, dict):
            return value
        named = isinstance(value.get("__loader__"), str)
        return {
            key: self._names[item] if named and key == "file" else self._anonymous(item)
            for key, item in value.items()
            if not (named and key == "__id__")
        }
