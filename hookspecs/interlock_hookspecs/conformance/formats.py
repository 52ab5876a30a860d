"""Fitted objects to be written, and files that must not be opened."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
import threading
import zipfile
import zlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

from interlock_hookspecs import PROJECT, Model, Signature, Workspace
from interlock_hookspecs.conformance.rows import kinds, rows_of, task_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace


class _Handed(BaseException):
    """Ends a fit with what it hands to its format."""

    def __init__(self, fitted: Any, signature: Signature) -> None:
        super().__init__()
        self.pair = (fitted, signature)


def handed(word: str, kind: str, seed: int, folder: Path) -> tuple[Any, Signature] | None:
    """What an installed trainer hands to a format, fitted to rows of a seed; None if none does."""

    class Hands(LocalWorkspace):
        def write_model(self, format: str, fitted: Any, signature: Signature) -> Model:  # noqa: A002  (the field's own word)
            if format == word:
                raise _Handed(fitted, signature)
            return super().write_model(format, fitted, signature)

    for entry_point in metadata.entry_points(group=f"{PROJECT}.train"):
        cls = entry_point.load()
        if any(field.init and field.default is attrs.NOTHING for field in attrs.fields(cls)):
            continue  # it fits nothing by its default settings: it has none
        trainer = cls()
        if kind in kinds(trainer):
            try:
                trainer.fit_candidate(rows=rows_of(kind, seed=seed), task=task_of(kind),
                                      ws=Hands(folder))  # fmt: skip
            except _Handed as handed:
                return handed.pair
    return None


def word_of(plugin: Any) -> str:
    """The format that an installed plugin owns; empty for one that is not installed."""
    cls = type(plugin)
    for entry_point in metadata.entry_points(group=f"{PROJECT}.model"):
        if entry_point.value == f"{cls.__module__}:{cls.__qualname__}":
            return entry_point.name
    return ""


def unwritable() -> dict[str, Any]:
    """Objects that are no model of any format."""
    return {
        "an object": object(),
        "nothing": None,
        "a function": lambda rows: rows,
        "a class": dict,
        "a lock": threading.Lock(),
        "a stream": io.BytesIO(b"model"),
        "a generator": (place for place in range(3)),
        "a dictionary": {"weights": [1.0]},
    }


def largest(path: Path) -> Path:
    """The file, or the largest of a folder."""
    if path.is_file():
        return path
    files = [found for found in sorted(path.rglob("*")) if found.is_file()]
    return max(files, key=lambda found: found.stat().st_size)


def rewritten(model: Model, ws: Workspace, data: bytes) -> Model:
    """A model like another, with other bytes in its largest file, under a digest of its own."""
    source = ws.locate(model.artifact)
    copy = ws.scratch() / model.artifact.name
    if source.is_dir():
        shutil.copytree(source, copy)
    else:
        shutil.copyfile(source, copy)
    largest(copy).write_bytes(data)
    return attrs.evolve(model, artifact=ws.keep(copy))


def malformed(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Bytes that are no model, by what is wrong with them."""
    yield "an empty file", b""
    yield "one byte", data[:1]
    yield "half a file", data[: len(data) // 2]
    yield "a file without its last byte", data[:-1]
    yield "random bytes", random.Random(0).randbytes(4096)  # noqa: S311  (no secret is made of it)
    yield "zeros", bytes(1 << 20)
    yield "text", "kein Modell ✓".encode() * 100
    yield "deep JSON", b"[" * 100_000
    yield "JSON of nothing", b"null"
    yield "an empty archive", _archive({})
    yield "an archive of other things", _archive({"schema.json": b"{}", "../../up": b"x"})


def flipped(data: bytes, times: int) -> Iterator[bytes]:
    """The bytes with one bit of each of some places turned, chosen by a fixed seed."""
    draw = random.Random(0)  # noqa: S311  (no secret is made of it)
    for _ in range(times):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        yield bytes(changed)


class _Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.mkdir, (str(self._path),)


def payloads(data: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    """Files that make a folder where an opener lets what it reads decide what code runs.

    Args:
        data: a sound file of the format, whose members are replaced where it is an archive.
        path: the folder that would be made.
    """
    attack = pickle.dumps(_Runs(path))
    yield "a pickle", attack
    yield "a compressed pickle", zlib.compress(attack)
    yield "a numpy array of objects", _object_array(_Runs(path))
    yield "YAML of a call", f'!!python/object/apply:os.mkdir ["{path}"]'.encode()
    yield "Python", f"__import__('os').mkdir({str(path)!r})".encode()
    call = {"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": [str(path)]}]}
    yield "JSON of a call", json.dumps(call).encode()
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield "an archive of pickles", _archive(dict.fromkeys(archive.namelist(), attack))


def _object_array(value: object) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, np.array([value], dtype=object), allow_pickle=True)
    return stream.getvalue()


def _archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()
