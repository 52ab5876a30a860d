"""What a rollout is judged by is what happened: each decision carries the numbers of a real server.

Every number in the ledger is held against what the client of this test saw and counted itself.
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.real_backend

BRITTLE = Path(__file__).parents[1] / "load" / "brittle.py"
LIKE = ("--set", "train-sklearn.parameters.min_samples_leaf=2")
STRICT = ("--set", "task.threshold=0.9")
WATCH = ("rollout", "watch", "--every", "0.1")
DONE, WAITING, BACK = 0, 4, 5
SENT = 400


def brittle(project):
    """Give a project models that turn out bad; see `BRITTLE`."""
    shutil.copy(BRITTLE, project.folder)
    (project.folder / "project.py").write_text("from brittle import Failing, Late\n")
    project.edit('name = "small"', 'name = "small"\nmodule = "project.py"')
    with (project.folder / "interlock.toml").open("a") as file:
        file.write('[stack.dev.model-skops]\nallow = ["brittle.Failing", "brittle.Late"]\n')


def turned(project, name):
    """Begin a rollout of a model that was good, and is bad from now on."""
    project("run", "--set", f"train-sklearn.estimator=project:{name}")
    (project.folder / "bad").touch()
    return latest(project)


def latest(project):
    """The latest rollout."""
    return project.listed("rollout", "status", "--limit", 1)[0]


def captured(project):
    """The ids of the rows that were captured."""
    files = (project.folder / ".interlock" / "captures").rglob("captures-*.parquet")
    return [name for file in files for name in pq.read_table(file)["id"].to_pylist()]


def evidence(project):
    """The only decision that was made, and its only line of evidence."""
    (judged,) = project.events("rollout.judged")
    (line,) = judged["evidence"]
    return judged, line


@pytest.mark.parametrize(("breach", "code"), [("rollback", BACK), ("hold", WAITING)])
def test_a_late_release(rolled, ask_each, breach, code):
    """Half of the answers take 0.4 s and more: at the window's end it goes back, or holds."""
    bound = {"rollout.latency_p50": f'{{ bound = "<= 0.2", breach = "{breach}" }}'}
    project = rolled("canary", bound, prepare=brittle, steps=[0.5], window=1, min_requests=4)
    champion = project.endpoint["release"]
    begun = turned(project, "Late")
    said = ask_each(project, 36)
    late = sum(each["model_version"] == begun["release"] for each in said)
    assert 4 <= late <= 32
    project(*WATCH, expect=code)
    judged, line = evidence(project)
    assert (judged["decision"], judged["by"], judged["requests"]) == (breach, "analysis", late)
    assert judged["seconds"] >= 1
    assert (line["n"], line["holds"]) == (late, False)
    assert line["value"] >= 0.4
    assert f"rollout.latency_p50 is {line['value']:.4g} (n = {late})" in judged["reason"]
    if breach == "hold":
        assert set(project.endpoint["serving"]) == {champion, begun["release"]}
        project("rollout", "abort", "--reason", "too late")
    assert project.endpoint["serving"] == [champion]
    project("audit", "verify")


def test_a_release_that_fails(rolled, ask_each):
    """It is out long before its window is over, and nobody is failed any more."""
    bound = {"rollout.error_rate": '"<= 0.05"'}
    project = rolled(
        "canary", bound, prepare=brittle, steps=[0.5], window=3600, min_requests=100_000
    )
    champion = project.endpoint["release"]
    turned(project, "Failing")
    said = ask_each(project, 80)
    failed = sum("error" in each for each in said)
    assert {each["error"] for each in said if "error" in each} == {"the model failed: CanaryFault"}
    project(*WATCH, expect=BACK)
    judged, line = evidence(project)
    assert (judged["decision"], judged["requests"]) == ("rollback", failed)
    assert (line["value"], line["n"], line["holds"]) == (1.0, failed, False)
    assert line["low"] > 0.05
    assert {each["model_version"] for each in ask_each(project, 40)} == {champion}


