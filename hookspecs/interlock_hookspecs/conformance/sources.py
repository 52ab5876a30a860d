"""Rows to be read, plain and hard ones, and the files that they are put into."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Dataset, Task, Workspace, logical_type
from interlock_hookspecs.conformance.rows import MARKER
from interlock_hookspecs.conformance.suite import ask
from interlock_hookspecs.conformance.workspace import LocalWorkspace

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet", ".arrow", ".csv", ".jsonl")
"""Of the files that the suite writes for a plugin, in the order in which it is offered them."""

NAMES = (
    "größe [cm]",
    "A\u0308rger",
    "Ärger",
    "case",
    "Case",
    "a,b;c\td",
    'the "quoted" one',
    "it's",
    "two\nlines",
    " padded ",
    "a.b",
    "SELECT",
    "__index_level_0__",
    "None",
    "0",
    "✓" * 200,
)
"""Names of columns that differ, and stay as they are."""

TEXTS = (
    "",
    " ",
    "NA",
    "null",
    "NaN",
    "None",
    "true",
    "007",
    "-0",
    "1e5",
    "2018-01-01",
    "a,b;c\td",
    'the "quoted" one',
    '""',
    "it's",
    "two\nlines",
    "back\\slash",
    "=1+1",
    "Ärger",
    "A\u0308rger",
    "مرحبا\u202e✓",
    "x" * 10_000,
)
"""Texts that are neither null, nor numbers, nor dates, nor each other."""

_GROUP = 16_384
_EARLY = datetime(1899, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_LATE = datetime(2400, 2, 29, tzinfo=UTC)


def source_rows(n: int = 40, seed: int = 0) -> pa.Table:
    """Rows with an id, a column of every plain type, nulls in most, and a target."""
    import numpy as np
    import pyarrow as pa

    draw = np.random.default_rng(seed)
    missing = draw.random(n) < 0.2
    seconds = draw.integers(0, 10**9, n) * 1_000_000
    cities = draw.choice(["Lowell", "Zürich", "02139", ""], n)
    return pa.table(
        {
            "id": pa.array([f"row-{seed}-{place}" for place in range(n)], pa.string()),
            "x": pa.array(draw.normal(0, 1, n), mask=missing),
            "größe [cm]": pa.array(draw.integers(150, 200, n), mask=~missing),
            "city": pa.array(cities.tolist(), pa.string(), mask=missing),
            "phone": pa.array([f"{MARKER}-{place}" for place in range(n)], pa.string()),
            "member": pa.array(draw.random(n) < 0.5, mask=missing),
            "at": pa.array(seconds + 1, pa.timestamp("us", "UTC")),
            "y": draw.integers(0, 2, n),
        }
    )


def hard_rows() -> dict[str, pa.Table]:
    """Tables that are valid and seldom seen, by what is hard about each."""
    import pyarrow as pa

    utc = pa.timestamp("us", "UTC")
    whole = [0, -1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
    real = [0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, -1 / 3]
    times = [_EARLY, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), _LATE]
    return {
        "hostile names": pa.table({name: [place] for place, name in enumerate(NAMES)}),
        "hostile texts": pa.table({"place": range(len(TEXTS)), "text": list(TEXTS)}),
        "extreme numbers": pa.table({"whole": whole, "real": real}),
        "extreme times": pa.table({"place": range(len(times)), "at": pa.array(times, utc)}),
        "a column of nulls": pa.table({"x": [1, 2], "text": pa.array([None, None], pa.string())}),
        "equal rows": pa.table({"flag": [True, True, False, True], "x": [1, 1, 2, 1]}),
        "one row": source_rows(1),
        "two hundred columns": pa.table({f"column {place}": [1, None] for place in range(200)}),
    }


def long_rows(n: int) -> pa.Table:
    """Rows of 128 bytes, no two alike."""
    import numpy as np
    import pyarrow as pa

    digits = np.random.default_rng(0).bytes(n * 60).hex()
    texts = [digits[start : start + 120] for start in range(0, n * 120, 120)]
    return pa.table({"place": range(n), "text": texts})


def types_of(rows: pa.Table) -> dict[str, str]:
    """The logical types of a table, as ``[task.types]`` states them."""
    return {field.name: logical_type(field.type) for field in rows.schema}


def task_for(source: str, rows: pa.Table, **changes: Any) -> Task:
    """A task over rows behind a source, with all their types stated."""
    return Task(**{"dataset": source, "types": types_of(rows), **changes})


def write_rows(rows: pa.Table, path: Path) -> None:
    """Write rows as the file that the path's ending names."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(rows, path, row_group_size=_GROUP)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, rows.schema) as writer:
            writer.write_table(rows)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(rows, path)
    else:
        with path.open("w", encoding="utf-8", newline="\n") as lines:
            for row in rows.to_pylist():
                lines.write(json.dumps(row, ensure_ascii=False, default=_written) + "\n")


def _written(value: datetime) -> str:
    """A time as JSON has none: in UTC with a Z, or without a zone where it has none."""
    text = value.replace(tzinfo=None).isoformat(timespec="microseconds")
    return text if value.tzinfo is None else text + "Z"


def described(plugin: Any, source: str, task: Task) -> Dataset:
    """What a plugin says of a source of its own."""
    dataset = ask(plugin, "load_dataset", source=source, task=task)
    assert dataset is not None, f"{Path(source).name} is answered with None, and was put there"
    return dataset  # type: ignore[no-any-return]  # `ask` holds it to the contract's type


def fixed(plugin: Any, source: str, task: Task, ws: Workspace) -> Dataset:
    """A source's snapshot."""
    dataset = described(plugin, source, task)
    done = ask(plugin, "snapshot_dataset", dataset=dataset, ws=ws)
    assert done is not None, "snapshot_dataset answers None to the plugin's own dataset"
    return done  # type: ignore[no-any-return]  # `ask` holds it to the contract's type


def rows_behind(dataset: Dataset, ws: Workspace) -> pa.Table:
    """The rows of a snapshot's artifact."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert dataset.artifact is not None, "a snapshot has no artifact"
    assert not dataset.artifact.folder, "the artifact is a folder, not one Parquet file"
    path = ws.locate(dataset.artifact)
    try:
        return pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise AssertionError("the artifact is no Parquet file") from error


def identity(plugin: Any, source: str, task: Task, folder: Path) -> tuple[str | None, str | None]:
    """The digests of a source's rows and of the artifact, by another process for one."""
    done = fixed(plugin, source, task, LocalWorkspace(folder))
    return done.digest, done.artifact.digest if done.artifact else None


def held(plugin: Any, source: str, task: Task, folder: Path) -> int:
    """The most bytes that Arrow held in this process, once it has fixed a source."""
    import pyarrow as pa

    fixed(plugin, source, task, LocalWorkspace(folder))
    return int(pa.default_memory_pool().max_memory())
