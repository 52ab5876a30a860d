"""A rollback brings back all of a release: threshold, features, reference profile and alias."""

import http.client
import json
from contextlib import closing
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.real_backend
STRICT = 0.8
FOUND = 5


def asked(endpoint, path, body=None):
    """What an endpoint says at a path of its model."""
    url = urlsplit(endpoint["address"])
    with closing(http.client.HTTPConnection(url.hostname, url.port, timeout=60)) as link:
        link.request("POST" if body else "GET", f"/v2/models/{endpoint['endpoint']}{path}",
                     json.dumps(body) if body else None)  # fmt: skip
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())


def inputs(endpoint):
    """The features that it takes."""
    return [tensor["name"] for tensor in asked(endpoint, "")[1]["inputs"]]


def scored(endpoint, rows, names):
    """Its answers to rows, by columns; the ids go with them."""
    found = rows.select(["id", *names]).to_pylist()
    status, said = asked(endpoint, "/batch", {"rows": found})
    assert status == 200, said
    return said["rows"]


def captured(project, release):
    """How many rows a release answered that were captured."""
    files = (project.folder / ".interlock" / "captures").rglob("captures-*.parquet")
    return sum(pq.read_table(file)["release"].to_pylist().count(release) for file in files)


def champion(project):
    """The version of the alias in the registry."""
    (found,) = [one for one in project.listed("models") if "champion" in one["aliases"]]
    return found["number"]


def drift(project, expect=0):
    """How x is in the traffic of the latest release, against the profile that it is held to."""
    project("monitor", expect=expect)
    findings = project.events("window.monitored")[-1]["findings"]
    return {one["name"]: one["status"] for one in findings if one.get("subject") == "x"}


def test_all_of_a_release_comes_back(project, rows):
    """Each of them was another in the release that is left, and is as it was before it."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.5"')
    made.edit("sklearn.tree.DecisionTreeClassifier", "sklearn.linear_model.LogisticRegression")
    made.edit("parameters = { max_depth = 3 }", "")
    made("run")
    first = made.endpoint
    names = inputs(first)
    assert sorted(names) == ["group", "x", "z"]
    before = scored(first, rows.slice(0, 300), names)
    assert any(0.5 <= row["score"] < STRICT for row in before)

    # Other rows, without z, and a stricter threshold.
    moved = rows.set_column(1, "x", pa.array(rows["x"].to_numpy() * 3 + 40))
    pq.write_table(moved, made.folder / "rows.parquet")
    made.edit('id = "id"', f'id = "id"\nexclude = ["z"]\nthreshold = {STRICT}')
    made("run")
    second = made.endpoint
    assert second["release"] != first["release"]
    assert sorted(inputs(second)) == ["group", "x"]
    between = scored(second, moved.slice(0, 300), ["group", "x"])
    assert {row["prediction"] for row in between if row["score"] < STRICT} == {0}
    assert champion(made) == "2"

    made("rollback")
    back = made.endpoint
    assert (back["release"], back["serving"]) == (first["release"], [first["release"]])
    assert inputs(back) == names
    after = scored(back, rows.slice(0, 300), names)
    assert after == before
    undecided = [row["prediction"] for row in after if 0.5 <= row["score"] < STRICT]
    assert set(undecided) == {1}
    assert champion(made) == "1"
    shown = made.listed("show", back["release"])
    assert (shown["threshold"], shown["number"]) == (0.5, "1")
    assert np.isclose(STRICT, made.listed("show", second["release"])["threshold"])
    assert len(made.events("release.made")) == 2
    made("audit", "verify")


def test_traffic_is_held_against_the_profile_that_came_back(project, rows, until):
    """What the first was trained on looks as ever to it; to the second it would be drift."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.5"')
    made("run")
    first = made.endpoint
    moved = rows.set_column(1, "x", pa.array(rows["x"].to_numpy() * 3 + 40))
    pq.write_table(moved, made.folder / "rows.parquet")
    made("run")
    second = made.endpoint
    scored(second, rows, inputs(second))
    until(lambda: captured(made, second["release"]) == rows.num_rows)
    assert set(drift(made, FOUND).values()) == {"alert"}
    made("rollback")
    scored(made.endpoint, rows, inputs(made.endpoint))
    until(lambda: captured(made, first["release"]) == rows.num_rows)
    assert set(drift(made).values()) == {"ok"}


def test_status_says_since_when_a_release_is_live(project):
    """Not since it was made: it was away meanwhile. A server that starts anew changes nothing."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.5"')
    made("run")
    made("run", "--set", "train-sklearn.parameters.max_depth=2")
    made("rollback")
    made("deployments", "--restart")
    (back,) = [
        line for line in made.listed("deployments", "--history") if line["reason"] == "rollback"
    ]
    assert made.listed("status")["release"]["since"] == back["at"]
    assert f"since {back['at'][:19].replace('T', ' ')}\n" in made("status").out
