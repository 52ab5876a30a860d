"""``[stack.NAME.rollout]``: read strictly, refused with what to write, inherited key by key."""

import tomllib

import jsonschema
import pytest

from interlock.errors import StackError
from interlock.stack import describe, load_stack, stack_schema
from interlock.stack.rollout import RolloutPlan

HEAD = """\
[project]
name = "small"
[stack.dev]
data = "files"
train = "sklearn"
deploy = "local"
monitor = ["drift", "performance"]
"""
CANARY = """\
[stack.dev.rollout]
strategy = "canary"
steps = [0.05, 0.5]
window = "10m"
[stack.dev.rollout.bounds]
"rollout.error_rate" = "<= 0.01"
"rollout.score_psi[score]" = { bound = "<= 0.2", breach = "hold" }
"performance.f1" = { bound = ">= 0.8", missing = "pass" }
"""


@pytest.fixture
def load(tmp_path):
    """Read a stack file with this text after the head."""

    def read(text, name=None):
        (tmp_path / "interlock.toml").write_text(HEAD + text, encoding="utf-8")
        return load_stack(tmp_path, name=name)

    return read


def test_without_a_word_a_release_takes_over_at_once(load):
    """The default watches nothing."""
    assert load("").rollout == RolloutPlan(strategy="all-at-once")


def test_a_canary_is_read_with_its_bounds(load):
    """Durations in seconds, bounds with what a breach and a missing value lead to."""
    plan = load(CANARY).rollout
    assert (plan.strategy, plan.steps, plan.window) == ("canary", (0.05, 0.5), 600.0)
    assert (plan.min_requests, plan.patience, plan.finish) == (100, 86_400.0, "promote")
    said = [(one.key, one.text, one.breach, one.missing) for one in plan.bounds]
    assert said == [
        ("rollout.error_rate", "<= 0.01", "rollback", "wait"),
        ("rollout.score_psi[score]", "<= 0.2", "hold", "wait"),
        ("performance.f1", ">= 0.8", "rollback", "pass"),
    ]


def test_a_split_of_champion_and_challenger_waits_for_a_person(load):
    """Half and half, and held at the end, where nothing else is said."""
    plan = load('[stack.dev.rollout]\nstrategy = "champion-challenger"\n').rollout
    assert (plan.steps, plan.finish) == ((0.5,), "hold")


def test_a_stack_lays_its_rollout_over_the_one_that_it_extends(load):
    """Key by key, and bound by bound; shown with where each was said."""
    stack = load(
        CANARY
        + """
[stack.prod]
extends = "dev"
[stack.prod.rollout]
steps = [0.01, 0.1]
[stack.prod.rollout.bounds]
"rollout.error_rate" = "<= 0.001"
""",
        "prod",
    )
    plan = stack.rollout
    assert (plan.strategy, plan.steps, len(plan.bounds)) == ("canary", (0.01, 0.1), 3)
    assert plan.bounds[0].text == "<= 0.001"
    rows = {row.key: row for row in describe(stack)}
    assert rows["stack.prod.rollout.steps"].value == "[0.01, 0.1]"
    assert "extends" in rows["stack.prod.rollout.strategy"].origin
    assert "interlock.toml:22" in rows["stack.prod.rollout.bounds.rollout.error_rate"].origin


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('strategy = "canry"', 'expected "all-at-once" or "blue-green" or "canary"'),
        ('window = "10m"', "strategy: is missing"),
        ('strategy = "canary"\n[stack.dev.rollout.bounds]\n"rollout.error_rate" = "<= 1"',
         '"canary" needs steps: add steps = [0.05, 0.25, 0.5]'),
        ('strategy = "canary"\nsteps = [0.1]', "add a table [stack.dev.rollout.bounds]"),
        ('strategy = "shadow"', "needs bounds to judge by"),
        ('strategy = "canary"\nsteps = [0.5, 0.1]', "growing shares between 0 and 1"),
        ('strategy = "canary"\nsteps = [0.5, 1.0]', "growing shares between 0 and 1"),
        ('strategy = "canary"\nsteps = []', "growing shares between 0 and 1"),
        ('strategy = "canary"\nsteps = [true]', "growing shares between 0 and 1"),
        ('strategy = "blue-green"\nsteps = [0.5]', '"blue-green" has no steps of its own'),
        ('strategy = "all-at-once"\nwindow = 5', '"all-at-once" watches nothing'),
        ('strategy = "blue-green"\nwindow = "2h"\npatience = "1h"', "is shorter than window"),
        ('strategy = "blue-green"\nwindows = 5', "unknown key; did you mean 'window'?"),
        ('strategy = "blue-green"\nbounds = 5', "expected a table [stack.dev.rollout.bounds]"),
        ('strategy = "blue-green"\nwindow = "${WINDOW}"', "takes no ${...}"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_write(load, text, problem):
    """Each with its place."""
    with pytest.raises(StackError) as error:
        load(f"[stack.dev.rollout]\n{text}\n")
    assert problem in str(error.value)
    assert "interlock.toml:" in str(error.value)


@pytest.mark.parametrize(
    ("bound", "problem"),
    [
        ('"rollout.error_rates" = "<= 1"', "measures no 'error_rates'; did you mean 'error_rate'?"),
        ('"rollout.speed" = "<= 1"', "known: error_rate, refusal_rate"),
        ('"rollout.score_psi" = "<= 1"', 'write "rollout.score_psi[score]"'),
        ('"rollout.error_rate[score]" = "<= 1"', 'write "rollout.error_rate"'),
        ('"performance" = "<= 1"', "a bound names what is measured"),
        ('"perfomance.f1" = "<= 1"', "no monitor plugin of this stack; did you mean 'performance'"),
        ('"rollout.agreement" = "at least 0.9"', "is no bound"),
        ('"rollout.agreement" = { bound = ">= 1", breach = "stop" }', '"rollback" or "hold"'),
        ('"rollout.agreement" = { breach = "hold" }', "bound: is missing"),
    ],
)
def test_a_bound_that_can_never_be_judged_is_refused(load, bound, problem):
    """Names are checked, with the nearest that there is."""
    with pytest.raises(StackError) as error:
        load(f'[stack.dev.rollout]\nstrategy = "shadow"\n[stack.dev.rollout.bounds]\n{bound}\n')
    assert problem in str(error.value)


def test_another_table_is_told_the_nearest(load):
    """A misspelled rollout is no plugin's table."""
    with pytest.raises(StackError, match="did you mean 'rollout'"):
        load('[stack.dev.rolout]\nstrategy = "shadow"\n')


@pytest.mark.schema
@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (CANARY, True),
        ('[stack.dev.rollout]\nstrategy = "canry"\n', False),
        ("[stack.dev.rollout]\nsteps = [1.5]\n", False),
        ("[stack.dev.rollout]\nwindows = 1\n", False),
        ('[stack.dev.rollout.bounds]\n"rollout.error_rate" = { breach = "stop" }\n', False),
    ],
)  # fmt: skip
def test_the_schema_knows_the_table(text, fits):
    """Editors complete it and mark what is wrong."""
    checker = jsonschema.Draft202012Validator(stack_schema({}))
    head = '[project]\nname = "small"\n'
    assert checker.is_valid(tomllib.loads(head + text)) == fits
