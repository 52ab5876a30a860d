"""What a file's bytes must look like before skops sees any of them.

A skops file is a zip of a schema and of arrays. The zip may lie about sizes, the schema about
what it needs, an array's header about its shape: each is held against the bytes that are there,
so that opening a file takes memory in proportion to its size.
"""

from __future__ import annotations

import ast
import functools
import io
import json
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from interlock_hookspecs import InvalidInput
from interlock_model_skops.canonical import SCHEMA

MAX_MEMBERS = 20_000
MAX_DIRECTORY = 4 << 20  # bytes: the zip's own table, of at least 46 bytes a member
MAX_SCHEMA = 32 << 20  # bytes
MAX_DEPTH = 200  # of nested values; a stack of calibrated forests in a pipeline is about 60 deep
POOL_SIZE = "4"  # numpy's own; mixing a larger pool takes quadratic time

_MEMBER = re.compile(r"[0-9A-Za-z_-]{1,80}\.(npy|bin)")
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s22s2H")
_ARRAY = re.compile(
    rb"\{'descr': (.{2,4096}), 'fortran_order': (?:True|False), "
    rb"'shape': \(([\d, ]{0,200})\), \} *\n"
)
_ARRAY_PREFIX = 10  # bytes: magic, version, length of the header
_KINDS = frozenset("biufcSU")


def check_archive(
    data: bytes, allowed: Mapping[str, frozenset[str]], max_bytes: int
) -> frozenset[str]:
    """Refuse bytes that are no plain skops file, or one that holds a type which is not allowed.

    Args:
        data: the whole file.
        allowed: what each loader may build, see `allowed_types`.
        max_bytes: how many bytes of arrays it may read into memory.

    Returns:
        The allowed types that it holds.

    Raises:
        InvalidInput: it is malformed, larger than a limit, compressed, or holds another type.
    """
    _check_end(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sizes = _member_sizes(archive.infolist(), len(data))
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                _check_array(info, data)
        schema = _read_schema(archive)
    return check_schema(schema, sizes, allowed, max_bytes)


def _check_end(data: bytes) -> None:
    """The table of contents must be small, and not of the 64-bit form, before it is read."""
    if len(data) < _END.size:
        raise InvalidInput("it is no zip archive")
    mark, disk, start, here, total, directory, _, comment = _END.unpack(data[-_END.size :])
    if mark != b"PK\5\6" or disk or start or here != total or comment:
        raise InvalidInput("it is no zip archive, or one that was cut or extended")
    if data[-_END.size - 20 : -_END.size - 16] == b"PK\6\7" or total > MAX_MEMBERS:
        raise InvalidInput(f"it has more than {MAX_MEMBERS} members")
    if directory > MAX_DIRECTORY:
        raise InvalidInput(f"its table of contents has more than {MAX_DIRECTORY} bytes")


def _member_sizes(infos: list[zipfile.ZipInfo], room: int) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for info in infos:
        name = info.filename
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise InvalidInput("a member is compressed; models are stored as they are")
        if info.flag_bits & 0x1:
            raise InvalidInput("a member is encrypted")
        if name in sizes:
            raise InvalidInput("two members have one name")
        if name != SCHEMA and not _MEMBER.fullmatch(name):
            raise InvalidInput(f"a member's name is none that skops gives: {name[:40]!r}")
        sizes[name] = info.file_size
    if len(sizes) > MAX_MEMBERS:
        raise InvalidInput(f"it has more than {MAX_MEMBERS} members")
    if sum(sizes.values()) > room:
        raise InvalidInput("its members overlap")
    return sizes


def _check_array(info: zipfile.ZipInfo, data: bytes) -> None:
    """An array's header must promise as many bytes as follow it: numpy allocates before reading."""
    mark, _, name, extra = _LOCAL.unpack_from(data, info.header_offset)
    start = info.header_offset + _LOCAL.size + name + extra
    stop = start + info.file_size
    prefix = data[start : start + _ARRAY_PREFIX]
    if mark != b"PK\3\4" or stop > len(data) or prefix[:8] != b"\x93NUMPY\1\0":
        raise InvalidInput("an array's file is malformed")
    body = start + _ARRAY_PREFIX + int.from_bytes(prefix[8:10], "little")
    found = _ARRAY.fullmatch(data, start + _ARRAY_PREFIX, body)
    if found is None:
        raise InvalidInput("an array's header is malformed")
    shape = [int(size) for size in found[2].decode().replace(" ", "").split(",") if size]
    if math.prod(shape) * _item_size(found[1]) != stop - body:
        raise InvalidInput("an array's header says another size than the array has")


@functools.lru_cache(maxsize=256)
def _item_size(descr: bytes) -> int:
    import numpy as np

    dtype = np.lib.format.descr_to_dtype(ast.literal_eval(descr.decode("latin-1")))
    fields = (dtype.fields or {}).values()
    plain = dtype.kind in _KINDS or (
        # The one kind of struct that is written: flat, of plain fields and padding.
        dtype.kind == "V" and fields and all(item[0].kind in _KINDS for item in fields)
    )
    if not plain or dtype.hasobject or not dtype.itemsize:
        raise InvalidInput(f"an array has the type {str(dtype)[:40]!r}")
    return int(dtype.itemsize)


def _read_schema(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        info = archive.getinfo(SCHEMA)
    except KeyError as missing:
        raise InvalidInput(f"it has no {SCHEMA}") from missing
    if info.file_size > MAX_SCHEMA:
        raise InvalidInput(f"its schema has more than {MAX_SCHEMA} bytes")
    try:
        schema = json.loads(archive.read(info))
    except RecursionError as deep:
        raise InvalidInput("its schema is nested too deeply") from deep
    if not isinstance(schema, dict) or type(schema.get("protocol")) is not int:
        raise InvalidInput("its schema is malformed")
    if schema["protocol"] != _protocol():
        # Loaders of older protocols read other keys than the ones that are checked here.
        raise InvalidInput(
            f"its protocol is not {_protocol()}, the installed skops': write it again"
        )
    return schema


@functools.lru_cache(maxsize=1)
def _protocol() -> int:
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(0))) as archive:
        return int(json.loads(archive.read(SCHEMA))["protocol"])


