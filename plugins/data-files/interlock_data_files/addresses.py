"""Which sources are files of ours, and which files stand behind a source.

Ours is: a local path, glob or folder, ``file://``, and every address whose scheme fsspec knows.
Another's is: ``word:rest`` (``feast:customers``), an address whose scheme fsspec does not know,
a file with an ending and first bytes that are none of ours, and a Delta table's folder, whose
Parquet files are not its rows.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from interlock_hookspecs import InvalidInput, NotFound, Unavailable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

# Two letters at least: C:// is a drive.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]+:")
_ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_MAGIC = {b"PAR1": "parquet", b"ARRO": "arrow", b"\xff\xff\xff\xff": "arrow"}
_COPY = 1 << 20


class Located(NamedTuple):
    """A file: where it is, how a message names it, and what shows that it was replaced.

    Attributes:
        path: in its store.
        shown: for messages and records, without credentials.
        size: bytes.
        stamp: changes when the file does: modification time, entity tag.
        store: an fsspec file system, or None on the local disk.
    """

    path: str
    shown: str
    size: int
    stamp: str
    store: Any


def shown(source: str) -> str:
    """A source without the credentials and the query that an address may carry.

    >>> shown("s3://key:secret@bucket/a.csv?token=1"), shown("/data/a.csv")
    ('s3://bucket/a.csv', '/data/a.csv')
    """
    if not _ADDRESS.match(source):
        return source
    return re.sub(r"://[^/@]*@", "://", source).partition("?")[0]


def known_format(name: str) -> str | None:
    """The format that a file's ending says, compression aside.

    >>> known_format("a/2015.csv.gz"), known_format("a/2015.json")
    ('csv', None)
    """
    path = Path(name)
    if path.suffix in COMPRESSIONS:
        path = path.with_suffix("")
        return "csv" if _ENDINGS.get(path.suffix) == "csv" else None
    return _ENDINGS.get(path.suffix.lower())


def locate(
    source: str, wanted: str, storage: Mapping[str, Any]
) -> tuple[str, tuple[Located, ...]] | None:
    """The format and the files behind a source, sorted by name; None where it is not ours.

    Args:
        source: a path, glob, folder or address.
        wanted: the format that the settings state; empty where the files say it.
        storage: arguments of the fsspec driver.

    Raises:
        NotFound: nothing is there.
        Unsupported: the driver of an address is not installed.
        Unavailable: the store cannot be reached.
        InvalidInput: files of several formats, or a folder partitioned by its names.
    """
    address = _ADDRESS.match(source)
    if address and address[1].lower() == "file":
        source, address = source[len("file://") :], None
    if address:
        found = _remote(source, address[1].lower(), storage)
    elif _WORD.match(source) and not Path(source).exists():
        return None
    else:
        found = _local(source)
    if found is None:
        return None
    single, files = found
    return _one_format(source, files, wanted, single=single)


@contextmanager
def opened(file: Located) -> Iterator[Any]:
    """What pyarrow reads a file from at random places: a path, or the store's open file."""
    if file.store is None:
        yield file.path
        return
    with _reaching(file.shown):
        stream = file.store.open(file.path, "rb")
    try:
        yield stream
    finally:
        stream.close()


@contextmanager
def on_disk(file: Located, folder: Path) -> Iterator[Path]:
    """The file on the local disk: itself, or a copy in a folder, removed afterwards.

    A remote file is read once: its digest is then that of the very bytes that become rows.
    """
    if file.store is None:
        yield Path(file.path)
        return
    # The ending stays: it says how the file is compressed.
    copy = folder / f"source{''.join(Path(file.path).suffixes[-2:])}"
    with _reaching(file.shown), file.store.open(file.path, "rb") as stream, copy.open("wb") as out:
        shutil.copyfileobj(stream, out, _COPY)
    try:
        yield copy
    finally:
        copy.unlink()


def _local(source: str) -> tuple[bool, list[Located]] | None:
    path = Path(source)
    if path.exists():
        _refuse_other_names(source)
    if path.is_file():
        return True, [_on_this_disk(source)]
    if path.is_dir():
        if (path / "_delta_log").is_dir():
            return None
        inside = [item for item in path.rglob("*") if item.is_file()]
        relative = {item: item.relative_to(path).as_posix() for item in inside}
        _refuse_partitions(source, relative.values())
        kept = sorted(
            (item for item in inside if _counts(relative[item])), key=relative.__getitem__
        )
        return False, [_on_this_disk(str(item)) for item in kept]
    if glob.has_magic(source):
        matches = sorted(item for item in _matches(source) if Path(item).is_file())
        return False, [_on_this_disk(item) for item in matches if _counts(Path(item).name)]
    if path.suffix and known_format(source) is None:
        return None
    msg = f"{source}: nothing is there; [task] dataset takes a path, a glob, a folder or an address"
    raise NotFound(msg)


