"""Files of captures put together: a day that had a file each second ends with a few.

Of the files that `capture_due` names those with the same columns are put together. No row is lost
or seen twice, whatever is killed when. All is done by who has the folder's lock alone, in this
order:

1. What a killed one left is finished or undone.
2. The rows are written under another name, and synced.
3. The originals are claimed, by a rename each: see `capture_folder`.
4. The new file gets its name. From here on its rows count, and those that are claimed do not.
5. The claimed files are removed.

Before and after the fourth step the folder is synced: a power cut leaves no later step without an
earlier one. An original that somebody removed is missed when it is claimed, and all is undone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from interlock.durable import sync
from interlock.serving.capture_due import File, as_file, due_files
from interlock.serving.capture_files import (
    ABOUT,
    encode,
    name_of,
    new_digits,
    temporary_of,
)
from interlock.serving.capture_folder import Claim, alone, claim, claims

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_VALUE = 8
_HELD = 16 << 20
"""Bytes of rows that are held at once, about."""


def merge(folder: Path, now: datetime, *, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Put files of a folder together that are due, as many as are held in memory at once.

    Args:
        folder: of captures.
        now: days before it are over.
        stopping: asked between files; where it answers True, nothing is done.

    Returns:
        Whether something was done, so that there may be more to do. False where nothing is due,
        somebody reads the folder, or does this already.

    Raises:
        OSError: the disk does not take it, or has no locks; nothing was changed.
    """
    if not due_files(folder, now) and not _left_behind(_names(folder)):
        return False
    with alone(folder) as held:
        if not held:
            return False
        _settle(folder)
        files, level = due_files(folder, now) or ((), 0)
        groups = _read(folder, files, stopping)
        done = [_put_together(folder, group, level) for group in groups]
        return any(done)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _left_behind(names: Iterable[str]) -> bool:
    """Whether a killed one left something, or somebody is at it."""
    return any(claims([name]) or _is_draft(name) for name in names)


def _is_draft(name: str) -> bool:
    """Whether this is a file into which others were being put together."""
    file = as_file(name.removeprefix(".").removesuffix(".tmp"))
    return name.startswith(".") and file is not None and file.level > 0


def _settle(folder: Path) -> None:
    """Finish or undo what a killed one left."""
    names = _names(folder)
    found = claims(names)
    if found:
        # What is taken for done must not go back with a power cut.
        sync(folder)
    for each in found:
        _drop(folder, each) if each.merged in names else _give_back(folder, each)
    for name in filter(_is_draft, names):
        (folder / name).unlink(missing_ok=True)


def _drop(folder: Path, claimed: Claim) -> None:
    (folder / claimed.name).unlink(missing_ok=True)


def _give_back(folder: Path, claimed: Claim) -> None:
    with suppress(FileNotFoundError):
        (folder / claimed.name).rename(folder / claimed.original)


@attrs.define
class _Group:
    """Files that are alike.

    Attributes:
        files: oldest first.
        tables: their rows. Of a file that stays by itself there are none.
        changed: when the youngest was written, in nanoseconds since 1970.
    """

    files: list[File] = attrs.field(factory=list)
    tables: list[pa.Table] = attrs.field(factory=list)
    changed: int = 0


def _read(folder: Path, files: Iterable[File], stopping: Callable[[], bool]) -> list[_Group]:
    """Files by what is alike, until as many rows are held as may be; none where it is stopping."""
    import pyarrow as pa

    groups: dict[object, _Group] = {}
    held = 0
    for file in files:
        if stopping():
            return []
        try:
            table, changed = _table(folder / file.name)
        except FileNotFoundError:
            continue
        except (pa.ArrowException, OSError, ValueError):
            # Readers say what is wrong with it.
            table, changed = None, 0
        if table is None:
            groups[file] = _Group([file])
            continue
        kind = (*table.column_names, *table.schema.types)
        group = groups.setdefault(kind, _Group())
        group.files.append(file)
        group.tables.append(table)
        group.changed = max(group.changed, changed)
        held += table.nbytes
        if held >= _HELD:
            break
    return list(groups.values())


def _table(path: Path) -> tuple[pa.Table | None, int]:
    """The rows of a file, and when it was written, in nanoseconds since 1970.

    Returns:
        No rows where they are many, or none of captures.

    Raises:
        pyarrow.ArrowException, OSError, ValueError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pa.OSFile(os.fsencode(path), "rb") as source, pq.ParquetFile(source) as file:
        changed = path.stat().st_mtime_ns
        told = file.metadata
        many = told.num_rows * told.num_columns * _VALUE > _HELD // 2
        if many or not set(ABOUT) <= set(file.schema_arrow.names):
            return None, changed
        table = file.read(use_threads=False)
    # Which columns have no gaps is a file's own affair.
    fields = [field.with_nullable(nullable=True) for field in table.schema]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields)), changed


def _put_together(folder: Path, group: _Group, level: int) -> bool:
    """Have one file where there were several; False where one of them was removed meanwhile.

    A single one, like which there is no other, is of that level from now on, too: it is not looked
    at again and again. So is what Arrow does not put together.
    """
    import pyarrow as pa

    if len(group.files) == 1:
        _raise(folder, group.files, level)
        return True
    merged = name_of(new_digits(max(file.latest for file in group.files)), level)
    temporary = temporary_of(folder, merged)
    try:
        encode(temporary, _joined(group.tables))
        # Who removes files by their age knows that of the youngest row.
        os.utime(temporary, ns=(group.changed, group.changed))
        sync(temporary)
        _swap(folder, group.files, temporary, merged)
    except FileNotFoundError:
        return False
    except pa.ArrowException:
        _raise(folder, group.files, level)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _raise(folder: Path, files: list[File], level: int) -> None:
    """Name files as those of another level, as they are."""
    for file in files:
        with suppress(FileNotFoundError):
            (folder / file.name).rename(folder / file.raised(level))


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Tables that are alike as one; what rows have in common is written once, as a writer does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.concat_tables(tables).unify_dictionaries()
    shared = ["release"] if pc.max(table["row"]).as_py() == 0 else ["release", "request_id"]
    for name in shared:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].combine_chunks().dictionary_encode())
    return table


def _swap(folder: Path, files: list[File], temporary: Path, merged: str) -> None:
    """Let one file count, and no longer those that were put together in it.

    Raises:
        FileNotFoundError: one of them was removed meanwhile; the others are as they were.
        OSError: the disk does not take it.
    """
    claimed: list[Claim] = []
    try:
        for file in files:
            each = claim(file.name, merged)
            (folder / each.original).rename(folder / each.name)
            claimed.append(each)
        sync(folder)
        temporary.rename(folder / merged)
    except OSError:
        for each in claimed:
            _give_back(folder, each)
        raise
    sync(folder)
    for each in claimed:
        _drop(folder, each)
