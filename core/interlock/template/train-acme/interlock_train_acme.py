"""A trainer, and the format that its models are written in: replace both by your library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Candidate,
    Facts,
    Field,
    InvalidInput,
    Model,
    Predictor,
    Signature,
    Task,
    Unsupported,
    Workspace,
    fields_of,
    hookimpl,
    plugin,
    score_columns,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "acme-shares"


@plugin(contract="1.0", kinds=("binary", "multiclass"))
class AcmeTrainer:
    """Learns how often each class occurs, and answers that for every row."""

    smoothing: float = setting(
        1.0,
        doc="rows of each class that are imagined beside those that there are",
        validator=attrs.validators.ge(0.0),
    )

    @hookimpl
    def fit_candidate(self, rows: pa.Table, task: Task, ws: Workspace) -> Candidate:
        import pyarrow.compute as pc

        if task.target is None or task.target not in rows.column_names:
            raise InvalidInput(f"there is no column {task.target!r}: set [task] target")
        if not task.features(rows.column_names):
            raise InvalidInput("no column is left as a feature")
        counts = {
            item["values"]: item["counts"]
            for item in pc.value_counts(rows[task.target].drop_null()).to_pylist()
        }
        if len(counts) <= 1:
            raise InvalidInput(f"{task.target} has {len(counts)} classes: nothing can be learnt")
        classes = tuple(sorted(counts))
        others = [label for label in classes if label != task.positive]
        if task.kind == "binary" and not len(others) == 1 == len(classes) - 1:
            raise InvalidInput(f"{task.target} is not {task.positive!r} or one other value")
        total = sum(counts.values()) + self.smoothing * len(classes)
        shares = [(counts[label] + self.smoothing) / total for label in classes]
        signature = signature_of(rows, task, classes)
        return Candidate(
            model=ws.write_model(FORMAT, shares, signature),
            estimator="interlock_train_acme.AcmeTrainer",
            parameters=Facts({"smoothing": self.smoothing}),
            rows=rows.num_rows,
            seed=task.seed,
        )


@plugin(contract="1.0")
class AcmeFormat:
    """Writes the shares of the classes as JSON, and opens them again."""

    @hookimpl
    def write_model(
        self,
        format: str,  # noqa: A002  (the contract's own word)
        fitted: Any,
        signature: Signature,
        ws: Workspace,
    ) -> Model:
        if not isinstance(fitted, list):
            raise Unsupported(f"{type(fitted).__name__} is no model of the format {format}")
        path = ws.scratch() / "model.json"
        path.write_text(json.dumps(fitted), encoding="utf-8")
        return Model(format=format, artifact=ws.keep(path), signature=signature)

    @hookimpl
    def open_model(self, model: Model, ws: Workspace) -> Predictor:
        try:
            shares = json.loads(ws.locate(model.artifact).read_text(encoding="utf-8"))
            return Shares(signature=model.signature, shares=tuple(map(float, shares)))
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{model.artifact.name} holds no list of shares") from error


@attrs.frozen(kw_only=True)
class Shares:
    """The same scores for every row."""

    signature: Signature
    shares: tuple[float, ...]

    def predict(self, rows: pa.Table) -> pa.Table:
        """As many rows, with the outputs of the signature."""
        import pyarrow as pa

        missing = {field.name for field in self.signature.inputs} - set(rows.column_names)
        if missing:
            raise InvalidInput(f"the column {min(missing)!r} is missing")
        scores = dict(zip(self.signature.classes, self.shares, strict=True))
        wanted: list[Any] = (
            [self.signature.positive] if self.signature.kind == "binary" else list(scores)
        )
        columns = zip(score_columns(self.signature), wanted, strict=True)
        return pa.table({name: pa.repeat(scores[label], rows.num_rows) for name, label in columns})


def signature_of(rows: pa.Table, task: Task, classes: tuple[Any, ...]) -> Signature:
    """The features as inputs, a score for each class as outputs."""
    columns = {field.name: field for field in fields_of(rows)}
    binary = task.kind == "binary"
    names = ("score",) if binary else tuple(f"score[{label}]" for label in classes)
    return Signature(
        kind=task.kind,
        inputs=tuple(columns[name] for name in task.features(rows.column_names)),
        outputs=tuple(Field(name=name, type="double", nullable=False) for name in names),
        classes=classes,
        positive=task.positive if binary else None,
        id=columns.get(task.id or ""),
        time=columns.get(task.time or ""),
    )
