"""The files of a project that settings name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from interlock_hookspecs.digests import file_digest


def project_files(names: Iterable[str], root: Path) -> dict[str, str]:
    """The digest of each file in a project's folder that is named, by its path there.

    A program on the PATH, or a file elsewhere, belongs to the machine and is not among them.

    Args:
        names: any texts; those that name no file in the folder are passed over.
        root: the project's folder, to which names are relative.

    >>> project_files(["train.R", "--depth=3"], Path("/nowhere"))
    {}
    """
    folder, found = root.resolve(), {}
    for name in names:
        try:
            path = (folder / name).resolve()
            inside = path.is_relative_to(folder) and path.is_file()
        except (OSError, ValueError):  # too long for a path, or with a zero byte: another text
            continue
        if inside:
            found[path.relative_to(folder).as_posix()] = file_digest(path)
    return found
