"""A registry in a plain git repository.

A version is an annotated tag, ``models/NAME/v3``: its message holds the version as JSON, its commit
the model's files, below ``model/``. An alias is a branch, ``aliases/NAME/champion``, at the commit
of its version. Whoever writes moves refs by compare and swap; a version's number is the next free
one, so of two who take it one is refused and looks again.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs

from interlock_hookspecs import (
    Artifact,
    Conflict,
    Facts,
    InvalidInput,
    Misfit,
    Model,
    ModelVersion,
    NotFound,
    Unavailable,
    VersionPage,
    Workspace,
    from_plain,
    hookimpl,
    plugin,
    project_root,
    setting,
    to_plain,
)

if TYPE_CHECKING:
    from interlock_registry_git.repository import Ref, Repository

T = TypeVar("T")

_PATIENCE = 60.0  # seconds that a writer tries again while others are faster
_ALIASES = "refs/heads/aliases"
_VERSIONS = "refs/tags/models"
_DELETED = "refs/tags/deleted"
_FILE = re.compile(r"\w[\w .+-]*", re.ASCII)
"""Names of files that every system can check out."""


@attrs.frozen(kw_only=True)
class _Shelf:
    """What a name has, read at one moment.

    Attributes:
        versions: by number, with their tags; the numbers ascend.
        aliases: the number that each points at.
        used: the numbers of versions that were deleted, and the id that each had.
    """

    versions: dict[int, tuple[ModelVersion, Ref]]
    aliases: dict[str, int]
    used: dict[int, str]

    @property
    def next(self) -> int:
        """The number that the next version gets."""
        return max((*self.versions, *self.used), default=0) + 1

    def find(self, ref: str) -> ModelVersion | None:
        """The version of a number, an alias, a digest or an id."""
        for number, (version, _) in self.versions.items():
            if ref.startswith("@"):
                if self.aliases.get(ref[1:]) == number:
                    return version
            elif ref in (version.number, version.model.digest, version.id):
                return version
        return None


@plugin(contract="1.0")
class GitRegistry:
    """Keeps versions as tags and aliases as branches, with the files of each model."""

    repository: str = setting(
        ".interlock/models.git",
        doc="the bare repository, relative to the project's folder; made where there is none",
    )
    root: Path = project_root()

    @hookimpl
    def register_version(
        self,
        name: str,
        id: str,  # noqa: A002  (the contract's own word)
        model: Model,
        facts: Facts,
        ws: Workspace,
    ) -> ModelVersion:
        from interlock_registry_git.names import encode
        from interlock_registry_git.repository import NOWHERE

        part, git = encode(name, what="name"), self._git()
        commit = ""

        def attempt() -> ModelVersion:
            nonlocal commit
            shelf = _read(git, name)
            known = _known(shelf, id, model)
            if known is not None:
                return attrs.evolve(known, existing=True)
            commit = commit or _commit(git, name, id, model.artifact, ws)
            number = shelf.next
            at = datetime.now(UTC)
            made = ModelVersion(
                id=id, name=name, number=str(number), model=model, facts=facts, at=at
            )
            tag = _tag(git, commit, "commit", f"models/{part}/v{number}", made)
            git.move(f"update {_VERSIONS}/{part}/v{number} {tag} {NOWHERE}")
            return made

        return self._until(attempt)

    @hookimpl
    def get_version(self, name: str, ref: str) -> ModelVersion | None:
        shelf = self._shelf(name)
        return shelf.find(ref) if shelf else None

    @hookimpl
    def list_versions(self, name: str, cursor: str | None, limit: int) -> VersionPage:
        below = None if cursor is None else _number(cursor)
        if cursor is not None and below is None:
            raise InvalidInput("the cursor is not one of this registry's: start without one")
        shelf = self._shelf(name)
        numbers = [n for n in (shelf.versions if shelf else ()) if below is None or n < below]
        page = numbers[: -limit - 1 : -1]
        more = len(numbers) > limit
        items = tuple(shelf.versions[number][0] for number in page) if shelf else ()
        return VersionPage(items=items, cursor=str(page[-1]) if more else None)

    @hookimpl
    def set_alias(self, name: str, alias: str, expected: str | None, number: str | None) -> None:
        from interlock_registry_git.names import encode
        from interlock_registry_git.repository import NOWHERE

        part, git = encode(name, what="name"), self._git()
        branch = f"{_ALIASES}/{part}/{encode(alias, what='alias')}"

        def attempt() -> None:
            shelf = _read(git, name)
            now = shelf.aliases.get(alias)
            found = None if now is None else str(now)
            if found != expected:
                raise Conflict(f"@{alias} of {name} is on {found}", expected=expected, found=found)
            old = shelf.versions[now][1].target if now is not None else NOWHERE
            if number is None:
                if now is not None:
                    git.move(f"delete {branch} {old}")
                return
            tag = _existing(shelf, name, number)
            # The tag is held meanwhile: nobody deletes the version that the alias comes to.
            git.move(f"verify {tag.name} {tag.object}", f"update {branch} {tag.target} {old}")

        self._until(attempt)

    @hookimpl
    def delete_version(self, name: str, number: str) -> None:
        git = self._git()

        def attempt() -> None:
            tag = _existing(_read(git, name), name, number)
            version = from_plain(ModelVersion, json.loads(tag.message.partition("\n\n")[2]))
            kept = tag.name.replace(_VERSIONS, _DELETED)
            empty = git.run("mktree").strip()
            stone = _tag(git, empty, "tree", kept.removeprefix("refs/tags/"), version)
            changes = (f"delete {tag.name} {tag.object}", f"create {kept} {stone}")
            with git.moving(*changes):
                # Under the lock: an alias that comes to this version verifies its tag first.
                aliases = _read(git, name).aliases
                pointing = sorted(f"@{a}" for a, at in aliases.items() if str(at) == number)
                if pointing:
                    found = ", ".join(pointing)
                    raise Conflict(f"{name} {number} is {found}", expected=None, found=found)

        self._until(attempt)

    @hookimpl
    def fetch_version(self, version: ModelVersion, ws: Workspace) -> Artifact:
        git = self._git()
        tag = _existing(_read(git, version.name), version.name, version.number)
        wanted = version.model.artifact
        folder = ws.scratch() / "model"
        path = folder
        for name, blob in git.files(f"{tag.target}:model"):
            git.copy(blob, folder / name)
            path = folder if wanted.folder else folder / name
        kept = ws.keep(path, name=wanted.name)
        if kept.digest != wanted.digest:
            raise InvalidInput(
                f"{tag.name} of {self.repository} holds other bytes than {wanted.digest}: "
                "restore the repository from a copy"
            )
        return kept

    @hookimpl
    def find_misfits(self, version: ModelVersion) -> list[Misfit]:
        from interlock_registry_git.names import encode

        found = []
        names = [("name", version.name), *(("alias", alias) for alias in version.aliases)]
        for what, text in names:
            try:
                encode(text, what=what)
            except InvalidInput as error:
                part = what if what == "name" else f"{what} {text[:40]!r}"
                found.append(Misfit(what=part, reason=str(error)))
        shelf = None if found else self._shelf(version.name)
        for number, id_ in (shelf.used if shelf else {}).items():
            if id_ == version.id:
                reason = f"it made version {number} here, which was deleted"
                found.append(Misfit(what="id", reason=reason))
        return found

    def _git(self) -> Repository:
        from interlock_registry_git.repository import Repository

        git = Repository(self.root / self.repository)
        git.make()
        return git

    def _shelf(self, name: str) -> _Shelf | None:
        """What a name has; None for a name that none can have, or where there is no repository."""
        from interlock_registry_git.names import encode

        if not (self.root / self.repository).exists():
            return None
        try:
            encode(name, what="name")
        except InvalidInput:
            return None
        return _read(self._git(), name)

    def _until(self, attempt: Callable[[], T]) -> T:
        """What an attempt gives that no other writer was faster than."""
        from interlock_registry_git.repository import Refused

        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return attempt()
            except Refused as error:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{self.repository}: {error}") from error
                # Those who were refused together do not come again together.
                time.sleep(random.uniform(0.001, 0.02))  # noqa: S311  (no secret)


def _read(git: Repository, name: str) -> _Shelf:
    from interlock_registry_git.names import decode, encode

    part = encode(name, what="name")
    versions, used, pointed = {}, {}, {}
    for ref in git.refs(*(f"{place}/{part}/" for place in (_VERSIONS, _DELETED, _ALIASES))):
        place, _, last = ref.name.rpartition("/")
        if place == f"{_ALIASES}/{part}":
            pointed[decode(last)] = ref.object
            continue
        version = from_plain(ModelVersion, json.loads(ref.message.partition("\n\n")[2]))
        number = int(version.number)
        if place == f"{_VERSIONS}/{part}":
            versions[number] = (version, ref)
        else:
            used[number] = version.id
    numbers = {ref.target: number for number, (_, ref) in versions.items()}
    aliases = {alias: numbers[commit] for alias, commit in pointed.items() if commit in numbers}
    shown: dict[int, tuple[ModelVersion, Ref]] = {}
    for number in sorted(versions):
        version, ref = versions[number]
        of = tuple(sorted(alias for alias, at in aliases.items() if at == number))
        shown[number] = (attrs.evolve(version, aliases=of), ref)
    return _Shelf(versions=shown, aliases=aliases, used=used)


def _known(shelf: _Shelf, id: str, model: Model) -> ModelVersion | None:  # noqa: A002
    """The version of an id or else of a digest.

    Raises:
        Conflict: the id stands for another model, or for a version that was deleted.
    """
    for version, _ in shelf.versions.values():
        if version.id == id:
            if version.model.digest != model.digest:
                raise Conflict(
                    f"{id} stands for another model",
                    expected=model.digest,
                    found=version.model.digest,
                )
            return version
    if id in shelf.used.values():
        raise Conflict(f"{id} was deleted", expected=model.digest, found=None)
    return shelf.find(model.digest)


def _existing(shelf: _Shelf, name: str, number: str) -> Ref:
    known = _number(number)
    if known is None or known not in shelf.versions:
        raise NotFound(f"{name} has no version {number}")
    return shelf.versions[known][1]


def _number(text: str) -> int | None:
    """A number as this registry writes it; None for any other text."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004  (of 64 bits)
        return None
    return int(text) if text == str(int(text)) else None


