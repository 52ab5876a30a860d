"""Includes: a platform team's files below the project's own."""

import sys

import pytest

from interlock.errors import StackError
from interlock.stack import load_stack

SMALL = '[project]\nname = "p"\n[stack.dev]\ntrain = "sklearn"\n'


def test_include_lies_below(write):
    """An included file's values hold where the project says nothing; paths are its own."""
    folder = write(
        {
            "interlock.toml": 'include = "../platform/p.toml"\n'
            '[project]\nname = "p"\n[stack.dev]\nregistry = "sql"\n',
            "../platform/p.toml": '[model]\nowner = "platform"\n[task]\ndataset = "shared.csv"\n'
            '[stack.base]\ntrain = "x"\n[stack.dev]\nregistry = "mlflow"\ntrain = "sklearn"\n'
            'artifacts = "kept"\n',
        }
    )
    stack = load_stack(folder)
    assert stack.names == ("dev", "base")
    assert stack.selected("registry") == ("sql",)
    assert stack.selected("train") == ("sklearn",)
    assert stack.artifacts == str(folder.parent / "platform" / "kept")
    assert stack.task.dataset == str(folder.parent / "platform" / "shared.csv")
    assert stack.origins["model.owner"].via == "include"
    assert str(stack.origins["model.owner"]) == "../platform/p.toml:2"
    assert [path.name for path in stack.files] == ["p.toml", "interlock.toml"]


def test_include_from_a_package(write, tmp_path, monkeypatch):
    """A platform team may ship its stacks in a package, which is read and not executed."""
    package = tmp_path / "site" / "acme_platform"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('executed')")
    (package / "stacks.toml").write_text('include = ["more.toml"]\n[stack.dev]\ntrain = "x"\n')
    (package / "more.toml").write_text("[policy]\napprovals = 2\n")
    monkeypatch.syspath_prepend(package.parent)
    text = 'include = ["package:acme_platform/stacks.toml"]\n[project]\nname = "p"\n'
    stack = load_stack(write({"interlock.toml": text}))
    assert stack.policy.approvals == 2
    assert str(stack.origins["policy.approvals"]) == "package:acme_platform/more.toml:2"
    assert "acme_platform" not in sys.modules


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ('"gone.toml"', "there is no such file"),
        ('"package:no_such_package_here/a.toml"', "no package 'no_such_package_here'"),
        ('"package:json/stacks.toml"', "has no such file"),
        ('"package:json/../os.py"', "has no such file"),
        ('"interlock.toml"', "a circle"),
        ("3", "expected a list of paths"),
        ('"${WHERE}"', "takes no ${...}"),
    ],
)
def test_include_mistakes(write, include, expected):
    """An include that cannot be followed is said with its line."""
    folder = write({"interlock.toml": f"include = [{include}]\n{SMALL}"})
    with pytest.raises(StackError) as caught:
        load_stack(folder)
    (problem,) = caught.value.problems
    assert problem.startswith("interlock.toml:1: include: ")
    assert expected in problem


def test_a_file_included_twice_counts_once(write):
    """Two files may include the same third one."""
    folder = write(
        {
            "interlock.toml": f'include = ["a.toml", "b.toml"]\n{SMALL}',
            "a.toml": 'include = "base.toml"\n',
            "b.toml": 'include = "base.toml"\n',
            "base.toml": '[policy.bounds]\n"m.auc" = ">= 0.5"\n',
        }
    )
    stack = load_stack(folder)
    assert len(stack.policy.bounds) == 1
    assert [path.name for path in stack.files] == [
        "base.toml",
        "a.toml",
        "b.toml",
        "interlock.toml",
    ]


def test_a_circle_through_another_file(write):
    """Files that include each other are refused in the file that closes the circle."""
    folder = write(
        {"interlock.toml": f'include = "a.toml"\n{SMALL}', "a.toml": "include = 'interlock.toml'"}
    )
    with pytest.raises(StackError, match=r"^a.toml:1: include: 'interlock.toml' .*circle"):
        load_stack(folder)
