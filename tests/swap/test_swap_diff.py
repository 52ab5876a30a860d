"""`interlock stack diff`: what changes from one stack to another, in words, without a secret."""

import json

import pytest

from interlock.cli.main import main

SECRET = "hunter2"
STACKS = """\
[project]
name = "small"

[stack.dev]
train = "sklearn"
validate = ["metrics"]
registry = "sql"
govern = ["policy", "card"]

[stack.dev.train-sklearn]
folds = 3
parameters = { max_depth = 3 }

[stack.dev.deploy-local]
port = 8001

[stack.next]
extends = "dev"
registry = "acme"
validate = ["fairness", "metrics"]
govern = ["card", "policy"]
deploy = "local"
ledger = "${LEDGER_URL}"
endpoint = "other"

[stack.next.train-sklearn]
folds = 5

[stack.same]
extends = "dev"
"""


@pytest.fixture
def diff(tmp_path, monkeypatch, capsys):
    """Type `stack diff` with two stacks of a file, and give what was printed."""
    (tmp_path / "interlock.toml").write_text(STACKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEDGER_URL", f"postgresql://ledger:{SECRET}@db.example/ledger")

    def typed(*words):
        assert main(["stack", "diff", *words]) == 0
        return capsys.readouterr().out

    return typed


def test_a_diff_says_role_by_role_what_changes(diff, tmp_path):
    """Plugins, their settings, the order of a role, the ledger and the endpoint, a line each."""
    assert diff("dev", "next").splitlines() == [
        "train-sklearn: folds = 3 becomes 5",
        "validate: fairness is added",
        "registry: sql becomes acme",
        "govern: the order policy, card becomes card, policy",
        "deploy: local is added",
        "deploy-local: port = 8001 is added",
        f'ledger: "sqlite:///{tmp_path}/.interlock/ledger.db" becomes ${{LEDGER_URL}}',
        'endpoint: "small" becomes "other"',
    ]


def test_a_diff_back_is_the_same_the_other_way_round(diff):
    """What one adds, the other drops; each change has the other's sides swapped."""
    there = json.loads(diff("dev", "next", "--json"))
    back = json.loads(diff("next", "dev", "--json"))
    sides = {(one["part"], one["key"], one["after"], one["before"]) for one in back}
    assert {(one["part"], one["key"], one["before"], one["after"]) for one in there} == sides


def test_two_stacks_that_do_the_same_have_no_differences(diff):
    """Settings of a plugin that neither selects make none."""
    assert diff("dev", "same") == "dev and same do the same.\n"
    assert json.loads(diff("dev", "same", "--json")) == []


def test_a_diff_shows_no_secret(diff):
    """An address from the environment is named by its variable, whichever way it is printed."""
    for words in (("dev", "next"), ("next", "dev"), ("dev", "next", "--json")):
        assert SECRET not in diff(*words)
