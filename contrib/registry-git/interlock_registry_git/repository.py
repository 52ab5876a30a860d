"""A bare git repository, through git's own plumbing: objects, refs, transactions of refs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from interlock_hookspecs import InvalidInput, Unavailable

NOWHERE = "0" * 40
"""The object of a ref that does not exist."""

_OPTIONS = (
    "-c", "core.fsync=all",                # a version that was answered is there after a power cut
    "-c", "core.filesRefLockTimeout=10000",  # milliseconds that a ref waits for another writer
    "-c", "core.packedRefsTimeout=10000",
    "-c", "user.name=interlock",
    "-c", "user.email=interlock@localhost",
)  # fmt: skip


_RACE = re.compile(r"but expected|already exists|File exists|unable to resolve reference")
"""What git says where a ref was moved meanwhile, or is being moved."""


class Refused(Exception):  # noqa: N818  (read as a sentence)
    """A ref is not where the transaction expects it, or another writer holds it."""


@attrs.frozen(kw_only=True)
class Ref:
    """A ref, its object, and of a tag what it points at and its message."""

    name: str
    object: str
    target: str
    message: str


@attrs.frozen
class Repository:
    """A bare repository at a path, made where there is none."""

    path: Path

    def make(self) -> None:
        """Make the repository, whole, unless it exists; of several at once one makes it."""
        if (self.path / "HEAD").exists():
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=self.path.parent, prefix=f".{self.path.name}."))
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be made: {error.strerror}") from error
        try:
            how = ("--quiet", "--bare", "--template=", "--initial-branch=main")
            _run(["git", "init", *how, str(draft)])
            draft.chmod(0o755)
            draft.rename(self.path)
        except OSError as error:
            if not (self.path / "HEAD").exists():
                raise Unavailable(
                    f"{self.path} is no git repository and cannot be made one: {error.strerror}"
                ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def run(self, *words: str, given: bytes = b"", environ: Mapping[str, str] | None = None) -> str:
        """What a git command prints.

        Raises:
            Unavailable: it fails.
        """
        return _run([*_command(self.path), *words], given, environ)

    def refs(self, *prefixes: str) -> list[Ref]:
        """The refs below some prefixes, as they are now."""
        form = "%(refname)%00%(objectname)%00%(*objectname)%00%(contents)%00"
        text = self.run("for-each-ref", f"--format={form}", *prefixes)
        fields = text.split("\0")[:-1]
        return [
            Ref(name=name.lstrip("\n"), object=found, target=target, message=message)
            for name, found, target, message in zip(*[iter(fields)] * 4, strict=True)
        ]

    def tree(self, files: Iterable[tuple[str, Path]]) -> str:
        """The tree object of some files, each at its path in it; their bytes as they are.

        Raises:
            InvalidInput: git keeps no file of such a path.
        """
        named = list(files)
        paths = "\n".join(str(path.absolute()) for _, path in named)
        if paths.count("\n") != len(named) - 1:
            raise InvalidInput("a file's path has a line break, which git cannot read")
        # Without filters: what .gitattributes says of line ends is not to touch a model.
        command = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        objects = self.run(*command, given=f"{paths}\n".encode()).split()
        lines = [
            f"100644 {found}\t{name}\0" for (name, _), found in zip(named, objects, strict=True)
        ]
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            words = ("update-index", "-z", "--index-info")
            self.run(*words, given="".join(lines).encode(), environ=index)
            tree = self.run("write-tree", environ=index).strip()
        # Of a path that it does not take, such as .git/config, git says nothing and goes on.
        left_out = {name for name, _ in named} - {name for name, _ in self.files(tree)}
        if left_out:
            raise InvalidInput(f"git keeps no file {min(left_out)!r}")
        return tree

    def files(self, tree: str) -> Iterator[tuple[str, str]]:
        """The path and the object of every file of a tree."""
        for line in self.run("ls-tree", "-r", "-z", tree).split("\0")[:-1]:
            about, _, name = line.partition("\t")
            yield name, about.split()[2]

    def copy(self, blob: str, path: Path) -> None:
        """Write a blob's bytes to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [*_command(self.path), "cat-file", "blob", blob]
        with path.open("wb") as file:
            # Past our memory: a model may be large.
            done = subprocess.run(
                command, stdout=file, stderr=subprocess.PIPE, env=_environ(), check=False
            )
        if done.returncode:
            raise Unavailable(_said(done.stderr))

    def move(self, *changes: str) -> None:
        """Change refs together or not at all; each change is a line of ``git update-ref --stdin``.

        Raises:
            Refused: a ref is not where a change expects it.
        Unavailable: git cannot write.
        """
        with self.moving(*changes):
            pass

    def moving(self, *changes: str) -> Transaction:
        """A change of refs that holds their locks while the block runs."""
        return Transaction(_command(self.path), changes)


class Transaction:
    """Refs that change when the block ends, and stay where it raises."""

    def __init__(self, command: list[str], changes: tuple[str, ...]) -> None:
        self._command = [*command, "update-ref", "--stdin"]
        self._changes = changes

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._say("start", *self._changes, "prepare")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._say("commit")
        self._end()

    def _say(self, *lines: str) -> None:
        """Say some lines; the last of them is answered with ``NAME: ok``."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:  # pragma: no cover  (they are pipes)
            raise AssertionError
        try:
            stdin.write("".join(f"{line}\n" for line in lines).encode())
            stdin.flush()
        except BrokenPipeError:
            pass
        for answer in iter(stdout.readline, b""):
            if answer.decode().strip() == f"{lines[-1]}: ok":
                return
        said = self._end()
        raise Refused(said) if _RACE.search(said) else Unavailable(said)

    def _end(self) -> str:
        # Without its commit, a transaction whose input ends is given up.
        _, errors = self._process.communicate()
        return _said(errors)


def _command(path: Path) -> list[str]:
    return ["git", *_OPTIONS, f"--git-dir={path}"]


def _environ(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what a git hook or a shell says of another repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "LC_ALL": "C", **(more or {})}


def _run(command: list[str], given: bytes = b"", environ: Mapping[str, str] | None = None) -> str:
    """What a command prints."""
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, env=_environ(environ), check=False
        )
    except FileNotFoundError as error:
        raise Unavailable("registry-git needs git on the path: install it") from error
    if done.returncode:
        raise Unavailable(_said(done.stderr))
    return done.stdout.decode()


def _said(errors: bytes) -> str:
    return errors.decode(errors="replace").strip().replace("\n", "; ") or "it says nothing"
