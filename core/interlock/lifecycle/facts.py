"""What a run was made with: code, versions, threads, host."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from interlock_hookspecs import Facts, bytes_digest, file_digest, project_files
from interlock_hookspecs.digests import manifest_bytes

_PACKAGES = ("interlock-core", "interlock-hookspecs", "numpy", "pyarrow", "scikit-learn", "skops")


def code_digest(root: Path) -> str:
    """The digest of a project's Python files: the manifest of every ``*.py`` below its folder.

    Hidden folders and virtual environments are not the project's. Data and the stack file do
    not count: what of them matters goes in by its own digest.
    """
    entries = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name != "__pycache__"
            and not Path(folder, name, "pyvenv.cfg").exists()
        )
        for name in files:
            path = Path(folder, name)
            if path.suffix == ".py" and path.is_file():
                inner = path.relative_to(root).as_posix()
                entries.append((inner, path.stat().st_size, file_digest(path)))
    return bytes_digest(manifest_bytes(tuple(entries)))


def named_files(settings: Iterable[str], root: Path) -> dict[str, str]:
    """The digest of each file in a project's folder that a setting names, by its path there.

    A change in such a file decides what comes out as one in the setting does, whatever the
    language it is written in.

    Args:
        settings: of plugins, as canonical JSON.
        root: the project's folder, to which names are relative.
    """
    return project_files(_texts([json.loads(each) for each in settings]), root)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def run_facts(root: Path, plugins: tuple[str, ...]) -> Facts:
    """What is recorded of a run and decides nothing: versions, git, host, threads.

    Args:
        root: the project's folder.
        plugins: ``name version`` of each plugin of the stack.
    """
    found: dict[str, str | int | bool] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "host": platform.node(),
        "cpus": os.cpu_count() or 1,
        "plugins": ", ".join(plugins),
    }
    for name in _PACKAGES:
        try:
            found[f"version.{name}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"):
        if name in os.environ:
            found[f"environ.{name}"] = os.environ[name]
    return Facts({**found, **_git_facts(root), "executable": Path(sys.executable).name})


def _git_facts(root: Path) -> dict[str, str | bool]:
    """The commit and whether the folder differs from it; nothing where there is no git."""
    command = ["git", "-C", str(root), "status", "--porcelain=v2", "--branch", "--", "."]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    if answer.returncode:
        return {}
    lines = answer.stdout.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    dirty = any(not line.startswith("#") for line in lines)
    return {"git.commit": commits[0] if commits else "", "git.dirty": dirty}
