"""A model's whole life on the data that ships with scikit-learn, by the commands a person types."""

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import datasets

pytestmark = pytest.mark.real_backend
FIRST, SECOND, LATER = 1, 2, 5
SETTINGS = """
[stack.dev.monitor-performance]
bounds = {{ {bound} }}
label_delay = 2
min_labelled = 20

[stack.dev.monitor-drift]
psi = 4.0
ks = 0.7
min_rows = 50
"""


@attrs.frozen
class Case:
    """A data set and what its life needs."""

    kind: str
    load: object
    estimators: tuple[str, str]
    bound: str
    wrong: object


CASES = {
    "breast_cancer": Case(
        "binary",
        datasets.load_breast_cancer,
        ("sklearn.ensemble.RandomForestClassifier", "sklearn.naive_bayes.GaussianNB"),
        'accuracy = ">= 0.6"',
        lambda truth: 1 - truth,
    ),
    "wine": Case(
        "multiclass",
        datasets.load_wine,
        ("sklearn.ensemble.RandomForestClassifier", "sklearn.naive_bayes.GaussianNB"),
        'accuracy = ">= 0.6"',
        lambda truth: (truth + 1) % 3,
    ),
    "diabetes": Case(
        "regression",
        datasets.load_diabetes,
        ("sklearn.linear_model.Ridge", "sklearn.linear_model.LinearRegression"),
        'r2 = ">= 0.1"',
        lambda truth: 1000 - truth,
    ),
}


@pytest.fixture(params=CASES)
def life(request, start):
    """A project over one data set, its stack file written by init and edited as a person does."""
    case = CASES[request.param]
    bunch = case.load()
    names = [name.replace(" ", "_") for name in bunch.feature_names]
    columns = dict(zip(names, bunch.data.T, strict=True))
    features = pa.table(columns | {"id": np.arange(len(bunch.target))})
    rows = features.append_column("period", pa.array([FIRST] * len(features)))
    rows = rows.append_column("target", pa.array(bunch.target))
    project = start()
    project("init", "--name", "life", "--data", "rows.parquet", "--kind", case.kind)
    pq.write_table(rows, project.folder / "rows.parquet")
    project.edit('# id = "id"  ', 'id = "id"  ')
    project.edit('# time = "at"  ', 'time = "period"  ')
    text = (project.folder / "interlock.toml").read_text(encoding="utf-8")
    (estimator,) = [line for line in text.splitlines() if line.startswith("estimator =")]
    project.edit(estimator, f'estimator = "{case.estimators[0]}"')
    if case.kind == "regression":
        project.edit('">= 0.5"', '">= 0.2"')
    with (project.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(bound=case.bound))
    return project, case, rows


def by_hand(project, rows):
    """The answers of the latest run's model, opened from its file without a server."""
    from interlock.codec import decode
    from interlock_hookspecs import Candidate, decide

    session, run = project.session(), project.run
    outputs = session.ledger.reads.stage_outputs(run["id"], "train")
    model = decode(Candidate, outputs["candidate"]).model
    with session.workspace(run["id"]) as workspace:
        predictor = workspace.open_model(model)
        return decide(predictor.predict(rows), predictor.signature, session.stack.task.threshold)


def same(answered, table):
    """Whether a served answer is the one by hand, column by column."""
    assert set(answered) == set(table.column_names)
    for name, values in answered.items():
        expected = table[name].to_pylist()
        if isinstance(expected[0], float):
            np.testing.assert_allclose(values, expected)
        else:
            assert values == expected


def traffic(rows, period, *, times=1.0):
    """Rows without their target, of another period; their numbers times something."""
    sent = rows.drop_columns(["target", "period"])
    for place, name in enumerate(sent.column_names):
        if name != "id":
            column = pa.array(sent[name].to_numpy() * times)
            sent = sent.set_column(place, name, column)
    ids = pa.array(sent["id"].to_numpy() + 10_000 * period)
    sent = sent.set_column(sent.column_names.index("id"), "id", ids)
    return sent.append_column("period", pa.array([period] * len(sent)))


def look(project, period, expect=0):
    """What monitoring finds in one period."""
    return project.listed("monitor", "--from", period, "--to", period + 1, expect=expect)


def statuses(windows):
    """The statuses of the findings of the only window, by name; alerts win."""
    (window,) = windows
    found = {}
    for finding in window["findings"]:
        if found.get(finding["name"]) != "alert":
            found[finding["name"]] = finding["status"]
    return found


def test_a_model_lives_from_init_to_audit(life, ask, until):
    """Trained, served, captured, labelled, monitored, replaced, rolled back, ended, verified."""
    project, case, rows = life
    metric = case.bound.partition(" ")[0]
    project("stack", "check")
    project("run")
    served = project.endpoint
    assert served["now"] == "answers"

    quiet = traffic(rows, SECOND)
    code, answered = ask(served, quiet)
    assert code == 200
    same(answered, by_hand(project, quiet))
    until(lambda: [window["rows"] for window in look(project, SECOND)] == [len(rows)])
    unlabelled = statuses(look(project, SECOND))
    assert unlabelled["labelled"] == "immature"
    assert "alert" not in unlabelled.values()

    labels = pa.table({"id": quiet["id"], "target": rows["target"]})
    pq.write_table(labels, project.folder / "labels.parquet")
    project("labels", "add", "labels.parquet")
    assert statuses(look(project, SECOND))[metric] == "immature"

    moved = traffic(rows, LATER, times=1000.0)
    assert ask(served, moved)[0] == 200
    until(lambda: look(project, LATER, expect=None))
    assert statuses(look(project, SECOND))[metric] == "ok"
    assert "alert" in statuses(look(project, LATER, expect=5)).values()

    wrong = pa.table({"id": quiet["id"], "target": case.wrong(rows["target"].to_numpy())})
    pq.write_table(wrong, project.folder / "corrected.parquet")
    project("labels", "add", "corrected.parquet")
    assert statuses(look(project, SECOND, expect=5))[metric] == "alert"
    shown = project("monitor", "--from", SECOND, "--to", SECOND + 1, expect=5)
    assert f"{len(rows):,} labelled" in shown.out
    assert metric in shown.out

    project("run", "--set", f"train-sklearn.estimator={case.estimators[1]}")
    swapped = project.endpoint
    assert (swapped["id"], swapped["address"]) == (served["id"], served["address"])
    assert swapped["release"] != served["release"]
    second = by_hand(project, quiet)
    same(ask(swapped, quiet)[1], second)

    project("rollback")
    back = project.endpoint
    assert back["serving"] == served["serving"]
    assert ask(back, quiet)[1] == answered

    project("undeploy")
    assert project.endpoint["now"] == "removed"
    assert project("audit", "verify", "--artifacts").out.startswith("✓")
    kinds = {event["kind"] for event in project.listed("audit", "log", "--limit", 1000)}
    assert kinds >= {"release.made", "labels.added", "window.monitored", "deployment.removed"}
