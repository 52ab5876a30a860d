"""Policies of several files: they add up, and nothing below loosens what is above."""

import pytest

from interlock.errors import StackError
from interlock.stack import load_stack

PROJECT = """\
include = ["platform.toml"]
[project]
name = "p"
[stack.dev]
validate = ["metrics"]
govern = ["policy"]
[policy]
"""


@pytest.fixture
def load(tmp_path):
    """The stack of a project's policy under a platform's."""

    def load(platform, project="", *, more="", overrides=()):
        (tmp_path / "platform.toml").write_text(f"[policy]\n{platform}\n")
        (tmp_path / "interlock.toml").write_text(f"{PROJECT}{project}\n{more}\n")
        return load_stack(tmp_path, overrides=overrides)

    return load


def bounds(text):
    return f"[policy.bounds]\n{text}"


def refused(load, *args, **options):
    with pytest.raises(StackError) as caught:
        load(*args, **options)
    return caught.value.problems


def test_a_project_tightens(load):
    """A project asks for more than the platform, key by key."""
    policy = load(
        "approvals = 1\nmin_group = 100\nrelease_days = 90\noffline_grace = '1h'\n"
        "self_approval = true\norigins = ['trained', 'imported']",
        "approvals = 2\nmin_group = 200\nrelease_days = 30\noffline_grace = 60\n"
        "self_approval = false\norigins = ['trained']",
    ).policy
    assert (policy.approvals, policy.min_group, policy.release_days) == (2, 200, 30)
    assert (policy.offline_grace, policy.self_approval, policy.origins) == (60, False, ("trained",))


@pytest.mark.parametrize(
    ("platform", "project"),
    [
        ("approvals = 1", "approvals = 0"),
        ("min_group = 100", "min_group = 99"),
        ("approval_days = 1", "approval_days = 1.5"),
        ("release_days = 90", "release_days = 91"),
        ("offline_grace = 60", "offline_grace = '1h'"),
        ("self_approval = false", "self_approval = true"),
        ("approvals = 1", "approvals = 1\nself_approval = true"),
        ("origins = ['trained']", "origins = ['trained', 'external']"),
    ],
)
def test_a_project_does_not_loosen(load, platform, project):
    """A looser value is a mistake that names both files."""
    (problem,) = refused(load, platform, project)
    assert problem.startswith("interlock.toml:")
    assert "loosens platform.toml:" in problem
    assert "can be tightened only" in problem


def test_bounds_add_up(load):
    """Both bounds on one check are kept, the platform's marked as included."""
    policy = load(
        bounds('"metrics.roc_auc" = ">= 0.8"'),
        more=bounds('"metrics.roc_auc" = [">= 0.85", "<= 0.99"]\n"metrics.f1" = "> 0.5"'),
    ).policy
    assert [(bound.text, bound.included) for bound in policy.bounds] == [
        (">= 0.8", True),
        (">= 0.85", False),
        ("<= 0.99", False),
        ("> 0.5", False),
    ]


@pytest.mark.parametrize(
    ("platform", "project"),
    [
        ('">= 0.8"', '">= 0.79"'),
        ('"> 0.8"', '">= 0.8"'),
        ('"<= 0.1"', '"<= 0.2"'),
        ('">= 0.8"', '{ bound = ">= 0.8", severity = "explain" }'),
        ('{ bound = ">= 0.8", on = "interval" }', '">= 0.8"'),
        ('{ bound = ">= 0.8", on = "interval" }', '{ bound = ">= 0.1", severity = "explain" }'),
    ],
)
def test_a_bound_does_not_loosen(load, platform, project):
    """A bound that is weaker in every way than an included one is refused, naming both."""
    (problem,) = refused(load, bounds(f'"m.auc" = {platform}'), more=bounds(f'"m.auc" = {project}'))
    assert problem.startswith("interlock.toml:10: [policy.bounds] m.auc: ")
    assert "loosens platform.toml:3" in problem


@pytest.mark.parametrize(
    "project",
    [
        '"> 0.8"',
        '{ bound = ">= 0.7", on = "interval" }',
        '{ bound = ">= 0.9", severity = "explain" }',
        '"<= 0.2"',
        '"== 1"',
    ],
)
def test_a_bound_that_adds_something_stands(load, project):
    """A bound that is stricter in any way is kept beside the included one."""
    stack = load(bounds('"m.auc" = ">= 0.8"'), more=bounds(f'"m.auc" = {project}'))
    assert len(stack.policy.bounds) == 2


def test_a_bound_said_twice_counts_once(load):
    """Repeating the platform's bound leaves it the platform's."""
    (bound,) = load(bounds('"m.auc" = ">= 0.8"'), more=bounds('"m.auc" = ">= 0.80"')).policy.bounds
    assert bound.included


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("0.85", "expected a text"),
        ('"at least 1"', "is no bound"),
        ('">= nan"', "is no bound"),
        ('">= 1e999"', "is no bound"),
        ('{ bund = ">= 1" }', "did you mean 'bound'?"),
        ('{ bound = ">= 1", severity = "warn" }', '"refuse" or "explain"'),
        ('{ severity = "explain" }', "is missing"),
        ("[]", "an empty list"),
        ("true", "expected a text"),
    ],
)
def test_bound_mistakes(load, said, expected):
    """A bound that cannot be read is refused with its line."""
    found = refused(load, "", more=bounds(f'"m.auc" = {said}'))
    assert all("[policy.bounds" in problem and ":10: " in problem for problem in found)
    assert expected in " ".join(found)


def test_a_bound_names_maker_and_check(load):
    """A bound on a check without a maker could never be met, so it is refused."""
    (problem,) = refused(load, "", more=bounds('roc_auc = ">= 0.8"'))
    assert '"metrics.roc_auc"' in problem


def test_required_plugins_stay(load):
    """A stack that drops a plugin that the platform requires is refused, with --set as well."""
    required = "validate = ['metrics']\ngovern = 'policy'"
    assert load(required).policy.validate == ("metrics",)
    found = refused(load, required, overrides=["validate=fairness", "govern=[]"])
    assert any("lacks 'metrics'" in problem and "platform.toml:2" in problem for problem in found)
    assert any("lacks 'policy'" in problem for problem in found)


def test_a_project_adds_required_plugins(load):
    """What a project requires is added to what the platform requires."""
    policy = load("govern = 'policy'", "validate = 'metrics'").policy
    assert (policy.validate, policy.govern) == (("metrics",), ("policy",))


def test_min_group_is_the_tasks_too(load):
    """The task carries the policy's minimum group size."""
    assert load("min_group = 250", more='[task]\ndataset = "x"').task.min_group == 250


def test_includes_side_by_side(tmp_path):
    """Of two included policies the stricter counts, key by key."""
    (tmp_path / "a.toml").write_text("[policy]\napprovals = 2\nself_approval = true\n")
    (tmp_path / "b.toml").write_text("[policy]\napprovals = 1\nrelease_days = 9\n")
    (tmp_path / "interlock.toml").write_text(
        'include = ["a.toml", "b.toml"]\n[project]\nname = "p"\n[stack.dev]\n'
    )
    stack = load_stack(tmp_path)
    assert (stack.policy.approvals, stack.policy.release_days) == (2, 9)
    assert not stack.policy.self_approval
    assert str(stack.origins["policy.approvals"]) == "a.toml:2"
