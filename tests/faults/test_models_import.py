"""A model made elsewhere comes in, and has every gate still before it."""

import json
import pickle

import pytest


@pytest.fixture
def made(small):
    """Fit a tree to some columns outside of Interlock, and write it to a file of the project."""
    import pyarrow.parquet as pq
    import skops.io
    from sklearn.tree import DecisionTreeClassifier

    rows = pq.read_table(small.folder / "rows.parquet")

    def make(name, *columns):
        matrix = list(zip(*(rows[column].to_pylist() for column in columns), strict=True))
        fitted = DecisionTreeClassifier(max_depth=3).fit(matrix, rows["y"].to_pylist())
        skops.io.dump(fitted, small.folder / name)
        return small.folder / name

    return make


def blob(small, digest):
    name = digest.removeprefix("sha256:")
    folder = small.folder / ".interlock" / "artifacts" / "sha256"
    return (folder / name[:2] / name).read_text(encoding="utf-8")


def test_a_file_goes_through_every_gate_and_is_served(small, made):
    """Validated, reviewed, released and deployed; unknown lineage is said, on record and card."""
    made("legacy.skops", "x", "z")
    said = small("models", "import", "legacy.skops")
    assert "legacy.skops, external: its lineage is unknown here" in said.err
    assert (small.run["status"], small.endpoint["status"]) == ("done", "applied")
    (event,) = small.listed("audit", "log", "--kind", "candidate.made")
    record = event["payload"]["record"]
    assert (record["origin"], record["facts"]["lineage"]) == ("external", "unknown")
    (held,) = small.listed("audit", "log", "--kind", "review.held")
    manifest = blob(small, held["payload"]["card"]["digest"])
    (card,) = (digest for name, _, digest in json.loads(manifest) if name == "card.md")
    assert "lineage is unknown" in blob(small, card)
    assert [row["number"] for row in small.listed("models")] == ["1"]
    small("audit", "verify", "--artifacts")


def test_a_policy_refuses_what_was_not_trained_here(small, made):
    """Registered and unreleased, like any other that a gate refuses."""
    made("legacy.skops", "x", "z")
    small.edit("approvals = 0", 'approvals = 0\norigins = ["trained"]')
    said = small("models", "import", "legacy.skops", expect=3)
    assert "the model is external; the policy allows: trained" in said.err
    assert small.listed("deployments") == []


def test_the_order_of_its_inputs_is_said_where_it_is_another(small, made):
    """Of one column, or turned round: the model answers as it did where it was made."""
    made("one.skops", "x")
    said = small("models", "import", "one.skops", "--until", "train", expect=2)
    assert "one.skops does not take this task's rows" in said.err
    assert "--input NAME" in said.err
    small("models", "import", "one.skops", "--input", "x", "--until", "validate")
    made("turned.skops", "z", "x")
    small("models", "import", "turned.skops", "--input", "z", "--input", "x", "--until", "validate")
    wrong = small("models", "import", "one.skops", "--input", "q", expect=2)
    assert "'q' is no feature of this task: it has x, z" in wrong.err


def test_the_same_file_again_is_the_same_candidate(small, made):
    """And another file of that name is another."""
    made("legacy.skops", "x", "z")
    small("models", "import", "legacy.skops", "--until", "train")
    assert "reused" in small("models", "import", "legacy.skops", "--until", "train").err
    made("legacy.skops", "z", "x")
    assert "reused" not in small("models", "import", "legacy.skops", "--until", "train").err


def test_a_run_that_brings_a_model_goes_on_with_it(small, made):
    """Resumed, it needs the file no more, and trains nothing."""
    path = made("legacy.skops", "x", "z")
    small("models", "import", "legacy.skops", "--until", "train")
    path.unlink()
    small("run", "--resume", small.run["id"], "--until", "register")
    assert small.listed("models")[0]["run"] == small.run["id"]


def test_a_run_takes_the_file_that_it_began_with(small, made):
    """Of a run that stopped before it took the model, another file of that name is none."""
    made("legacy.skops", "x")
    small("models", "import", "legacy.skops", "--until", "train", expect=2)
    made("legacy.skops", "x", "z")
    said = small("run", "--resume", small.run["id"], expect=2)
    assert "legacy.skops is not there any more as it was when this run began" in said.err


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib"])
def test_a_pickle_is_not_opened(small, name):
    """It says what to do instead, and nothing is begun."""
    (small.folder / name).write_bytes(pickle.dumps({}))
    said = small("models", "import", name, expect=2)
    assert "is a pickle: opening it would run whatever it holds" in said.err
    assert small.listed("runs") == []


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("absent.skops", 2, "there is no file absent.skops"),
        ("project.py", 2, "model-py"),
        ("mlflow:small@champion", 2, "import_candidate"),
        ("broken.skops", 1, "broken.skops is not opened"),
    ],
)
def test_what_cannot_be_brought_is_said(small, source, code, says):
    """A file that is not there, of no format, or damaged; a source that no plugin brings."""
    (small.folder / "broken.skops").write_bytes(b"no archive")
    said = small("models", "import", source, expect=code)
    assert says in said.err
    assert "Traceback" not in said.err
    # What was wrong as it was typed leaves no run behind.
    assert len(small.listed("runs")) == (code == 1)


BRINGS = '''\
"""Brings models from a shelf."""

from interlock_hookspecs import Candidate, Model, NotFound, hookimpl, signature_for
from pathlib import Path


@hookimpl
def import_candidate(source, rows, task, ws):
    word, _, name = source.partition(":")
    if word != "shelf":
        return None
    path = Path(__file__).with_name(f"{name}.skops")
    if not path.exists():
        raise NotFound(f"the shelf has no {name}")
    signature = signature_for(rows, task)
    model = Model(format="skops", artifact=ws.keep(path), signature=signature)
    return Candidate(model=model, estimator="tree", origin="imported")
'''


def test_a_plugin_brings_what_only_it_knows(small, made):
    """Its answer is a candidate of the origin imported, or an error in its words."""
    made("tree.skops", "x", "z")
    (small.folder / "project.py").write_text(BRINGS, encoding="utf-8")
    small("models", "import", "shelf:tree", "--until", "register")
    (event,) = small.listed("audit", "log", "--kind", "candidate.made")
    assert event["payload"]["record"]["origin"] == "imported"
    assert "the shelf has no oak" in small("models", "import", "shelf:oak", expect=1).err
    assert "asked" in small("models", "import", "attic:tree", expect=2).err
    small.edit('origin="imported"', 'origin="trained"', "project.py")
    said = small("models", "import", "shelf:tree", expect=2)
    assert "says of shelf:tree that it was trained here" in said.err
