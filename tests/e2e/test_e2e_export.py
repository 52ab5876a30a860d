"""A release in a folder of its own: it predicts there as it does here, and only a release goes."""

import csv
import hashlib
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real_backend
STRANGER = (
    "import builtins, runpy, sys\n"
    "real = builtins.__import__\n"
    "def only(name, *more, **named):\n"
    "    if name.partition('.')[0] in {'interlock', 'interlock_hookspecs', 'sklearn', 'pyarrow'}:\n"
    "        raise ImportError(name)\n"
    "    return real(name, *more, **named)\n"
    "builtins.__import__ = only\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def predicted(folder, rows, *words):
    """What the folder's runner prints for rows; it may import neither Interlock nor what fits."""
    asked = folder.with_name("asked.csv")
    with asked.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows.column_names)
        writer.writeheader()
        writer.writerows(rows.to_pylist())
    command = [sys.executable, "-c", STRANGER, folder / "run.py", *words, asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr
    return list(csv.DictReader(done.stdout.splitlines()))


def test_a_release_predicts_in_a_folder_as_its_endpoint_does(project, ask, rows):
    """Without Interlock, with its own threshold and checksums; the export is on record."""
    made = project()
    made("run", "--until", "deploy")
    folder = made.folder / "out" / "edge"
    said = made("models", "export", "--as", "edge", "--to", folder)
    assert "label_agreement 1" in said.err
    features = rows.drop_columns(["y"]).slice(0, 20)
    status, answers = ask(made.endpoint, features)
    assert status == 200
    found = predicted(folder, features)
    assert [float(row["score"]) for row in found] == pytest.approx(answers["score"], abs=1e-6)
    assert [int(row["prediction"]) for row in found] == answers["prediction"]

    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    (event,) = made.events("release.exported")
    told = json.loads((folder / "release.json").read_text())
    assert (told["id"], event["format"]) == (made.endpoint["release"], "edge")
    (folder / "schema.json").write_text("{}")
    assert "schema.json" in predicted(folder, features)
    assert (
        "is there already" in made("models", "export", "--as", "onnx", "--to", folder, expect=2).err
    )
    made("audit", "verify")


def test_a_folder_says_what_is_wrong_with_rows_in_one_line(project):
    """Whoever runs it there may not know Python: no traceback, and no value of a row."""
    made = project()
    made("run", "--until", "review")
    folder = made.folder / "edge"
    made("models", "export", made.run["id"], "--as", "edge", "--to", folder)
    asked = folder.with_name("asked.csv")
    good = "id,x,z,group\n1,0.5,-0.5,a\n"

    def said(text, *words, code=1):
        asked.write_text(text, encoding="utf-8")
        command = [sys.executable, folder / "run.py", *(words or (asked,))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return (done.stderr or done.stdout).strip()

    assert said("\ufeff" + good, code=0).startswith("score,prediction")
    usage = "usage: python run.py [--quantised] rows.csv > answers.csv"
    assert said(good, asked, asked) == usage
    assert said(good, "--quantized", asked) == usage
    assert said(good, "gone.csv") == "gone.csv: No such file or directory"
    wrong = {
        "": "there are no rows below a line of names",
        "id,x,z,group\n": "there are no rows below a line of names",
        "id,y,z,group\n1,0.5,-0.5,a\n": "row 1: there is no 'x'",
        good + "2\n": "row 2: there is no 'x'",
        good.replace("0.5", "hello", 1): "row 1: 'x' is no number",
    }
    assert {text: said(text) for text in wrong} == {
        text: f"{asked}: {words}" for text, words in wrong.items()
    }


def test_only_what_is_released_is_exported(project):
    """Not before a review, and not after a revocation; nothing is left where it would go."""
    made = project()
    made("run", "--until", "register")
    folder = made.folder / "edge"
    words = ("models", "export", "--as", "edge", "--to", folder)
    assert "led to no release" in made(*words[:2], made.run["id"], *words[2:], expect=2).err
    made("run", "--resume", made.run["id"], "--until", "review")
    (release,) = made.events("release.made")
    release = release["record"]["id"]
    made("revoke", release, "--reason", "leak", actor="ben")
    said = made(*words[:2], release, *words[2:], expect=3)
    assert "was revoked by ben" in said.err
    assert made.events("gate.refused")[-1]["what"] == "export"
    assert not folder.exists()
    assert made.events("release.exported") == []


def test_a_network_has_an_8_bit_variant(project, rows):
    """Where it decides alike it is in the folder and answers there; the schema says how far off."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.6"')
    made.edit("sklearn.tree.DecisionTreeClassifier", "sklearn.neural_network.MLPClassifier")
    made.edit("parameters = { max_depth = 3 }", "parameters = { hidden_layer_sizes = [8] }")
    made.edit('sensitive = ["group"]', 'sensitive = ["group"]\nexclude = ["group"]')
    made("run", "--until", "review")
    folder = made.folder / "edge"
    made("models", "export", made.run["id"], "--as", "edge", "--to", folder)
    about = json.loads((folder / "schema.json").read_text())["quantised"]
    features = rows.drop_columns(["y"]).slice(0, 5)
    # 8-bit kernels differ between kinds of CPU: it may be over the bound on one of them.
    if about["file"] is None:
        assert "classes differ" in about["why"]
        assert "there is no quantised model" in predicted(folder, features, "--quantised")
        return
    whole, small = predicted(folder, features), predicted(folder, features, "--quantised")
    scores = [[float(row["score"]) for row in found] for found in (whole, small)]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
    assert scores[0] != scores[1]
