"""The contract changes, and plugins that were written before go on, or are told what to write."""

import inspect
import json
import shutil
import sys
import types
from pathlib import Path

import pytest

import interlock_hookspecs
from interlock.cli.main import main
from interlock.errors import PluginLoadError
from interlock.plugins.discover import Installed, installed
from interlock.plugins.funnel import Funnel, Member
from interlock.plugins.load import load, load_class
from interlock.stack import load_stack
from interlock_hookspecs import SPEC_MODULES, Deprecation, Maker, hookimpl, plugin, removed_specs
from interlock_hookspecs.conformance.govern import GovernSuite
from interlock_hookspecs.conformance.suite import run
from interlock_hookspecs.form import breaches, contract, deprecations

OLD = Path(__file__).with_name("contract_1_0")
DIST_INFO = "interlock_legacy-1.0.dist-info"
MODULE = '''
from interlock_hookspecs.evolution import Deprecation
from interlock_hookspecs.rules import every, one

ENDS = Deprecation(since="1.0", removed="2.0", instead="implement check_rows")
ENDED = Deprecation(since="0.9", removed="1.0", instead="implement check_rows")


@every("validate", required=True, deprecated=ENDS)
def check_table(rows: int) -> tuple[str, ...]:
    """Say something of rows."""


@every("validate", arguments={"seed": ENDS, "threads": ENDED})
def check_rows(rows: int, seed: int, threads: int) -> tuple[str, ...]:
    """Say something of rows, in the way that stays."""


@every("validate", deprecated=ENDED)
def check_frame(rows: int) -> tuple[str, ...]:
    """Say something of rows, in the way of long ago."""
'''
STACK = """\
[project]
name = "small"
module = "ending.py"

[stack.dev]
ledger = "sqlite:///ledger.db"
artifacts = "artifacts"
"""
PROJECT = """\
from interlock_hookspecs import hookimpl


@hookimpl
def check_table(rows):
    return []
"""


@pytest.fixture
def evolving(monkeypatch):
    """A contract that has one more module, where a hook and arguments end and have ended."""
    name = "interlock_hookspecs.evolving"
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(interlock_hookspecs, "SPEC_MODULES", (*SPEC_MODULES, "evolving"))
    exec(compile(MODULE, name, "exec"), module.__dict__)  # noqa: S102  (a module of the contract)
    contract.cache_clear()
    yield
    contract.cache_clear()


def using(**hooks):
    return plugin(contract="1.0")(type("Using", (), {n: hookimpl(f) for n, f in hooks.items()}))


@pytest.mark.usefixtures("evolving")
def test_a_hook_that_ends_is_asked_until_it_is_gone():
    """It loads, says until when and what instead, and answers; nobody new must write it."""
    cls = using(check_table=lambda self, rows: [f"{rows} rows"])
    assert list(breaches(cls, "validate")) == []
    assert list(deprecations(cls)) == [
        "hook check_table is deprecated since contract 1.0, removed in 2.0: implement check_rows"
    ]
    funnel = Funnel([Member(maker=Maker(plugin="validate-x", version="1"), plugin=cls())])
    assert funnel.every("check_table", rows=3) == ("3 rows",)
    assert not contract()["check_table"].required


@pytest.mark.usefixtures("evolving")
def test_an_argument_that_ends_is_given_until_it_is_gone():
    """Whoever does without it is told nothing."""
    cls = using(check_rows=lambda self, rows, seed: [f"{rows} {seed}"])
    assert list(breaches(cls, "validate")) == []
    (said,) = deprecations(cls)
    assert said.startswith("argument 'seed' of hook check_rows is deprecated since contract 1.0,")
    assert said.endswith("removed in 2.0: implement check_rows")
    funnel = Funnel([Member(maker=Maker(plugin="validate-x", version="1"), plugin=cls())])
    assert funnel.every("check_rows", rows=3, seed=7) == ("3 7",)
    assert not list(deprecations(using(check_rows=lambda self, rows: [])))


@pytest.mark.usefixtures("evolving")
def test_what_is_gone_is_refused_with_what_to_write():
    """No nearest name is guessed where the contract knows what came instead."""
    cls = using(check_frame=lambda self, rows: [], check_rows=lambda self, rows, threads: [])
    hook, argument = breaches(cls, "validate")
    assert hook == "hook check_frame was removed in contract 1.0: implement check_rows"
    assert argument.startswith("hook check_rows wants the argument 'threads', which was removed")
    assert argument.endswith("in contract 1.0: implement check_rows")
    assert list(removed_specs()) == ["check_frame"]
    assert "check_frame" not in contract()
    assert contract()["check_rows"].parameters == ("rows", "seed")


@pytest.mark.usefixtures("evolving")
def test_a_stack_that_loads_tells_of_what_ends(tmp_path):
    """Plugin, version, hook and the version of removal; the project's own module is told, too."""
    (tmp_path / "interlock.toml").write_text(STACK, encoding="utf-8")
    (tmp_path / "ending.py").write_text(PROJECT, encoding="utf-8")
    told = []
    (member,) = load(load_stack(tmp_path), warn=told.append).members
    ends = "deprecated since contract 1.0, removed in 2.0: implement check_rows"
    assert told == [f"plugin {member.maker}: hook check_table is {ends}"]


