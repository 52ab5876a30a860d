"""A project that has not changed is released once, however often it is run."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.real_backend

NOTHING = "Nothing to do: this model is released already, as release-"
WAITING = 4
MODULE = '"""Notes."""\n'


def stages(project):
    """What became of the stages of the latest run, by name."""
    shown = project.listed("show", project.run["id"])
    return {stage["stage"]: stage["status"] for stage in shown["stages"]}


def made(project):
    """How many releases there are, and how often something was made to be served."""
    served = [project.events(f"deployment.{kind}") for kind in ("intended", "targets", "applied")]
    return len(project.events("release.made")), sum(map(len, served))


def swap_rows(project, rows):
    """Other rows at the same place."""
    pq.write_table(rows, project.folder / "rows.parquet")


def test_an_unchanged_project_is_released_once(project):
    """A second run, and a third, measure nothing anew, and say that there is nothing to do."""
    small = project(govern='["policy", "card"]')
    first = small.listed("run")
    assert first["unchanged"] is False
    before, address = made(small), small.endpoint["address"]
    said = small("run")
    assert NOTHING + first["outputs"]["release"]["id"][-8:] in said.err
    assert "(version 1)" in said.err
    assert stages(small)["train"] == stages(small)["validate"] == "reused"
    third = small.listed("run")
    assert third["unchanged"] is True
    assert third["outputs"]["release"] == first["outputs"]["release"]
    assert third["outputs"]["dossier"] == first["outputs"]["dossier"]
    assert made(small) == before == (1, 2)
    assert small.endpoint["address"] == address
    assert [version["number"] for version in small.listed("models")] == ["1"]
    assert small.run["message"] == "done until monitor: nothing was to be done"
    small("audit", "verify")


def test_a_model_that_took_over_from_another_is_not_held_against_itself(project):
    """It stands as it was measured beside the one before, whose rows were others as well."""
    small = project(bounds='"metrics.champion_difference[roc_auc]" = ">= -0.5"')
    small("run")
    rows = pq.read_table(small.folder / "rows.parquet")
    swap_rows(small, rows.slice(20))
    second = small.listed("run")
    assert second["unchanged"] is False
    again = small.listed("run")
    assert again["unchanged"] is True
    for what in ("checks", "data_checks", "dossier", "release"):
        assert again["outputs"][what] == second["outputs"][what]
    compared = [one for one in again["outputs"]["checks"] if one["name"] == "champion_difference"]
    assert all(one["facts"]["champion"] for one in compared)


def test_what_was_approved_needs_no_approval_again(project):
    """Neither where whoever approved it runs it, nor where nobody else does."""
    small = project(policy="approvals = 1")
    small("run", expect=WAITING)
    run = small.run["id"]
    small("approve", run, "--reason", "looks right", actor="ben")
    small("run", "--resume", run)
    before = made(small)
    assert NOTHING in small("run").err
    assert NOTHING in small("run", actor="ben").err
    assert made(small) == before
    small.edit('">= 0.7"', '">= 0.69"')
    assert "0 of 1 approvals given" in small("run", expect=WAITING).err
    assert made(small) == before


def test_what_was_revoked_is_not_unchanged(project):
    """It is measured and judged anew, and a person has to take the revocation back."""
    small = project()
    first = small.listed("run")["outputs"]
    small("revoke", first["release"]["id"], "--reason", "wrong rows")
    assert "needs an approval given since" in small("run", expect=WAITING).err
    assert stages(small)["validate"] == "finished"


@pytest.mark.parametrize("what", ["rows", "code", "setting"])
def test_what_changed_is_released_anew(project, what):
    """Rows, code and settings: a new dossier, and a new release."""
    small = project(module=MODULE)
    first = small.listed("run")["outputs"]
    if what == "rows":
        swap_rows(small, pq.read_table(small.folder / "rows.parquet").slice(20))
    elif what == "code":
        small.edit("Notes", "More notes", file="project.py")
    else:
        small.edit("max_depth = 3", "max_depth = 2")
    second = small.listed("run")
    assert second["unchanged"] is False
    assert second["outputs"]["release"]["id"] != first["release"]["id"]
    assert small.endpoint["release"] == second["outputs"]["release"]["id"]
    assert small.listed("run")["unchanged"] is True


def test_no_canary_of_the_model_that_is_live(rolled):
    """Unchanged it begins no rollout; in a new release it takes over at once."""
    small = rolled("canary", {"rollout.error_rate": '"<= 0.05"'}, steps=[0.5], window=3600)
    champion = small.endpoint["release"]
    assert NOTHING in small("run").err
    (small.folder / "notes.py").write_text(MODULE, encoding="utf-8")
    said = json.loads(small("run", "--json").out)
    assert (said["unchanged"], "rollout" in said["outputs"]) == (False, False)
    assert small.endpoint["release"] == said["outputs"]["release"]["id"] != champion
    assert small.listed("rollout", "status") == []
    small("run", "--set", "task.threshold=0.999")
    (rollout,) = small.listed("rollout", "status")
    assert rollout["status"] == "open"


def test_again_is_done_again(project):
    """--again fits and measures once more, and the same model is the same release."""
    small = project()
    first = small.listed("run")["outputs"]
    second = small.listed("run", "--again")
    assert stages(small)["validate"] == "finished"
    assert second["unchanged"] is False
    assert second["outputs"]["release"] == first["release"]


def test_a_server_that_ended_is_something_to_do(project):
    """The release is the one there was, and the endpoint answers again."""
    small = project()
    small("run")
    small.end()
    said = small("run", "--json")
    assert json.loads(said.out)["unchanged"] is False
    assert "released before, as release-" in said.err
    assert small.endpoint["now"] == "answers"


def test_a_column_more_changes_the_rows_that_later_ones_are_held_against(project):
    """The reference of the second run is the first's rows, and stays so where nothing changes."""
    small = project()
    small("run")
    rows = pq.read_table(small.folder / "rows.parquet")
    swap_rows(small, rows.append_column("w", pa.array([0.5, 1.5] * (rows.num_rows // 2))))
    for unchanged in (False, True):
        said = small.listed("run")
        assert said["unchanged"] is unchanged
        (found,) = [one for one in said["outputs"]["data_checks"] if one["name"] == "new_columns"]
        assert found["value"] == 1
