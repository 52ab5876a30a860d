"""`--trace` and `--explain`: however a command ends, what its hooks were asked is told."""

import json

import pytest


def calls(path):
    """The calls of a trace: stage, hook, plugin, error."""
    events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    return [event["args"] for event in events if event.get("cat", "").startswith("hook,")]


def test_a_run_is_traced_from_its_data_to_its_endpoint(project):
    """Every hook of every stage is there, with its plugin; monitor is traced as well."""
    made = project()
    made("run", "--trace", "run.json")
    found = calls(made.folder / "run.json")
    assert {"load_dataset", "fit_candidate", "write_model", "check_model", "register_version",
            "review", "endpoint_status"} <= {call["hook"] for call in found}  # fmt: skip
    fits = [(call["stage"], call["plugin"], call["in"]["rows"]["rows"] > 0)
            for call in found if call["hook"] == "fit_candidate"]  # fmt: skip
    assert fits == [("train", "train-sklearn", True)]
    assert not any(call["error"] for call in found)
    made("monitor", "--trace", "monitor.json")
    assert (made.folder / "monitor.json").exists()


def test_a_run_that_is_refused_or_fails_is_traced_too(project):
    """The trace is whole, and the exit code what it would have been."""
    made = project(bounds='"metrics.accuracy" = ">= 0.999"')
    made("run", "--trace", "refused.json", expect=3)
    assert {"data", "train", "validate", "register", "review"} <= {
        call["stage"] for call in calls(made.folder / "refused.json")
    }
    made.edit("max_depth = 3", "max_depth = -3")
    made("run", "--trace", "failed.json", "--until", "train", expect=1)
    (failed,) = [call for call in calls(made.folder / "failed.json") if call["error"]]
    assert (failed["hook"], failed["out"]) == ("fit_candidate", None)
    assert not list(made.folder.glob(".*.json*"))


def test_where_no_trace_can_be_written_nothing_is_run(project):
    """A folder that is none is told before the work, not after it."""
    made = project()
    said = made("run", "--trace", "no/where.json", expect=2)
    assert "there is no folder no" in said.err
    assert made.listed("runs") == []


def test_an_explanation_is_told_with_the_result(project):
    """For a person as a table; for a program beside the outputs, also where a gate refuses."""
    made = project()
    said = made("run", "--until", "validate", "--explain", "check_model")
    assert "implemented by: validate-metrics 0.1.0, validate-fairness 0.1.0" in said.out
    assert "asked once in validate: all that implement it are asked" in said.out
    found = made.listed("run", "--until", "validate", "--explain", "fit_candidate")
    assert found["explain"]["questions"] == []
    assert found["last"] == "validate"
    said = made("run", "--until", "validate", "--explain", "fit_candidate")
    assert "Not asked: a stage that is reused asks nobody" in said.out
    made.edit('">= 0.7"', '">= 1.0"')
    found = made.listed("run", "--explain", "review", expect=3)
    assert found["explain"]["questions"][0]["asked"][0]["plugin"] == "govern-policy 0.1.0"


@pytest.mark.parametrize("hook", ["fit_candidat", "review_model"])
def test_an_unknown_hook_is_refused_before_the_run(project, hook):
    """With the nearest name where one is near."""
    made = project()
    said = made("run", "--explain", hook, expect=2)
    assert f"the contract has no hook '{hook}'" in said.err
    assert made.listed("runs") == []
