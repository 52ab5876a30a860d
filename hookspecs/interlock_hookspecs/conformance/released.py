"""What the deploy suite deploys: released models whose answers tell which of them answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Artifact,
    Endpoint,
    Field,
    InvalidInput,
    Model,
    Release,
    Signature,
    Target,
)

if TYPE_CHECKING:
    import pyarrow as pa

ENDPOINT = Endpoint(name="employment", project="labour", stack="dev")
SIGNATURE = Signature(
    kind="binary",
    inputs=(
        Field(name="x", type="double", nullable=True),
        Field(name="word", type="string", nullable=True),
    ),
    outputs=(Field(name="score", type="double", nullable=False),),
    classes=("no", "yes"),
    positive="yes",
    id=Field(name="person", type="int64"),
    time=Field(name="year", type="int64"),
)
FAILS = -13.0
"""The value of x at which a model fails."""
BROKEN = 9
"""The number of a release whose model always fails."""


def _unheard() -> None:
    pass


@attrs.frozen
class Share:
    """A model whose scores tell both its release and the row.

    Attributes:
        number: of the release.
        seconds: how long it takes.
        begins: called when it is asked.
    """

    number: int
    seconds: float = 0.0
    signature: Signature = SIGNATURE
    begins: Callable[[], None] = attrs.field(default=_unheard, eq=False, repr=False)

    def predict(self, rows: pa.Table) -> pa.Table:
        """The score of each row; the model of release `BROKEN` fails, and any at `FAILS`."""
        import pyarrow as pa

        self.begins()
        time.sleep(self.seconds)
        for field in self.signature.inputs:
            if field.name not in rows.column_names:
                raise InvalidInput(f"the column {field.name!r} is missing")
        values = rows["x"].to_pylist()
        if self.number == BROKEN or FAILS in values:
            raise ZeroDivisionError("the model divides by zero")
        return pa.table({"score": scores_of(self.number, values)})


def scores_of(number: int, values: Sequence[float | None]) -> list[float]:
    """What the model of a release says of rows whose x is this."""
    return [number / 10 + (value or 0.0) / 1000 for value in values]


def target_of(
    number: int,
    *,
    endpoint: Endpoint = ENDPOINT,
    weight: float = 1.0,
    mirror: bool = False,
    model: Model | None = None,
) -> Target:
    """A released model: the threshold of an odd release is 0.5, of an even one 0.05."""
    if model is None:
        artifact = Artifact(digest="sha256:" + f"{number:064x}", size=1, name="model.txt")
        model = Model(format="share", artifact=artifact, signature=SIGNATURE)
    digest = model.digest
    release = Release(
        id=f"release-{number}",
        run="run-1",
        project=endpoint.project,
        stack=endpoint.stack,
        endpoint=endpoint.name,
        model=digest,
        dossier=digest,
        threshold=0.5 if number % 2 else 0.05,
        number=str(number),
        at=datetime(2026, 1, number, tzinfo=UTC),
    )
    return Target(release=release, model=model, weight=weight, mirror=mirror)


def rows_of(values: Sequence[float | None], **columns: Sequence[Any]) -> pa.Table:
    """Rows as a client sends them, with further columns."""
    import pyarrow as pa

    return pa.table(
        {
            "x": pa.array(values, pa.float64()),
            "word": pa.array(["a"] * len(values), pa.string()),
            **columns,
        }
    )
