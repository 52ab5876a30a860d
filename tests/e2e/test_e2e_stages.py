"""Stages one by one: what is done once is not done again, and what changed is."""

import pytest

MODULE = '''
"""An estimator that counts its fits, in a file beside."""

from pathlib import Path

import sklearn.tree

from interlock_hookspecs import hookimpl

DEPTH = 3


def estimator():
    return sklearn.tree.DecisionTreeClassifier(max_depth=DEPTH)


@hookimpl
def on_event(event):
    if event.kind == "candidate.made":
        with Path(__file__).with_name("fits").open("a") as file:
            file.write("fit ")


@hookimpl
def check_data(rows):
    assert not Path(__file__).with_name("broken").exists(), "the rows went missing"
    return []


@hookimpl
def check_model(predictor):
    assert not Path(__file__).with_name("fragile").exists(), "out of memory"
    return []
'''
COUNTING = """
import sklearn.tree


class Counting(sklearn.tree.DecisionTreeClassifier):
    def fit(self, *arguments, **keywords):
        with open("fits", "a") as file:
            file.write("fit ")
        return super().fit(*arguments, **keywords)
"""
ORDER = ("data", "train", "validate", "register", "review", "deploy", "monitor")


@pytest.fixture
def counted(project):
    """A project whose estimator its own module builds."""
    made = project(module=MODULE)
    made.edit("sklearn.tree.DecisionTreeClassifier", "project:estimator")
    made.edit("parameters = { max_depth = 3 }", "")
    return made


def fits(project):
    """How many candidates were made."""
    path = project.folder / "fits"
    return path.read_text(encoding="utf-8").count("fit") if path.exists() else 0


def stages(project, run=None):
    """The statuses of a run's stages, by name; the last try counts."""
    shown = project.listed("show", run or project.run["id"])
    return {stage["stage"]: stage["status"] for stage in shown["stages"]}


@pytest.mark.real_backend
def test_each_stage_goes_on_where_the_one_before_ended(counted):
    """train begins a run; the others take the latest run on, and do nothing twice."""
    run = None
    for place, stage in enumerate(ORDER[1:-1], start=2):
        said = counted(stage)
        assert run in (None, counted.run["id"])
        run = counted.run["id"]
        assert counted.run["status"] == "done"
        assert list(stages(counted)) == list(ORDER[:place])
        assert f"is done until {stage}." in said.err
    assert fits(counted) == 1
    assert "No traffic since the last look" in counted("monitor").out
    assert len(counted.listed("runs")) == 1


def test_a_stage_that_the_stack_lacks_is_no_next_one(counted):
    """A run leaves it out; typed by itself it is refused, and not done as if nothing were amiss."""
    counted.edit('deploy = "local"', "deploy = []")
    counted.edit('monitor = ["drift", "performance"]', "monitor = []")
    said = counted("run")
    assert "is done until review." in said.err
    assert "next:" not in said.err
    said = counted("deploy", expect=2)
    assert "the stack 'dev' names no plugin for deploy" in said.err


@pytest.mark.parametrize("last", ORDER[:5])
def test_until_ends_after_the_stage(counted, last):
    """--until names the last stage to do; the next command is told where there is one."""
    said = counted("run", "--until", last)
    assert list(stages(counted)) == list(ORDER[: ORDER.index(last) + 1])
    assert counted.run["status"] == "done"
    assert (f"next: interlock {ORDER[ORDER.index(last) + 1]}" in said.err) == (last != "data")


def test_a_run_that_failed_is_resumed_without_a_second_fit(counted):
    """A candidate that is on record is never fitted again."""
    (counted.folder / "fragile").touch()
    said = counted("run", "--until", "review", expect=3)
    assert "hook check_model: AssertionError: out of memory" in said.err
    assert stages(counted) == {"data": "finished", "train": "finished", "validate": "refused"}
    (counted.folder / "fragile").unlink()
    counted("run", "--resume", counted.run["id"], "--until", "review")
    assert fits(counted) == 1
    assert set(stages(counted).values()) == {"finished"}
    assert len(counted.events("dataset.kept")) == 1
    assert [event["pid"] for event in counted.events("run.resumed")]


def test_the_estimator_itself_is_fitted_once(project):
    """Counted in fit, not in the record."""
    made = project()
    (made.folder / "counting.py").write_text(COUNTING, encoding="utf-8")
    (made.folder / "project.py").write_text("from counting import Counting\n", encoding="utf-8")
    made.edit('name = "small"', 'name = "small"\nmodule = "project.py"')
    made.edit("sklearn.tree.DecisionTreeClassifier", "project:Counting")
    with (made.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write('\n[stack.dev.model-skops]\nallow = ["counting.Counting"]\n')
    made("run", "--until", "train")
    assert fits(made) == 1
    made("run", "--resume", made.run["id"], "--until", "review")
    made("run", "--until", "review")
    assert fits(made) == 1


def test_a_run_that_failed_early_is_resumed(counted):
    """Nothing was kept: the stage is done again, in the same run."""
    (counted.folder / "broken").touch()
    assert "the rows went missing" in counted("run", "--until", "train", expect=3).err
    (counted.folder / "broken").unlink()
    counted("run", "--resume", f"run-{counted.run['id'][-8:]}", "--until", "train")
    assert counted.run["status"] == "done"
    assert len(counted.listed("runs")) == 1


def test_the_same_inputs_are_not_done_again(counted):
    """A second run reuses what the first made, and registers and releases nothing twice."""
    counted("run", "--until", "review")
    said = counted("run", "--until", "review")
    assert "same inputs as run-" in said.err
    assert stages(counted) == {
        "data": "finished", "train": "reused", "validate": "reused",
        "register": "finished", "review": "finished",
    }  # fmt: skip
    assert fits(counted) == 1
    assert "the registry had this digest already" in said.err
    assert [version["number"] for version in counted.listed("models")] == ["1"]
    assert len(counted.events("release.made")) == 1


def test_again_does_it_again(counted):
    """--again fits though nothing changed; the model is the same, so the version is."""
    counted("run", "--until", "register")
    counted("run", "--until", "register", "--again")
    assert fits(counted) == 2
    assert [version["number"] for version in counted.listed("models")] == ["1"]


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("interlock.toml", "holdout = 0.5", "holdout = 0.4"),
        ("interlock.toml", "holdout = 0.5", "holdout = 0.5\nseed = 7"),
        ("interlock.toml", 'estimator = "project', 'folds = 2\nestimator = "project'),
        ("project.py", "DEPTH = 3", "DEPTH = 2"),
        ("rows.parquet", "", ""),
    ],
)
def test_what_changed_is_done_anew(counted, rows, what, old, new):
    """Task, settings, code and data are inputs: any of them changed trains again."""
    counted("run", "--until", "register")
    if what == "rows.parquet":
        import pyarrow.parquet as pq

        pq.write_table(rows.slice(1), counted.folder / what)
    else:
        counted.edit(old, new, file=what)
    counted("run", "--until", "register")
    assert stages(counted)["train"] == "finished"
    assert fits(counted) == 2


