"""The files that a stack is read from: the project's, and what it includes."""

from __future__ import annotations

import os
import posixpath
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from interlock.errors import StackError
from interlock.stack.places import Place, Source
from interlock.stack.problems import Problems, shown

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FILE_NAME = "interlock.toml"
PACKAGE = "package:"
_DEEPEST = 20
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def include_entries(source: Source) -> tuple[str, ...]:
    """What a file that was read without a mistake includes, in order, as it says it."""
    said = source.data.get("include", [])
    return (said,) if isinstance(said, str) else tuple(said)


def find_file(start: Path, file: Path | None) -> Path:
    """The stack file: the one given, else the nearest in a folder or above it.

    Raises:
        StackError: there is none, or it stands where no name can be recorded.
    """
    if file is not None:
        if not file.is_file():
            raise StackError((f"{file}: no such stack file",), hint="interlock init")
        return named(file.absolute())
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return named(folder / FILE_NAME)
    problem = f"{FILE_NAME}: not found in {start} or in any folder above it: run `interlock init`"
    raise StackError((problem,), hint="interlock init")


def named(path: Path) -> Path:
    """A path whose folders and file are named in UTF-8, as all that reads and records files asks.

    Raises:
        StackError: it is another.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        problem = f"{shown}: the name is not UTF-8, and what is read and recorded here names it"
        raise StackError(
            (problem,), hint="rename what has \\x in it, for example with mv"
        ) from None
    return path


def read_sources(file: Path) -> Source:
    """Read a stack file and everything that it includes.

    Raises:
        StackError: files cannot be read or are no TOML, includes are missing or go in circles;
            all that was found.
    """
    reader = _Reader(file.parent)
    main = reader.read(_Located.of_file(file, file.parent), included=False, chain=())
    reader.problems.raise_any()
    return main


class _Located(NamedTuple):
    """A file that is to be read: on disk, or inside an installed package."""

    key: str
    label: str
    file: Path | None
    folder: Path
    package: str = ""
    inside: str = ""
    resource: Traversable | None = None

    @classmethod
    def of_file(cls, file: Path, root: Path) -> _Located:
        path = Path(os.path.normpath(file))
        return cls(str(path.resolve()), os.path.relpath(path, root), path, path.parent)

    def read(self) -> bytes:
        if self.resource is not None:
            return self.resource.read_bytes()
        if self.file is None:
            raise FileNotFoundError(self.label)
        return self.file.read_bytes()


class _Reader:
    """Reads every file once, and remembers what was wrong."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems = Problems()
        self._done: dict[str, Source] = {}

    def read(self, located: _Located, *, included: bool, chain: tuple[str, ...]) -> Source:
        if located.key in self._done:
            return self._done[located.key]
        source = Source(located.label, located.file, located.folder, included=included)
        try:
            # Windows editors begin a file with a mark that TOML does not know.
            source.text = located.read().decode("utf-8-sig").replace("\r\n", "\n")
            source.data = tomllib.loads(source.text)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "no such file"
            self.problems.add(source.place("file"), f"cannot be read: {reason}")
        except UnicodeDecodeError as error:
            self.problems.add(source.place("file"), f"is not UTF-8 at byte {error.start}")
        except RecursionError:
            # What cannot be parsed is not searched for lines either.
            source.lines = {}
            self.problems.add(source.place("file"), "is nested too deep")
        except ValueError as error:
            self.problems.add(_syntax_place(source, error), _syntax_text(error))
        self._done[located.key] = source
        source.includes = tuple(self._includes(source, located, (*chain, located.key)))
        return source

    def _includes(
        self, source: Source, located: _Located, chain: tuple[str, ...]
    ) -> Iterator[Source]:
        place = source.place("include")
        said = source.data.get("include", [])
        for entry in [said] if isinstance(said, str) else said if isinstance(said, list) else [0]:
            if not isinstance(entry, str) or not entry.strip() or "\0" in entry:
                self.problems.add(
                    place,
                    f"expected a list of paths, found {shown(said)}; "
                    'for example ["../platform/stacks.toml"]',
                )
                continue
            if "${" in entry:
                self.problems.add(place, "takes no ${...}: what is included is the same everywhere")
                continue
            target = self._locate(entry, located, place)
            if target is None:
                continue
            if target.key in chain:
                self.problems.add(place, f"{entry!r} includes this file again: a circle")
            elif len(chain) >= _DEEPEST:
                self.problems.add(place, f"{entry!r} is more than {_DEEPEST} includes deep")
            else:
                yield self.read(target, included=True, chain=chain)

    def _locate(self, entry: str, located: _Located, place: Place) -> _Located | None:
        if entry.startswith(PACKAGE):
            package, _, inside = entry.removeprefix(PACKAGE).partition("/")
            return self._in_package(package, inside, place)
        if located.package:
            inside = posixpath.join(posixpath.dirname(located.inside), entry)
            return self._in_package(located.package, inside, place)
        target = located.folder / entry
        if not target.is_file():
            self.problems.add(place, f"{entry!r}: there is no such file")
            return None
        return _Located.of_file(target, self.root)

    def _in_package(self, package: str, inside: str, place: Place) -> _Located | None:
        import importlib.util
        from importlib import resources

        inside = posixpath.normpath(inside)
        label = f"{PACKAGE}{package}/{inside}"
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError, AttributeError):
            spec = None
        if spec is None or spec.submodule_search_locations is None:
            self.problems.add(place, f"{label!r}: no package {package!r} is installed")
            return None
        # The package is located, not executed: a stack file needs its text, not its code.
        resource = resources.files(importlib.util.module_from_spec(spec)).joinpath(inside)
        if inside.startswith(("..", "/")) or not resource.is_file():
            self.problems.add(place, f"{label!r}: the package has no such file")
            return None
        file = resource if isinstance(resource, Path) else None
        # What an installed package says is relative to the project: its own folder is no place
        # to keep a ledger in.
        return _Located(label, label, file, self.root, package, inside, resource)


def _syntax_place(source: Source, error: ValueError) -> Place:
    found = _PLACE.search(str(error))
    last = source.text.count("\n") + 1
    line = int(found[1]) if found is not None and found[1] else last
    source.lines = {("syntax",): line}
    return source.place("syntax")


def _syntax_text(error: ValueError) -> str:
    found = _PLACE.search(str(error))
    if found is None:
        return "this is no TOML: a number has too many digits"
    column = f" (column {found[2]})" if found[2] else " (at the end of the file)"
    return f"this is no TOML: {str(error)[: found.start()]}{column}"
