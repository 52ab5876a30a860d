"""Bounds on what nobody measures, told by ``stack check`` before a gate refuses for them."""

import pytest

TYPO = '"metrics.roc_acu" = ">= 0.7"'


def told(project):
    """What is warned of."""
    said = project("stack", "check").err
    return [line.removeprefix("! ") for line in said.splitlines() if line.startswith("! ")]


def test_a_word_that_nobody_measures_under(project):
    """With the nearest, or with who measures; and no ledger is made for it."""
    made = project(bounds='"metrcis.roc_auc" = ">= 0.7"\n"house.price" = "< 1"')
    nearest, none = told(made)
    assert nearest == (
        "interlock.toml:19: metrcis.roc_auc: nobody in this stack measures as 'metrcis'; "
        "did you mean 'metrics'?"
    )
    assert none.endswith("measures as 'house'; measuring here: metrics, fairness")
    assert not (made.folder / ".interlock").exists()


def test_a_check_that_was_never_measured(lived):
    """Its nearest in the latest runs; one that was measured is not told."""
    lived.edit(
        '"metrics.roc_auc" = ">= 0.9"', f'"fairness.selection_rate_ratio[group]" = "> 0"\n{TYPO}'
    )
    (line,) = told(lived)
    assert line == (
        "interlock.toml:20: metrics.roc_acu: metrics has measured no 'roc_acu' so far; "
        "did you mean 'roc_auc'?"
    )


def test_a_run_that_ended_early_tells_nothing(project):
    """Where no model was measured yet, what is measured of one is not known."""
    made = project()
    made("run", "--until", "train")
    assert told(made) == []


def test_a_task_of_another_kind_is_measured_otherwise(lived):
    """What the latest runs of a binary task measured says nothing of a regression."""
    lived.edit('"metrics.roc_auc" = ">= 0.9"', '"metrics.rmse" = "<= 1"')
    assert len(told(lived)) == 1
    lived.edit('kind = "binary"\npositive = 1', 'kind = "regression"')
    assert told(lived) == []


def test_a_new_check_of_the_project_is_not_doubted(project):
    """A module that changed may measure what it did not measure before."""
    module = (
        "from interlock_hookspecs import Check, hookimpl\n\n\n"
        "@hookimpl\ndef check_data(rows):\n    return [Check(name='size', value=len(rows))]\n"
    )
    made = project(module=module, bounds='"project.size" = "> 1"\n"metrics.roc_auc" = "> 0.5"')
    assert told(made) == []
    made("run", "--until", "validate")
    made.edit('"project.size"', '"project.sise"')
    assert [line.partition("so far; ")[2] for line in told(made)] == ["did you mean 'size'?"]
    made.edit("name='size'", "name='sise'", "project.py")
    assert told(made) == []


def test_a_slip_in_a_bound_of_a_monitor(project):
    """The plugin refuses it as the stack loads."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write('\n[stack.dev.monitor-performance]\nbounds = { acuracy = ">= 0.8" }\n')
    said = made("stack", "check", expect=2)
    assert "bounds: 'acuracy' is no measure; did you mean 'accuracy'?" in said.err


@pytest.mark.parametrize("key", ["performance.acuracy", "drift.psi[scor]"])
def test_a_slip_in_a_bound_of_a_rollout(project, ask, rows, until, key):
    """Told once a window has shown what its monitor finds."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(
            '\n[stack.dev.rollout]\nstrategy = "blue-green"\n'
            f'[stack.dev.rollout.bounds]\n"{key}" = "< 1"\n"performance.f1" = "> 0"\n'
        )
    assert told(made) == []
    made("run", "--until", "deploy")
    assert ask(made.endpoint, rows.drop_columns(["y"]))[0] == 200
    made("labels", "add", "rows.parquet")
    until(lambda: made.listed("monitor", "--from", "2000-01-01"))
    (line,) = told(made)
    assert f"{key}: " in line
    assert "did you mean" in line
