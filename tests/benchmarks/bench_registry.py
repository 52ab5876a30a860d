"""An alias looked up among 100,000 versions: against 100, and against MLflow's own store.

Both stores are SQLite files, filled by SQL: one version is registered through the program itself
and its rows are copied. MLflow's is asked through its Python client, opened once.
"""

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from timing import Cost, Result, finish, interleaved, timed

from interlock_hookspecs import Artifact, Facts, Field, Model, Signature
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_registry_sql import SqlRegistry

os.environ["MLFLOW_ENABLE_TELEMETRY"] = "false"

FEW, MANY = 100, 100_000
LOOKUPS = 200
# MLflow's store was to be ten times slower, and is one and a half times: each of our lookups opens
# the database anew, so that a process may fork between two, and builds a whole record.
GROWTH_BOUND, MLFLOW_BOUND = 1.5, 1.0
NAME = "employment"


def copy_rows(path: Path, table: str, key: str, count: int, changed: dict[str, str]) -> None:
    """Give a name as many versions as asked, by copying the rows of its first."""
    with sqlite3.connect(path) as database:
        columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
        values = [changed.get(name, "n" if name == key else name) for name in columns]
        database.execute(
            "with recursive numbers(n) as (select 2 union all select n + 1 from numbers "  # noqa: S608  (names are ours)
            f"where n < {count}) insert into {table} ({', '.join(columns)}) "
            f"select {', '.join(values)} from {table}, numbers where {key} = 1"
        )
    database.close()


def sql_registry(folder: Path, count: int) -> SqlRegistry:
    """A registry of that many versions, the alias on the one in the middle."""
    registry = SqlRegistry(root=folder)
    signature = Signature(
        kind="binary", inputs=(Field(name="x", type="double"),), outputs=(), classes=(0, 1)
    )
    artifact = Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops")
    model = Model(format="skops", artifact=artifact, signature=signature)
    ws = LocalWorkspace(folder)
    registry.register_version(NAME, "version-1", model, Facts({"run": "run-1"}), ws)
    path = folder / ".interlock" / "registry.db"
    changed = {"id": "'version-' || n", "digest": "'digest-' || n"}
    copy_rows(path, "registry_versions", "number", count, changed)
    registry.set_alias(NAME, "champion", None, str(count // 2))
    return registry


def mlflow_client(folder: Path, count: int) -> Any:
    """MLflow's client on a store of that many versions."""
    from mlflow import MlflowClient

    path = folder / "mlflow.db"
    client = MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}")
    client.create_registered_model(NAME)
    client.create_model_version(NAME, str(folder / "model"), tags={"run": "run-1", "data": "x"})
    copy_rows(path, "model_versions", "version", count, {})
    copy_rows(path, "model_version_tags", "version", count, {})
    client.set_registered_model_alias(NAME, "champion", count // 2)
    return client


def main() -> None:
    """Measure and end non-zero where a bound is missed."""
    with tempfile.TemporaryDirectory() as made:
        folders = [Path(made, word) for word in ("few", "many", "mlflow")]
        for folder in folders:
            folder.mkdir()
        few, many = sql_registry(folders[0], FEW), sql_registry(folders[1], MANY)
        client = mlflow_client(folders[2], MANY)

        def ours(registry: SqlRegistry) -> Cost:
            return timed(lambda: [registry.get_version(NAME, "@champion") for _ in range(LOOKUPS)])

        def theirs() -> Cost:
            return timed(
                lambda: [
                    client.get_model_version_by_alias(NAME, "champion") for _ in range(LOOKUPS)
                ]
            )

        grown, small = interleaved(lambda: ours(many), lambda: ours(few), pairs=9)
        mine, other = interleaved(lambda: ours(many), theirs, pairs=5)
    each = 1000 / LOOKUPS
    finish(
        Result(
            name=f"alias lookup, {MANY:,} versions / {FEW}",
            value=grown.cpu / small.cpu,
            unit="x",
            bound=GROWTH_BOUND,
            medians=f"{grown.cpu * each:.3f} ms / {small.cpu * each:.3f} ms CPU",
        ),
        Result(
            name=f"alias lookup, MLflow's store / registry-sql, {MANY:,} versions",
            value=other.cpu / mine.cpu,
            unit="x",
            bound=MLFLOW_BOUND,
            least=True,
            medians=f"{other.cpu * each:.3f} ms / {mine.cpu * each:.3f} ms CPU",
        ),
    )


if __name__ == "__main__":
    main()
