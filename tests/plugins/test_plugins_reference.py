"""`interlock plugins show` and `hooks`: what the contract and the installed plugins say."""

import json
from pathlib import Path

import pytest

from interlock.cli.main import main
from interlock.plugins.discover import Installed, installed
from interlock.plugins.reference import describe_plugin, describe_settings
from interlock_hookspecs import SENTENCES, Secret, plugin, setting, specs


def said(capsys, *words):
    assert main(["plugins", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", installed())
def test_every_installed_plugin_is_described(name, capsys):
    """Its hooks are the contract's, each setting has a type and a doc, and it loads."""
    found = said(capsys, "show", name)
    assert (found["name"], found["loads"], found["contract"]) == (name, True, "1.0")
    assert {hook["name"] for hook in found["hooks"]} <= set(specs())
    assert found["hooks"]
    assert all(setting["type"] and setting["doc"] for setting in found["settings"])


def test_a_setting_says_type_default_and_whether_it_may_be_a_secret():
    """A required setting has no default; a secret one shows its plain type and no value."""

    @plugin(contract="1.0")
    class Made:
        token: str | Secret[str] = setting(doc="who we are")
        limits: dict[str, float] = setting(default={"psi": 0.1}, doc="by statistic")
        folder: Path | None = setting(default=Path("a") / "b", doc="where")
        password: Secret[str] = setting(default=Secret("hunter2"), doc="hidden")

    rows = [(row["name"], row["type"], row["default"], row["required"], row["secret"])
            for row in describe_settings(Made)]  # fmt: skip
    assert rows == [
        ("token", "str", None, True, True),
        ("limits", "dict[str, float]", {"psi": 0.1}, False, False),
        ("folder", "Path | None", "a/b", False, False),
        ("password", "str", "***", False, True),
    ]


def test_a_plugin_that_does_not_load_is_shown_with_its_problem():
    """What is known without importing it is there, and why it fails."""
    found = describe_plugin(
        Installed(
            role="registry",
            word="gone",
            target="no_such_module:Gone",
            distribution="interlock-gone",
            version="1.2",
        )
    )
    assert not found["loads"]
    assert "No module named 'no_such_module'" in found["problem"]
    assert (found["version"], found["source"]["location"]) == ("1.2", None)


def test_an_unknown_plugin_is_refused_with_the_nearest(capsys):
    """A misspelt name is bad usage, and the error has the right one."""
    assert main(["plugins", "show", "registry-sqk"]) == 2
    assert "did you mean 'registry-sql'?" in capsys.readouterr().err


def test_every_hook_is_listed_with_the_sentence_of_its_rule(capsys, tmp_path, monkeypatch):
    """Outside of a project the contract is explained, and nobody is said to implement it."""
    monkeypatch.chdir(tmp_path)
    rows = {row["name"]: row for row in said(capsys, "hooks")}
    assert list(rows) == list(specs())
    for name, spec in specs().items():
        assert rows[name]["sentence"] == SENTENCES[spec.rule]
        assert rows[name]["doc"].startswith(rows[name]["summary"])
        assert rows[name]["signature"].startswith(f"{name}({spec.parameters[0]}: ")
        assert rows[name]["implemented_by"] is None


def test_in_a_project_a_hook_says_who_implements_it(capsys, tmp_path, monkeypatch):
    """The stack's plugins, in stack order, and the project's module last."""
    (tmp_path / "project.py").write_text(
        "from interlock_hookspecs import hookimpl\n@hookimpl\ndef review(dossier):\n    return []\n"
    )
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\nmodule = "project.py"\n[task]\ndataset = "d.parquet"\n'
        '[stack.dev]\ngovern = ["policy", "card"]\n'
    )
    monkeypatch.chdir(tmp_path)
    row = said(capsys, "hooks", "review")
    names = [maker.partition(" ")[0] for maker in row["implemented_by"]]
    assert names == ["govern-policy", "project"]
    assert said(capsys, "hooks", "fit_candidate")["implemented_by"] == []


def test_an_unknown_hook_is_refused_with_the_nearest(capsys):
    """A misspelt hook is bad usage, and the error has the right one."""
    assert main(["plugins", "hooks", "fit_candidat"]) == 2
    assert "did you mean 'fit_candidate'?" in capsys.readouterr().err
