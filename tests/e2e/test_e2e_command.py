"""A script of the user's own, from its rows to an endpoint."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from interlock_train_command.conformance import SCRIPT

pytestmark = pytest.mark.real_backend
PAGE = Path(__file__).parents[2] / "docs/how-to/train-with-a-script.md"
SKLEARN = 'train = "sklearn"'
TREE = """\
[stack.dev.train-sklearn]
estimator = "sklearn.tree.DecisionTreeClassifier"
parameters = { max_depth = 3 }"""


@pytest.fixture
def scripted(project):
    """A project whose trainer is the script of the how-to guide, begun by a script of the shell."""
    made = project(bounds='"metrics.roc_auc" = ">= 0.6"', govern='["policy", "card"]')
    shutil.copy(SCRIPT, made.folder / "train.py")
    (made.folder / "train.sh").write_text('exec "$1" train.py\n', encoding="utf-8")
    made.edit(SKLEARN, 'train = "command"')
    made.edit(TREE, '[stack.dev.train-command]\ncommand = ["sh", "train.sh", "{python}"]')
    return made


def test_a_script_is_trained_judged_and_served(scripted, ask):
    """Its candidate is external, on record and on the card; a change in it trains again."""
    run = scripted("run", "--until", "deploy", "--json").json
    candidate = run["outputs"]["candidate"]
    assert candidate["origin"] == "external"
    assert candidate["facts"]["lineage"] == "unknown"
    assert {"file.train.sh"} == {name for name in candidate["facts"] if name.startswith("file.")}
    assert [score["name"] for score in candidate["scores"]] == ["accuracy"]
    features = pq.read_table(scripted.folder / "rows.parquet").slice(0, 5)
    status, answer = ask(scripted.endpoint, features.drop_columns(["y", "id"]))
    assert status == 200
    assert len(answer["score"]) == 5
    _, card = map(Path, scripted("show", run["run"], "--card").out.split())
    assert "external: **its lineage is unknown**" in card.read_text(encoding="utf-8")

    assert "reused" in scripted("run", "--until", "train").err
    shell = scripted.folder / "train.sh"
    shell.write_text(shell.read_text(encoding="utf-8") + "# seen\n", encoding="utf-8")
    assert "reused" not in scripted("run", "--until", "train").err


def test_a_policy_may_refuse_what_a_script_trained(scripted):
    """As it may any model of which nobody here knows how it was made."""
    scripted.edit("approvals = 0", 'approvals = 0\norigins = ["trained"]')
    said = scripted("run", "--until", "review", expect=3)
    assert "the model is external; the policy allows: trained" in said.out + said.err


def test_a_script_that_fails_says_why_without_the_secret_that_it_was_given(
    scripted, monkeypatch, caplog
):
    """Its last lines pass the redactor, as all output does."""
    monkeypatch.setenv("LEDGER", "sqlite:///.interlock/hunter2-4961.db")
    scripted.edit('ledger = "sqlite:///.interlock/ledger.db"', 'ledger = "${LEDGER}"')
    scripted.edit('"{python}"]', '"{python}"]\ninherit = ["LEDGER"]')
    (scripted.folder / "train.sh").write_text('echo "no: $LEDGER" >&2; exit 4', encoding="utf-8")
    said = scripted("run", "--until", "train", expect=1)
    assert "ended with exit code 4" in said.err
    assert "sh: no: ***" in caplog.messages
    assert "hunter2" not in said.out + said.err + caplog.text


def test_the_guide_shows_the_script_that_is_tested():
    """And no copy of it."""
    assert f"{{literalinclude}} ../../plugins/{'/'.join(SCRIPT.parts[-3:])}" in PAGE.read_text()