def test_a_release_that_disagrees(rolled, ask_each, until):
    """Its agreement is what it and the champion answer to the very rows that it was given."""
    bound = {"rollout.agreement": '">= 0.98"'}
    project = rolled("canary", bound, steps=[0.5], min_requests=100)
    champion = project.endpoint["release"]
    alone = [each["outputs"] for each in ask_each(project, SENT)]
    project("run", *STRICT)
    begun = latest(project)
    said = ask_each(project, SENT)
    until(lambda: len(captured(project)) == 2 * SENT)
    pairs = [
        (decided(each["outputs"]), decided(champions))
        for each, champions in zip(said, alone, strict=True)
        if each["model_version"] == begun["release"]
    ]
    same = sum(mine == champions for mine, champions in pairs)
    project(*WATCH, expect=BACK)
    judged, line = evidence(project)
    assert (line["n"], line["value"]) == (len(pairs), same / len(pairs))
    assert line["low"] <= line["value"] <= line["high"]
    assert judged["reason"].startswith(f"rollout.agreement is {line['value']:.4g} ")
    assert project.endpoint["serving"] == [champion]


def decided(outputs):
    """The prediction in an answer."""
    return next(each["data"][0] for each in outputs if each["name"] == "prediction")


def f1(said, truths):
    """The F1 of answers, by hand."""
    pairs = [(decided(each["outputs"]), truth) for each, truth in zip(said, truths, strict=True)]
    hits = sum(mine == truth == 1 for mine, truth in pairs)
    return 2 * hits / sum(mine + truth for mine, truth in pairs)


@pytest.mark.parametrize(
    ("bound", "truth", "code", "decision"),
    [
        ('">= 0.7"', True, DONE, "promote"),
        ('">= 0.7"', False, BACK, "rollback"),
        ('{ bound = ">= 0.7", breach = "hold" }', False, WAITING, "hold"),
    ],
    ids=["good", "bad", "bad-holds"],
)
def test_labels_that_come_in_the_middle(
    rolled, ask_each, until, rows, bound, truth, code, decision
):
    """Until they come the step waits; then it is judged by what they say of its own answers."""
    project = rolled("canary", {"performance.f1": bound}, steps=[0.5], min_requests=100)
    project("run", *LIKE)
    begun = latest(project)
    said = ask_each(project, SENT)
    until(lambda: len(captured(project)) == SENT)
    waits = project.listed("rollout", "advance")
    assert waits["phase"] == "watching"
    assert waits["waits_for"].startswith("there is no evidence of performance.f1: ")
    assert project.events("rollout.judged") == []
    come = rows.slice(0, SENT).select(["id", "y"])
    if not truth:
        come = come.set_column(1, "y", pc.subtract(1, come["y"]))
    pq.write_table(come, project.folder / "labels.parquet")
    project("labels", "add", "labels.parquet")
    project(*WATCH, expect=code)
    judged, line = evidence(project)
    truths = come["y"].to_pylist()
    chosen = [place for place, each in enumerate(said) if each["model_version"] == begun["release"]]
    assert judged["decision"] == decision
    assert line["n"] == len(chosen)
    expected = f1([said[place] for place in chosen], [truths[place] for place in chosen])
    assert line["value"] == pytest.approx(expected, abs=1e-12)
    assert line["holds"] is truth
    assert (f"performance.f1 is {line['value']:.4g}" in judged["reason"]) is not truth


def test_labels_that_are_corrected_in_the_middle(rolled, ask_each, until, rows):
    """True ones take it a step on; corrected ones, while the next is watched, take it back."""
    bound = {"performance.f1": '">= 0.7"'}
    project = rolled("canary", bound, steps=[0.5, 0.8], min_requests=100)
    champion = project.endpoint["release"]
    project("run", *LIKE)
    come = rows.slice(0, SENT).select(["id", "y"])
    pq.write_table(come, project.folder / "labels.parquet")
    project("labels", "add", "labels.parquet")
    ask_each(project, SENT)
    until(lambda: project.listed("rollout", "advance")["step"] == 1)
    corrected = pa.table({"id": come["id"], "y": pc.subtract(1, come["y"])})
    pq.write_table(corrected, project.folder / "corrected.parquet")
    project("labels", "add", "corrected.parquet")
    ask_each(project, SENT)
    project(*WATCH, expect=BACK)
    first, second = project.events("rollout.judged")
    assert [(one["step"], one["decision"]) for one in (first, second)] == [
        (0, "promote"),
        (1, "rollback"),
    ]
    assert first["evidence"][0]["value"] >= 0.7 > second["evidence"][0]["value"]
    assert project.endpoint["serving"] == [champion]
