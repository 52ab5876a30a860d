"""train-command keeps every promise of a trainer, whatever the format that its command writes.

A script that fits with scikit-learn spends two seconds on imports, and the suite runs a hundred
fits: the whole of it is asked of a script that needs Parquet alone, and what depends on
scikit-learn of `interlock_train_command.example`. It reads its one file as one: `read_table`
imports what a folder of files needs, and pandas, which takes twice as long as all else.
"""

import json

import attrs
import pytest

from interlock_hookspecs import InvalidInput, Model, hookimpl, plugin, score_columns
from interlock_hookspecs.conformance.train import TrainSuite
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_train_command import CommandTrainer
from interlock_train_command.conformance import SCRIPT as EXAMPLE

SCRIPT = """\
import json, pathlib, sys
import pyarrow.parquet as pq

rows, task, output = map(pathlib.Path, sys.argv[1:])
task = json.loads(task.read_text())
with pq.ParquetFile(rows) as file:
    target = file.read(columns=[task["target"]])[task["target"]].to_pylist()
if task["kind"] == "regression":
    fitted = [sum(target) / len(target)]
else:
    fitted = [target.count(label) / len(target) for label in task["classes"]]
(output / "model.json").write_text(json.dumps(fitted))
(output / "metrics.json").write_text(json.dumps({"share": fitted[0], "folds": [0.5, 1]}))
"""


@attrs.frozen
class Constant:
    """One answer for every row."""

    signature: object
    fitted: list

    def predict(self, rows):
        import pyarrow as pa

        missing = {field.name for field in self.signature.inputs} - set(rows.column_names)
        if missing:
            raise InvalidInput(f"the column {min(missing)!r} is missing")
        kind, classes = self.signature.kind, self.signature.classes
        if kind == "regression":
            return pa.table({"prediction": pa.repeat(self.fitted[0], rows.num_rows)})
        wanted = [self.signature.positive] if kind == "binary" else classes
        answers = [self.fitted[classes.index(label)] for label in wanted]
        columns = [pa.repeat(answer, rows.num_rows) for answer in answers]
        return pa.Table.from_arrays(columns, names=list(score_columns(self.signature)))


@plugin(contract="1.0")
class Constants:
    """A list of numbers as JSON."""

    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002  (the contract's word)
        path = ws.scratch() / "model.json"
        path.write_text(json.dumps(fitted), encoding="utf-8")
        return Model(format=format, artifact=ws.keep(path), signature=signature)

    @hookimpl
    def open_model(self, model, ws):
        return Constant(model.signature, json.loads(ws.locate(model.artifact).read_text()))


class Workspace(LocalWorkspace):
    """Opens that format, in another process too."""

    def __init__(self, folder, *, openers=None):
        super().__init__(folder, openers=openers or {"constants": Constants()})


@pytest.mark.real_backend
class TestCommandTrainer(TrainSuite):
    """Every promise, of a script that is read from a file and started anew for each fit."""

    @pytest.fixture
    def ws(self, tmp_path):
        return Workspace(tmp_path / "workspace")

    @pytest.fixture
    def plugin(self, tmp_path):
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        (project / "train.py").write_text(SCRIPT, encoding="utf-8")
        command = ("{python}", "train.py", "{rows}", "{task}", "{output}")
        return CommandTrainer(command=command, format="constants", root=project)


@pytest.mark.real_backend
def test_the_example_fits_each_kind_and_the_same_model_again(tmp_path):
    """A skops file holds the time of its writing; the candidates of two fits are one model."""
    from interlock_hookspecs.conformance.rows import rows_of, task_of

    trainer = CommandTrainer(command=("{python}", str(EXAMPLE)), root=tmp_path)
    ws = LocalWorkspace(tmp_path / "workspace")
    for kind in ("binary", "multiclass", "regression"):
        rows, task = rows_of(kind), task_of(kind, exclude=("phone",))
        one, other = (trainer.fit_candidate(rows, task, ws) for _ in range(2))
        assert one.model.digest == other.model.digest
        assert one.model.requirements
        assert one.scores[0].name == ("r2" if kind == "regression" else "accuracy")
        assert len(one.scores[0].folds) == 3