def _commit(git: Repository, name: str, id: str, artifact: Artifact, ws: Workspace) -> str:  # noqa: A002
    """The commit that holds a model's files: a folder's as they are, a file under its name."""
    path = ws.locate(artifact)
    if artifact.folder:
        found = [(file.relative_to(path).as_posix(), file) for file in path.rglob("*")]
    else:
        found = [(artifact.name if _FILE.fullmatch(artifact.name) else "artifact", path)]
    files = [(f"model/{inner}", file) for inner, file in found if file.is_file()]
    if not files:
        raise InvalidInput(f"{artifact.name} is a folder without files: git keeps none")
    message = f"{name}\n\n{id}\n".encode(errors="replace").replace(b"\0", b"")
    return git.run("commit-tree", git.tree(files), given=message).strip()


def _tag(git: Repository, target: str, kind: str, name: str, version: ModelVersion) -> str:
    """An annotated tag object, whose message holds a version."""
    now = int(datetime.now(UTC).timestamp())
    body = json.dumps(to_plain(version), indent=1, sort_keys=True)
    text = (
        f"object {target}\ntype {kind}\ntag {name}\n"
        f"tagger interlock <interlock@localhost> {now} +0000\n\n{name}\n\n{body}\n"
    )
    return git.run("mktag", given=text.encode()).strip()