@pytest.mark.usefixtures("evolving")
def test_the_plugins_own_page_says_what_it_uses(monkeypatch, capsys):
    """`plugins show` of one that loads, with all that it will have to change."""
    module = types.ModuleType("using_what_ends")
    module.Using = using(check_table=lambda self, rows: [])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = Installed(
        role="validate", word="x", target="using_what_ends:Using", distribution="d", version="1"
    )
    monkeypatch.setitem(installed(), "validate-x", found)
    assert main(["plugins", "show", "validate-x"]) == 0
    assert "! hook check_table is deprecated since contract 1.0" in capsys.readouterr().out


@pytest.mark.usefixtures("evolving")
def test_the_hooks_own_page_says_that_it_ends(capsys, tmp_path, monkeypatch):
    """`plugins hooks`, and the error for one that is gone."""
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "hooks", "check_table"]) == 0
    assert "the hook is deprecated since contract 1.0, removed in 2.0" in capsys.readouterr().out
    assert main(["plugins", "hooks", "check_rows"]) == 0
    assert "argument threads is removed in contract 1.0" in capsys.readouterr().out
    assert main(["plugins", "hooks", "check_frame"]) == 2
    assert "was removed in contract 1.0: implement check_rows" in capsys.readouterr().err


@pytest.mark.usefixtures("evolving")
def test_an_authors_tests_warn_of_what_ends():
    """The suite that the author subclasses warns, and fails for what is gone, saying what came."""
    form = {"test_it_keeps_to_the_form"}
    review = {"review": lambda self, dossier: []}
    cls = using(**review, check_table=lambda self, rows: [])
    with pytest.warns(DeprecationWarning, match="hook check_table is deprecated since contract"):
        (held,) = run(GovernSuite, lambda _folder: cls(), only=form)
    assert held.status == "held"
    cls = using(**review, check_frame=lambda self, rows: [])
    (broken,) = run(GovernSuite, lambda _folder: cls(), only=form)
    assert broken.why == "hook check_frame was removed in contract 1.0: implement check_rows"


@pytest.mark.usefixtures("evolving")
def test_the_reference_says_that_it_ends(monkeypatch):
    """The generated page has it beside the rule."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs")
    from reference import part

    page = part("hooks", "evolving")
    assert "This hook is deprecated since contract 1.0, removed in 2.0: implement" in page
    assert "Argument `seed` is deprecated since contract 1.0" in page
    assert "check_frame" not in page


@pytest.mark.parametrize(
    ("since", "removed"), [("1.0", "1.1"), ("1.2", "1.0"), ("1.0", "2.1"), ("1", "2.0")]
)
def test_a_removal_waits_for_a_major_version(since, removed):
    """A plugin that loads today loads in every later minor version."""
    with pytest.raises(ValueError, match=r"later major version|no version of a contract"):
        Deprecation(since=since, removed=removed, instead="x")


@pytest.fixture
def old(monkeypatch, tmp_path):
    """Install the plugins of contract 1.0, their module changed as the test says."""

    def install(stated="1.0"):
        text = (OLD / "interlock_legacy.py").read_text(encoding="utf-8")
        folder = tmp_path / "site"
        folder.mkdir()
        shutil.copytree(OLD / DIST_INFO, folder / DIST_INFO)
        (folder / "interlock_legacy.py").write_text(
            text.replace('contract="1.0"', f'contract="{stated}"'), encoding="utf-8"
        )
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, "interlock_legacy", raising=False)
        installed.cache_clear()
        return installed()

    yield install
    monkeypatch.undo()
    sys.modules.pop("interlock_legacy", None)
    installed.cache_clear()


@pytest.mark.parametrize("name", ["events-legacy", "govern-legacy", "registry-legacy"])
def test_a_plugin_of_an_older_contract_loads(name, old):
    """As its wheel left it, years ago."""
    assert inspect.isclass(load_class(old()[name]))


@pytest.mark.parametrize("stated", ["1.1", "2.0", "0.9"])
def test_a_plugin_of_a_newer_minor_or_another_major_contract_is_refused(stated, old):
    """By name, with both versions."""
    with pytest.raises(PluginLoadError) as caught:
        load_class(old(stated)["registry-legacy"])
    assert "plugin registry-legacy 1.0" in str(caught.value)
    assert f"written for contract {stated}, this is 1.0" in str(caught.value)


def test_a_plugin_of_an_older_contract_works(small, old, monkeypatch, capsys):
    """A run through its registry, its gate and its observer."""
    small.edit('registry = "sql"', 'registry = "legacy"\nevents = "legacy"')
    small.edit('govern = ["policy", "card"]', 'govern = ["policy", "legacy"]')
    old()
    monkeypatch.chdir(small.folder)
    assert main(["run", "--until", "review"]) == 0, capsys.readouterr().err
    heard = (small.folder / "legacy.log").read_text(encoding="utf-8").split()
    assert heard[0] == "run.started"
    assert "release.made" in heard
    capsys.readouterr()
    assert main(["models", "--json"]) == 0
    (version,) = json.loads(capsys.readouterr().out)
    assert (version["name"], version["number"]) == ("small", "1")
