"""The entry points of plugins, read where installed distributions keep them.

They are the ones that `importlib.metadata` finds. That parses those of every distribution, and to
import it imports a parser of mail: a server would be waited for longer than its model is opened.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from interlock_hookspecs import PROJECT, ROLES

_KINDS = (".dist-info", ".egg-info")
_ABOUT = ("METADATA", "PKG-INFO")


class EntryPoint(NamedTuple):
    """A plugin as its distribution names it.

    Attributes:
        role, word: its group and its name.
        target: ``module:Class``.
        distribution, version: who brought it.
    """

    role: str
    word: str
    target: str
    distribution: str
    version: str


def entry_points() -> Iterator[EntryPoint]:
    """The plugins of what is installed; of two distributions of a name the first on sys.path."""
    places = [Path(place) for place in sys.path]
    if not _are_folders(places):
        yield from _found_elsewhere()
        return
    seen = set()
    for name, folder in _distributions(places):
        if name not in seen:
            seen.add(name)
            yield from _of(folder)


def _are_folders(places: Iterable[Path]) -> bool:
    """Whether it is folders alone that distributions can be in, and Python's own way to find them.

    Or that of ``importlib_metadata``, which takes its place where a library imports it, MLflow for
    one, and looks into the same folders. Otherwise there is a zip file, an egg, or a finder that
    somebody added.
    """
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_distributions"))
    if not all(
        finder is PathFinder or type(finder).__module__ == "importlib_metadata"
        for finder in finders
    ):
        return False
    return not any(place.suffix.lower() == ".egg" or place.is_file() for place in places)


def _distributions(places: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """The name and the folder of metadata of each, of several of a name too.

    As texts: there are hundreds, and a `Path` of each would take longer than to read them.
    """
    for place in places:
        try:
            files = os.listdir(place)  # noqa: PTH208
        except OSError:
            continue
        for file in files:
            stem, kind = os.path.splitext(file)  # noqa: PTH122
            if kind.lower() in _KINDS:
                name = re.sub(r"[-_.]+", "-", stem.partition("-")[0]).lower()
                yield name, f"{place}/{file}"


def _of(folder: str) -> Iterator[EntryPoint]:
    """The plugins of a distribution, by the folder of its metadata."""
    text = _read(f"{folder}/entry_points.txt")
    if f"[{PROJECT}." not in text:
        return
    about = next(filter(None, (_read(f"{folder}/{name}") for name in _ABOUT)), "")
    distribution, version = _said(about)
    role = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            project, _, group = line.strip("[]").partition(".")
            role = group if project == PROJECT and group in ROLES else None
        elif role is not None and line and not line.startswith("#"):
            word, _, target = line.partition("=")
            yield EntryPoint(role, word.strip(), target.strip(), distribution, version)


def _read(file: str) -> str:
    """What a file of metadata says; nothing where it is not there or cannot be read."""
    try:
        with open(file, encoding="utf-8") as text:  # noqa: PTH123
            return text.read()
    except OSError:
        return ""


def _said(about: str) -> tuple[str, str]:
    """The name and the version of a distribution, from the first lines of its metadata.

    The whole is a message of mail, long description included.
    """
    said = {"Name": "unknown", "Version": "0"}
    for line in about.splitlines():
        if not line:  # the description begins
            break
        key, _, value = line.partition(": ")
        if key in said:
            said[key] = value.strip()
    return said["Name"], said["Version"]


def _found_elsewhere() -> Iterator[EntryPoint]:
    from importlib import metadata

    everything = metadata.entry_points()
    for role in ROLES:
        for found in everything.select(group=f"{PROJECT}.{role}"):
            texts = (found.dist.read_text(name) for name in _ABOUT) if found.dist else ()
            said = _said(next(filter(None, texts), ""))
            yield EntryPoint(role, found.name, found.value, *said)
