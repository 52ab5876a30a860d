"""Bounds on what nobody measures: refused before anything is trained, or told of."""

TYPO = '"metrics.roc_acu" = ">= 0.7"'


def told(project):
    """What is warned of."""
    said = project("stack", "check").err
    return [line.removeprefix("! ") for line in said.splitlines() if line.startswith("! ")]


def test_a_word_that_nobody_measures_under(project):
    """With the nearest, or with who measures; and no ledger is made for it."""
    made = project(bounds='"metrcis.roc_auc" = ">= 0.7"\n"house.price" = "< 1"')
    for command in (("stack", "check"), ("run",), ("run", "--until", "review")):
        said = made(*command, expect=2).err
        assert (
            "interlock.toml:19: metrcis.roc_auc: nobody in this stack measures as 'metrcis'; "
            "did you mean 'metrics'?\n"
        ) in said
        assert "measures as 'house'; measuring here: metrics, fairness\n" in said
    assert not (made.folder / ".interlock").exists()


def test_a_name_that_its_plugin_never_measures(project):
    """With the nearest for this kind of task; a subject is nobody's to doubt beforehand."""
    typo = f'{TYPO}\n"metrics.rmse" = "<= 1"\n"fairness.selection_rate_ratio[grup]" = "> 0"'
    made = project(bounds=typo)
    for command in ("stack", "check"), ("run",):
        said = made(*command, expect=2).err
        assert (
            "interlock.toml:19: metrics.roc_acu: metrics measures no 'roc_acu' of a binary task; "
            "did you mean 'roc_auc'?\n"
        ) in said
        assert "metrics measures no 'rmse' of a binary task; it measures accuracy, brier" in said
        assert "selection_rate_ratio" not in said
    assert not (made.folder / ".interlock").exists()
    # Whoever does not go as far as the gate is not stopped by it.
    made("run", "--until", "validate")


def test_a_check_that_was_never_measured(lived):
    """Its nearest in the latest runs; one that was measured is not told."""
    ratio = '"fairness.selection_rate_ratio[{}]" = "> 0"'
    both = "\n".join(map(ratio.format, ("group", "grup")))
    lived.edit('"metrics.roc_auc" = ">= 0.9"', both)
    (line,) = told(lived)
    assert line == (
        "interlock.toml:20: fairness.selection_rate_ratio[grup]: fairness has measured no "
        "'selection_rate_ratio[grup]' so far; did you mean 'selection_rate_ratio[group]'?"
    )


def test_a_run_that_ended_early_tells_nothing(project):
    """Where no model was measured yet, what is measured of one is not known."""
    made = project()
    made("run", "--until", "train")
    assert told(made) == []


def test_a_task_of_another_kind_is_measured_otherwise(lived):
    """What the latest runs of a binary task measured says nothing of a regression."""
    lived.edit('"metrics.roc_auc" = ">= 0.9"', '"metrics.nulls[why]" = "<= 1"')
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


def test_a_bound_of_a_rollout_on_what_its_monitor_never_finds(project):
    """Refused where the run goes as far as the endpoint."""
    made = project()
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(
            '\n[stack.dev.rollout]\nstrategy = "blue-green"\n'
            '[stack.dev.rollout.bounds]\n"performance.acuracy" = "> 0"\n"drift.ks[x]" = "< 1"\n'
        )
    for command in ("stack", "check"), ("run",):
        said = made(*command, expect=2).err
        assert "performance.acuracy: performance measures no 'acuracy' of a binary task" in said
        assert "; did you mean 'accuracy'?" in said
        assert "drift.ks" not in said
    made("run", "--until", "review")


def test_a_slip_in_a_bound_of_a_rollout(project, ask, rows, until):
    """Told once a window has shown what its monitor finds."""
    key = "drift.psi[scor]"
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
