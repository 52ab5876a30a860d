"""An environment of a plugin's own: made with venv, filled by pip, or by uv where that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import attrs

from interlock.errors import InterlockError, UsageError
from interlock.plugins.discover import nearest
from interlock_hookspecs import ROLES

HOME = ".venvs"
"""The folder of a project's environments."""

_WORKER = "interlock-worker"


class InstallFailed(InterlockError):  # noqa: N818  (read as a sentence)
    """An environment could not be made or filled."""


@attrs.frozen(kw_only=True)
class Wanted:
    """What is to be in an environment.

    Attributes:
        name: the plugin's, ``<role>-<word>``.
        folder: of the environment.
        requirement: what brings the plugin; empty for ``interlock-<name>``.
        constraints: files that pin versions.
        base: the interpreter that the environment is made of.
    """

    name: str
    folder: Path
    requirement: str = ""
    constraints: tuple[Path, ...] = ()
    base: Path = Path(sys.executable)

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.folder / "bin" / "python"


def checked_name(name: str) -> str:
    """A plugin's name, if it reads as one.

    Raises:
        UsageError: it does not.
    """
    role, _, word = name.partition("-")
    if role not in ROLES or not word:
        msg = f"{name!r} names no plugin{nearest(role, ROLES)}"
        raise UsageError(msg, hint=f"ROLE-WORD, with a role out of: {', '.join(ROLES)}")
    return name


def make(wanted: Wanted) -> None:
    """Make an environment, or bring one that is there up to date; begun ones are finished.

    Raises:
        InstallFailed: the tool that makes or fills it ended with an error.
    """
    for tool, command in _commands(wanted):
        # It tells of its progress itself, and of what goes wrong; results of ours go elsewhere.
        done = subprocess.run(command, stdout=sys.stderr.fileno(), env=environ_there(), check=False)
        if done.returncode:
            msg = f"{tool} ended with exit code {done.returncode}; its own words are above"
            hint = "--from says what brings the plugin; the same command again goes on from here"
            raise InstallFailed(msg, hint=hint)


def _commands(wanted: Wanted) -> Iterator[tuple[str, Sequence[str]]]:
    # Both ends speak one protocol: the worker there is the version that is here.
    worker = f"{_WORKER}=={metadata.version(_WORKER)}"
    requirement = wanted.requirement or f"interlock-{wanted.name}"
    pins = [word for path in wanted.constraints for word in ("--constraint", str(path))]
    uv = shutil.which("uv")
    if uv is not None:
        made = ["--allow-existing", "--python", str(wanted.base), str(wanted.folder)]
        yield "uv venv", [uv, "venv", *made]
        where = ["--python", str(wanted.python)]
        yield "uv pip", [uv, "pip", "install", *where, *pins, worker, requirement]
        return
    yield "venv", [str(wanted.base), "-m", "venv", str(wanted.folder)]
    pip = [str(wanted.python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    yield "pip", [*pip, *pins, worker, requirement]


def environ_there() -> dict[str, str]:
    """This process's variables, without what would lead one interpreter to another's packages."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in foreign}


def install_line(python: Path, requirement: str) -> str:
    """What a person types to add a requirement to the environment of an interpreter."""
    # An environment that uv made has no pip.
    tool = f"uv pip install --python {python}" if shutil.which("uv") else f"{python} -m pip install"
    return f'{tool} "{requirement}"'
