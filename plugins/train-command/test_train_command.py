"""What a command is given, what may go wrong with it, and that nothing of it is left."""

import json
import logging
import os
import time
from pathlib import Path

import pytest

from interlock_hookspecs import InvalidInput
from interlock_hookspecs.conformance.rows import MARKER, rows_of, task_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_train_command import CommandTrainer
from interlock_train_command.giving import give, signature_of
from interlock_train_command.taking import take

pytestmark = pytest.mark.real_backend


@pytest.fixture
def fit(tmp_path):
    """Fit by a line of shell, which the plugin itself would never start."""

    def run(line, **settings):
        trainer = CommandTrainer(command=("sh", "-c", line), root=tmp_path, **settings)
        return trainer.fit_candidate(rows_of(), task_of(), LocalWorkspace(tmp_path / "ws"))

    return run


def gone(path, seconds=60):
    """Whether the process whose number a file holds ends; the kernel takes a moment over it."""
    stat = Path(f"/proc/{int(path.read_text())}/stat")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("exit 3", "ended with exit code 3"),
        ("kill -KILL $$", "was killed by SIGKILL, as a machine does that is out of memory"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
        (":", "wrote no model"),
        ("cd $INTERLOCK_OUTPUT; touch a.skops b.skops", "holds 2 things beside metrics.json"),
        ("ln -s /etc/passwd $INTERLOCK_OUTPUT/model.skops", "a link"),
        ("echo no model > $INTERLOCK_OUTPUT/model.skops", "model.skops"),
    ],
)
def test_a_command_that_does_not_deliver_is_told_in_one_line(fit, line, why):
    """Whatever it does, the error is the contract's, and says what was found."""
    with pytest.raises(InvalidInput) as caught:
        fit(line)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"auc": NaN}', "NaN, which is no finite number"),
        ('{"auc": [0.5, -Infinity]}', "-Infinity, which is no finite number"),
        ('{"auc": 1e999}', "'auc' is neither a finite number"),
        ('{"auc": true}', "'auc' is neither a finite number"),
        ('{"auc": []}', "'auc' is neither a finite number"),
        ('{"auc": 1,\n "auc": 0}', "one name twice"),
        ('{"auc": 1,\n', "no JSON at line 2"),
        ("[1]", "no object"),
        ("[" * 100_000, "no JSON"),
        (f'"{"x" * (1 << 20)}"', "no file of at most"),
    ],
)
def test_metrics_that_are_none_are_refused(tmp_path, text, why):
    """A metric that is no finite number, or is said twice, is no metric."""
    (tmp_path / "model.skops").touch()
    (tmp_path / "metrics.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"metrics\.json") as caught:
        take(tmp_path)
    assert why in str(caught.value)


def test_what_a_command_says_of_its_model_is_kept_apart(tmp_path):
    """A list is a score a fold, a number a fact; its lineage is unknown unless it says it."""
    (tmp_path / "model.skops").touch()
    assert take(tmp_path).facts == {"lineage": "unknown"}
    (tmp_path / "metrics.json").write_text('{"auc": [0.5, 1], "loss": 2}', encoding="utf-8")
    (tmp_path / "lineage.json").write_text('{"commit": "1f2e"}', encoding="utf-8")
    found = take(tmp_path)
    assert [(score.name, score.folds) for score in found.scores] == [("auc", (0.5, 1.0))]
    said = {"metrics.loss": 2, "lineage": "said by the command", "lineage.commit": "1f2e"}
    assert found.facts == said


def test_the_last_lines_of_a_failure_go_to_the_log_and_not_into_the_error(fit, caplog):
    """They may quote a row; and a command that says a lot is no fault."""
    with caplog.at_level(logging.ERROR), pytest.raises(InvalidInput) as caught:
        fit(f"yes noise | head -n 100000 >&2; echo {MARKER} >&2; exit 1")
    assert MARKER not in str(caught.value)
    assert len(caplog.messages) == 20
    assert caplog.messages[-1] == f"sh: {MARKER}"


def test_what_takes_too_long_is_ended_with_all_that_it_started(fit, tmp_path):
    """Also a child that does not listen to the polite signal."""
    child = "sh -c 'trap : TERM; echo $$ > child; while :; do sleep 0.1; done'"
    with pytest.raises(InvalidInput, match="longer than seconds = 5 and was ended"):
        fit(f"{child} & {child.replace('child', 'other')}", seconds=5)
    assert gone(tmp_path / "child")
    assert gone(tmp_path / "other")


def test_what_a_command_leaves_running_is_ended(fit, tmp_path):
    """One that ends and leaves a child behind leaves none."""
    with pytest.raises(InvalidInput, match="wrote no model"):
        fit("sleep 60 & echo $! > child")
    assert gone(tmp_path / "child")


def test_a_command_sees_nothing_of_the_environment_that_is_not_named(fit, tmp_path, monkeypatch):
    """No secret of Interlock's reaches it, unless the stack names the variable."""
    monkeypatch.setenv("REGISTRY_TOKEN", "hunter2")
    monkeypatch.setenv("SITE", "lowell")
    for inherit in ((), ("SITE", "ABSENT")):
        with pytest.raises(InvalidInput, match="wrote no model"):
            fit("env > seen", inherit=inherit)
        seen = (tmp_path / "seen").read_text(encoding="utf-8")
        assert "hunter2" not in seen
        assert ("SITE=lowell" in seen) == bool(inherit)
        assert f"HOME={os.environ.get('HOME')}\n" not in seen


def test_the_task_does_not_lead_to_the_rows_held_out(tmp_path):
    """It names no dataset; and its features are those of the signature."""
    rows, task = rows_of(), task_of(dataset="/srv/all.parquet", exclude=("phone",))
    places = give(rows, task, signature_of(rows, task), tmp_path)
    text = places["task"].read_text(encoding="utf-8")
    assert "all.parquet" not in text
    assert json.loads(text)["features"] == ["x", "größe [cm]", "city", "sex"]


def test_a_program_that_is_not_there_is_named(tmp_path):
    """With the folder that it was looked for in."""
    trainer = CommandTrainer(command=("no-such-program",), root=tmp_path)
    with pytest.raises(InvalidInput, match="no-such-program cannot be started"):
        trainer.fit_candidate(rows_of(), task_of(), LocalWorkspace(tmp_path / "ws"))


def test_a_placeholder_that_is_none_is_refused_when_the_stack_loads():
    """A misspelt one names the ones there are; other braces are the command's own."""
    with pytest.raises(ValueError, match=r"\{row\} is none of \{rows\}"):
        CommandTrainer(command=("sh", "{row}"))
    CommandTrainer(command=("awk", "{print $1}", '{"depth": 3}'))
