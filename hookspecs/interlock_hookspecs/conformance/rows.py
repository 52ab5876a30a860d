"""Rows, tasks and a predictor of each kind, made from a seed: what the suites measure with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Field, Signature, Task, decide, kinds_of, score_columns

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = ("binary", "multiclass", "regression")
MARKER = "0161-hunter2-4960"
"""A value of a data row that no message and no error may repeat."""
FEATURES = ("x", "größe [cm]", "city", "phone")
_CLASSES: dict[str, tuple[int | str, ...]] = {"binary": (0, 1), "multiclass": ("a", "b", "c")}


def kinds(plugin: Any) -> tuple[str, ...]:
    """The kinds of task that a plugin serves, of those that work end to end."""
    served = kinds_of(type(plugin))
    return KINDS if served is None else tuple(kind for kind in KINDS if kind in served)


def task_of(kind: str = "binary", **changes: Any) -> Task:
    """A task over `rows_of`."""
    given = {"dataset": "conformance", "id": "id", "target": "y", "kind": kind, "min_group": 20}
    return Task(**{**given, "sensitive": ("sex",), **changes})


def rows_of(kind: str = "binary", n: int = 400, seed: int = 0) -> pa.Table:
    """Rows with an id, four features (nulls in two), a group and a target that ``x`` explains."""
    import numpy as np
    import pyarrow as pa

    draw = np.random.default_rng(seed)
    x = draw.normal(0, 1, n)
    noisy = x + draw.normal(0, 0.5, n)
    target: Any = noisy
    if kind == "binary":
        target = (noisy > 0).astype(int)
    elif kind == "multiclass":
        target = np.array(_CLASSES[kind])[np.digitize(noisy, [-0.5, 0.5])]
    missing = draw.random(n) < 0.1
    return pa.table(
        {
            "id": pa.array([f"row-{seed}-{place}" for place in range(n)], pa.string()),
            "x": pa.array(x, mask=missing),
            "größe [cm]": draw.integers(150, 200, n),
            "city": pa.array(draw.choice(["Lowell", "Salem", "Lynn"], n), mask=missing),
            "phone": pa.array([f"{MARKER}-{place}" for place in range(n)], pa.string()),
            "sex": draw.integers(1, 3, n),
            "y": target,
        }
    )


def stored_otherwise(rows: pa.Table) -> pa.Table:
    """The same logical table: in chunks, its text dictionary-encoded or with wide offsets."""
    import pyarrow as pa

    half = rows.num_rows // 2
    parted = pa.concat_tables([rows.slice(0, half), rows.slice(half)])
    encoded = parted["city"].dictionary_encode()
    parted = parted.set_column(parted.column_names.index("city"), "city", encoded)
    wide = parted["phone"].cast(pa.large_string())
    return parted.set_column(parted.column_names.index("phone"), "phone", wide)


class Answers:
    """A predictor that answers from ``x`` alone.

    Args:
        kind: of the task.
        sign: 1 for a model that is right more often than not, -1 for its opposite.
    """

    def __init__(self, kind: str = "binary", *, sign: float = 1.0) -> None:
        self._sign = sign
        classes = _CLASSES.get(kind, ())
        signature = Signature(
            kind=kind,
            inputs=(Field(name="x", type="double"),),
            outputs=(),
            classes=classes,
            positive=1 if kind == "binary" else None,
        )
        names = score_columns(signature) if classes else ("prediction",)
        self._signature = Signature(
            kind=kind,
            inputs=signature.inputs,
            outputs=tuple(Field(name=name, type="double", nullable=False) for name in names),
            classes=classes,
            positive=signature.positive,
        )

    @property
    def signature(self) -> Signature:
        """One input, and the outputs of the kind."""
        return self._signature

    def predict(self, rows: pa.Table) -> pa.Table:
        """The kind's outputs; a null counts as 0."""
        import numpy as np
        import pyarrow as pa

        x = self._sign * rows["x"].fill_null(0.0).to_numpy()
        if self._signature.kind == "regression":
            return pa.table({"prediction": x})
        if self._signature.kind == "binary":
            return pa.table({"score": 1 / (1 + np.exp(-2 * x))})
        weights = np.exp(np.column_stack([-x - 0.5, np.zeros_like(x), x - 0.5]))
        shares = weights / weights.sum(axis=1, keepdims=True)
        names = score_columns(self._signature)
        return pa.table({name: shares[:, place] for place, name in enumerate(names)})

    def answers(self, rows: pa.Table, threshold: float = 0.5) -> pa.Table:
        """The outputs with the answer beside them, as a server captures them."""
        return decide(self.predict(rows), self._signature, threshold)
