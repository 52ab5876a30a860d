"""`review --explain`: each bound with its numbers, who judged it, and what would change it."""

import pytest

BOUNDS = """
"metrics.roc_auc" = ">= 0.7"
"metrics.accuracy" = ">= 0.999"
"metrics.recall" = { bound = ">= 0.999", severity = "explain" }
"metrics.precision" = { bound = ">= 0.5", on = "interval" }
"metrics.nulls[nothing]" = "<= 1"
"""
MODULE = """
from interlock_hookspecs import Verdict, hookimpl

@hookimpl
def review(dossier):
    return [Verdict(decision="refuse", subject="season", reason="it is winter", change="wait")]
"""
FIELDS = {"judged", "bound", "value", "interval", "n", "verdict", "by", "why", "change"}


@pytest.fixture
def refused(project):
    """A run that was judged in every way."""
    made = project(bounds=BOUNDS, module=MODULE)
    made("run", expect=3)
    return made


def test_a_program_reads_each_verdict_whole(refused):
    """Bound, value, interval, n, verdict, maker, reason and remedy; the project's own beside."""
    lines = {line["judged"]: line for line in refused.listed("review", "--explain")}
    assert all(set(line) >= FIELDS for line in lines.values())
    assert {name: line["verdict"] for name, line in lines.items()} == {
        "metrics.roc_auc": "approve",
        "metrics.accuracy": "refuse",
        "metrics.recall": "explain",
        "metrics.precision": "approve",
        "metrics.nulls[nothing]": "refuse",
        "season": "refuse",
    }
    accuracy = lines["metrics.accuracy"]
    assert accuracy["bound"] == ">= 0.999 (refuse)"
    assert accuracy["by"].startswith("govern-policy ")
    checks = {check["key"]: check for check in refused.listed("show", refused.run["id"])["checks"]}
    measured = checks["metrics.accuracy"]
    assert (accuracy["value"], accuracy["n"]) == (measured["value"], measured["n"])
    low, high = (float(end) for end in accuracy["interval"].split(" to "))
    assert low < accuracy["value"] < high
    assert accuracy["change"].startswith("raise it by 0.")
    assert "a person approves with a reason" in lines["metrics.recall"]["change"]
    assert "the low end" in lines["metrics.precision"]["why"]
    assert lines["metrics.nulls[nothing]"]["value"] is None
    assert "nobody measured" in lines["metrics.nulls[nothing]"]["why"]
    assert lines["season"]["by"].startswith("project ")
    assert lines["season"]["change"] == "wait"


def test_each_of_two_bounds_on_a_check_stands_beside_its_own_verdict(project):
    """The platform's bound and the project's tighter one: both rows showed the project's."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.999"')
    (made.folder / "platform.toml").write_text('[policy.bounds]\n"metrics.roc_auc" = ">= 0.6"\n')
    stack = made.folder / "interlock.toml"
    stack.write_text('include = ["platform.toml"]\n' + stack.read_text(encoding="utf-8"))
    made("run", expect=3)
    assert [(line["bound"], line["verdict"]) for line in made.listed("review", "--explain")] == [
        (">= 0.6 (refuse)", "approve"),
        (">= 0.999 (refuse)", "refuse"),
    ]


def test_a_person_reads_the_same(refused):
    """A table of numbers, then a sentence a verdict with what would change it."""
    shown = refused("review", "--explain").out
    assert f"run-{refused.run['id'][-8:]}: refused, dossier sha256:" in shown
    for line in refused.listed("review", "--explain"):
        assert line["why"] in shown
        assert line["change"] in shown
        assert line["by"] in shown
        for number in (line["bound"], line["interval"]):
            assert number is None or number in shown


def test_it_changes_nothing(refused):
    """To look is not to review: the ledger stays as it is, and the exit code is 0."""
    before = refused.listed("audit", "head")
    refused("review", "--explain", refused.run["id"])
    assert refused.listed("audit", "head") == before


def test_what_was_not_reviewed_is_not_explained(project):
    """The next command is told."""
    made = project()
    made("run", "--until", "register")
    said = made("review", "--explain", expect=2)
    assert "was not reviewed yet" in said.err
    assert "next: interlock review run-" in said.err


def test_a_dossier_that_was_altered_is_not_explained(refused):
    """What is shown is what was judged, or nothing."""
    (held,) = refused.events("review.held")
    digest = held["artifact"]["digest"].removeprefix("sha256:")
    (blob,) = [path for path in (refused.folder / ".interlock/artifacts").rglob("*")
               if path.is_file() and digest[4:] in str(path).replace("/", "")]  # fmt: skip
    text = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(text.replace(b"winter", b"summer") if b"winter" in text else text + b" ")
    said = refused("review", "--explain", expect=1)
    assert "error:" in said.err