def _matches(pattern: str) -> list[str]:
    return glob.glob(pattern, recursive=True)  # noqa: PTH207  (Path.glob wants root and rest apart)


def _on_this_disk(path: str) -> Located:
    _refuse_other_names(path)
    state = Path(path).stat()
    stamp = f"{state.st_mtime_ns}-{state.st_ino}"
    return Located(path=path, shown=path, size=state.st_size, stamp=stamp, store=None)


def _refuse_other_names(path: str) -> None:
    """Rows are read and recorded by the names of their files, which are UTF-8 there."""
    try:
        path.encode()
    except UnicodeEncodeError:
        told = os.fsencode(path).decode("utf-8", "backslashreplace")
        msg = f"{told}: the name is not UTF-8: rename what has \\x in it, for example with mv"
        raise InvalidInput(msg) from None


def _remote(
    source: str, scheme: str, storage: Mapping[str, Any]
) -> tuple[bool, list[Located]] | None:
    import fsspec
    from fsspec.registry import known_implementations, registry

    if scheme not in known_implementations and scheme not in registry:
        return None
    try:
        with _reaching(shown(source)):
            store, path = fsspec.core.url_to_fs(source, **storage)
    except ImportError:
        needed = known_implementations[scheme].get("err", "install its fsspec driver")
        msg = f"{shown(source)}: no driver for {scheme}:// is installed. {needed}"
        raise Unsupported(msg) from None
    with _reaching(shown(source)):
        store.invalidate_cache()
        if glob.has_magic(path):
            entries, single = store.glob(path, detail=True), False
        elif store.isdir(path):
            entries, single = store.find(path, detail=True), False
        else:
            entries, single = {path: store.info(path)}, True
        names = [name for name in entries if entries[name].get("type", "file") == "file"]
        if not single:
            inside = {name: name.removeprefix(path).lstrip("/") for name in names}
            _refuse_partitions(shown(source), inside.values())
            names = [name for name in names if _counts(inside[name])]
        return single, [
            Located(
                path=name,
                shown=shown(source) if single else store.unstrip_protocol(name),
                size=int(entries[name].get("size") or 0),
                stamp=str(store.ukey(name)),
                store=store,
            )
            for name in sorted(names)
        ]


@contextmanager
def _reaching(name: str) -> Iterator[None]:
    """A driver's failures as ours; their own words may hold credentials, so only the type stays."""
    try:
        yield
    except FileNotFoundError:
        msg = f"{name}: nothing is there"
        raise NotFound(msg) from None
    except (ImportError, InvalidInput, NotFound):
        raise
    except Exception as error:  # noqa: BLE001  (a driver raises its client's own exceptions)
        msg = f"{name}: the store does not answer ({type(error).__name__}); check storage_options"
        raise Unavailable(msg) from None


def _counts(relative: str) -> bool:
    """Whether a found file holds rows: markers and hidden files do not."""
    return not any(part.startswith((".", "_")) for part in relative.split("/"))


def _refuse_partitions(source: str, relative: Iterable[str]) -> None:
    for name in relative:
        folders = name.split("/")[:-1]
        if any("=" in folder for folder in folders):
            msg = (
                f"{source} is partitioned by {folders[0].partition('=')[0]!r}, a column that its "
                "files do not hold: write the column into them, or name the files by a glob"
            )
            raise InvalidInput(msg)


def _one_format(
    source: str, files: list[Located], wanted: str, *, single: bool
) -> tuple[str, tuple[Located, ...]] | None:
    if wanted:
        formats = dict.fromkeys((wanted,))
    elif single:
        found = known_format(files[0].path) or _sniffed(files[0])
        if found is None:
            return None
        formats = dict.fromkeys((found,))
    else:
        files = [file for file in files if known_format(file.path)]
        formats = dict.fromkeys(known_format(file.path) or "" for file in files)
    if not files:
        msg = f"{shown(source)}: no Parquet, CSV or Arrow file is there"
        raise NotFound(msg)
    if len(formats) > 1:
        msg = f"{shown(source)} holds {' and '.join(formats)} files: name those of one by a glob"
        raise InvalidInput(msg)
    return next(iter(formats)), tuple(files)


def _sniffed(file: Located) -> str | None:
    with opened(file) as source:
        if isinstance(source, str):
            with Path(source).open("rb") as stream:
                head = stream.read(4)
        else:
            head = source.read(4)
    return _MAGIC.get(head)
