"""A small project with a second stack, and the template backends as its second tools."""

import contextlib
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from installed import distribution

from interlock.plugins.scaffold import TEMPLATES

STACKS = """
[stack.next]
extends = "dev"
registry = "acme"
"""
FAR = """
[stack.prod]
extends = "dev"
train = []
registry = "acme"
ledger = "sqlite:///.interlock/prod.db"
artifacts = ".interlock/prod"
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder in which every template backend is installed, as the plugin of Acme that it is."""
    folder = tmp_path_factory.mktemp("site")
    for template in sorted(TEMPLATES.glob("*-acme")):
        about = tomllib.loads((template / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        module = about["name"].replace("-", "_")
        shutil.copy(template / f"{module}.py", folder)
        lines = []
        for group, entries in about["entry-points"].items():
            lines += [f"[{group}]", *(f"{word} = {target}" for word, target in entries.items())]
        distribution(folder, about["name"], about["version"], "\n".join(lines))
    return folder


@pytest.fixture
def acme(site, monkeypatch):
    """The template backends, installed for this process too."""
    from interlock.plugins.discover import installed

    monkeypatch.syspath_prepend(site)
    installed.cache_clear()
    yield site
    monkeypatch.undo()
    installed.cache_clear()


@pytest.fixture
def staffed(small, acme):
    """A small project with stacks more, whose commands see Acme's backends installed."""

    def add(stacks):
        small.environ["PYTHONPATH"] = str(acme)
        with (small.folder / "interlock.toml").open("a", encoding="utf-8") as file:
            file.write(stacks)
        return small

    return add


@pytest.fixture
def two(staffed):
    """A small project with a second stack, whose registry is Acme's."""
    return staffed(STACKS)


@pytest.fixture
def far(staffed):
    """A small project with a production of its own ledger, registry and artifacts."""
    return staffed(FAR)


@pytest.fixture
def opened():
    """Open a stack of a project in this process, again and again."""
    from interlock.session import Session
    from interlock.stack import load_stack
    from interlock_hookspecs import Actor

    sessions = []

    def open_it(project, name, **options):
        folder = getattr(project, "folder", project)
        stack = load_stack(Path(folder), name=name)
        sessions.append(Session(stack, actor=Actor(subject="ana"), **options))
        return sessions[-1]

    yield open_it
    for session in sessions:
        with contextlib.suppress(KeyError):
            session.__dict__["ledger"].close()
    for name in [name for name in sys.modules if name.startswith("interlock_project_")]:
        del sys.modules[name]
