"""A new plugin's folder, from the template of its role.

The templates are plugins that work, for an imaginary Acme; they are package data, and
``contrib/template`` of the repository leads to them. A new plugin is a copy with other names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from interlock.errors import UsageError
from interlock.plugins.discover import installed, nearest
from interlock_hookspecs import ROLES

TEMPLATES = Path(__file__).parents[1] / "template"
_WORD = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_ACME = "acme"


def template_roles() -> tuple[str, ...]:
    """The roles that have a template, in the order of a model's life."""
    return tuple(role for role in ROLES if (TEMPLATES / f"{role}-{_ACME}").is_dir())


def new_plugin(name: str, folder: Path) -> tuple[Path, ...]:
    """Write a plugin that works, and give the paths of its files.

    Args:
        name: ``<role>-<word>``, for example ``registry-acme``.
        folder: where; it is made, and nothing may be in it yet.

    Raises:
        UsageError: the name is none or another's, or the folder is not empty.
    """
    role, word = _parts(name)
    known = installed().get(name)
    if known is not None:
        # Its distribution would take the place of that one, or both be refused.
        by = f"{known.distribution} {known.version}"
        msg = f"{name} is installed already, by {by}"
        raise UsageError(msg, hint=f"take another word, or uninstall {known.distribution} first")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} exists already"
        raise UsageError(msg, hint="name another folder with --folder, or move it away")
    written = []
    for relative, text in _files(role):
        path = folder / _renamed(relative, word)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_renamed(text, word), encoding="utf-8")
        written.append(path)
    return tuple(written)


def _parts(name: str) -> tuple[str, str]:
    role, _, word = name.partition("-")
    if role not in template_roles():
        msg = f"{name!r}: {role!r} is no role{nearest(role, ROLES)}"
        raise UsageError(msg, hint=f"name it ROLE-WORD; roles: {', '.join(template_roles())}")
    if not _WORD.fullmatch(word):
        msg = f"{name!r}: {word!r} is no word for a stack file and a package"
        raise UsageError(msg, hint=f"small letters, digits and single dashes: {role}-my-tool")
    return role, word


def _files(role: str) -> Iterator[tuple[str, str]]:
    """The files of a template: path within it, and text."""
    for source in (TEMPLATES / f"{role}-{_ACME}", TEMPLATES / "common"):
        for path in sorted(source.rglob("*")):
            # pip compiles what it installs, the templates too.
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(source).as_posix(), path.read_text(encoding="utf-8")


def _renamed(text: str, word: str) -> str:
    """The text with Acme's names replaced: of modules, of classes and settings, of all else."""
    names = {
        f"_{_ACME}": f"_{word.replace('-', '_')}",
        _ACME.capitalize(): "".join(part.capitalize() for part in word.split("-")),
        _ACME: word,
    }
    # In one pass: the word may have Acme's name in it.
    return re.sub("|".join(names), lambda found: names[found[0]], text)