def check_schema(
    schema: dict[str, Any],
    sizes: Mapping[str, int],
    allowed: Mapping[str, frozenset[str]],
    max_bytes: int,
) -> frozenset[str]:
    """Refuse a schema that is nested too deeply, reads too much, or builds what is not allowed.

    Gives the types that it builds.
    """
    audit = _Audit(sizes, allowed)
    pending: list[tuple[Any, int]] = [(schema, 1)]
    while pending:
        value, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise InvalidInput("its schema is nested too deeply")
        if type(value) is dict:
            if type(value.get("__loader__")) is str:
                audit.node(value)
            elif "pool_size" in value:
                _check_pool(value["pool_size"])
            children: Any = value.values()
        else:
            children = value
        pending += [(item, depth + 1) for item in children if type(item) in (dict, list)]
    if sum(audit.reads.values()) > max_bytes:
        raise InvalidInput(f"it reads more than max_bytes = {max_bytes} into memory")
    return frozenset(audit.types)


class _Audit:
    """What a schema's nodes build and read.

    Attributes:
        reads: bytes, by the object that reads them and the file that it reads. An object that
            is written twice is read once, so this is never less than what will be read.
        types: what they build, each allowed.
    """

    def __init__(self, sizes: Mapping[str, int], allowed: Mapping[str, frozenset[str]]) -> None:
        self.reads: dict[tuple[int, str], int] = {}
        self.types: set[str] = set()
        self._sizes = sizes
        self._allowed = allowed
        self._values: dict[int, str] = {}

    def node(self, node: dict[str, Any]) -> None:
        loader, identity = node["__loader__"], node.get("__id__")
        if type(identity) is not int:
            raise InvalidInput("its schema is malformed")
        if loader == "JsonNode":
            self._value(identity, node.get("content"))
            return
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        if name not in self._allowed.get(loader, ()):
            raise InvalidInput(f"it holds {name[:200]}, which is not on the list of allowed types")
        self.types.add(name)
        if "file" in node:
            file = node["file"]
            if type(file) is not str or file not in self._sizes:
                raise InvalidInput("its schema names a file that it does not hold")
            self.reads[identity, file] = self._sizes[file]

    def _value(self, identity: int, content: Any) -> None:
        """Hold an identity to one value: skops keeps the first that it meets, wherever."""
        if type(content) is not str:
            raise InvalidInput("its schema is malformed")
        if self._values.setdefault(identity, content) != content:
            raise InvalidInput("one identity stands for two values")


def _check_pool(node: Any) -> None:
    if not isinstance(node, dict) or node.get("content") != POOL_SIZE:
        raise InvalidInput("the state of a random generator is not numpy's own")