def test_what_makes_no_difference_is_not_done_anew(counted):
    """Bounds, the model's facts and the place of the rows are no inputs of training."""
    counted("run", "--until", "register")
    (counted.folder / "rows.parquet").rename(counted.folder / "moved.parquet")
    counted.edit("rows.parquet", "moved.parquet")
    counted.edit('">= 0.7"', '">= 0.6"')
    counted.edit("[task]", '[model]\nowner = "us"\n[task]')
    counted("run", "--until", "register")
    assert stages(counted)["train"] == "reused"


def test_a_resumed_run_keeps_what_was_set_at_its_start(project):
    """--set belongs to the run, not to the command; a new one comes on top."""
    made = project()
    made("run", "--until", "train", "--set", "train-sklearn.parameters.max_depth=1")
    run = made.run["id"]
    made("run", "--resume", run, "--until", "review")
    assert len(made.events("candidate.made")) == 1
    made("register", run)
    assert made.run["body"]["overrides"] == ["train-sklearn.parameters.max_depth=1"]
    assert '"max_depth":1' in made.run["body"]["settings"]["train-sklearn"]


def test_a_run_is_resumed_with_its_own_stack_only(project):
    """The sentence names the stack to give."""
    made = project()
    made("run", "--until", "train")
    said = made("run", "--resume", made.run["id"], "--stack", "prod", expect=2)
    assert "is a run of the stack 'dev'" in said.err
    assert "next: add --stack dev" in said.err


def test_a_run_whose_process_lives_is_not_resumed(project):
    """Two processes do not go on with one run; when the first is gone, the second may."""
    import subprocess
    import sys

    import attrs

    from interlock.processes import of_pid

    made = project()
    made("run", "--until", "train")
    run = made.run
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        begun = attrs.asdict(of_pid(other.pid))
        made.session().ledger.append("small", "run.resumed", run["id"], begun, run=run["id"])
        said = made("run", "--resume", run["id"], expect=2)
        assert f"is at work in process {other.pid}" in said.err
    finally:
        other.communicate(b"\n")
    made("run", "--resume", run["id"], "--until", "validate")


def test_a_release_stays_of_its_own_model_when_its_run_trains_again(project):
    """A run that is taken through training once more does not change what was released of it."""
    from interlock.lifecycle.releases import model_of, verified_release
    from interlock_hookspecs import Endpoint

    made = project()
    made("run", "--until", "review")
    other = ["--again", "--set", "train-sklearn.parameters.max_depth=2"]
    made("run", "--resume", made.run["id"], "--until", "review", *other)
    releases = [event["record"] for event in made.events("release.made")]
    assert len({release["model"] for release in releases}) == 2
    session = made.session()
    endpoint = Endpoint(name="small", project="small", stack="dev")
    for record in releases:
        release = verified_release(session, record["id"], endpoint, what="deploy")
        assert model_of(session, release).digest == record["model"]


OBSERVER = '''
"""Takes the card of each review from the workspace."""

from pathlib import Path

from interlock_hookspecs import Artifact, hookimpl


@hookimpl
def on_event(event, ws):
    ws.scratch()
    if event.kind == "review.held":
        card = ws.locate(Artifact(**event.payload["card"]))
        text = f"{ws.run_id} {event.payload['run']} {card.joinpath('card.md').read_text()}"
        Path(__file__).with_name("seen").write_text(text)
'''


def test_an_observer_reads_the_artifacts_that_an_event_names(project):
    """The workspace of `on_event` locates the card of a review; its scratch folders are gone."""
    made = project(module=OBSERVER, govern='["policy", "card"]')
    made("run", "--until", "review")
    here, run, title = (made.folder / "seen").read_text().split(maxsplit=2)
    assert here == run == made.run["id"]
    assert "small" in title
    assert list((made.folder / ".interlock/artifacts/scratch").iterdir()) == []


def test_an_observer_that_is_out_of_order_is_told_once(project):
    """It fails at each of dozens of events, and the run goes on; one line a command is enough."""
    made = project(
        module="from interlock_hookspecs import hookimpl\n\n\n"
        "@hookimpl\ndef on_event(event):\n    raise RuntimeError('the channel is archived')\n"
    )
    said = made("run", "--until", "review").err
    assert said.count("hook on_event: RuntimeError: the channel is archived") == 1
