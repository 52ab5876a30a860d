"""An alias looked up among 100,000 versions: against 100, and against MLflow's own store.

On SQLite and on PostgreSQL. Both stores are filled by SQL: one version is registered through the
program itself and its rows are copied. MLflow's client runs in an environment of its own, opened
once, and takes turns with ours. The aliases are on versions far apart, looked up in turn.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postgres import server
from sqlalchemy import Engine, create_engine, inspect, make_url, text
from timing import ROOT, Cost, Result, child_environment, finish, interleaved, timed

from interlock_hookspecs import Artifact, Facts, Field, Model, Signature
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_registry_sql import SqlRegistry

FEW, MANY = 100, 100_000
LOOKUPS = 200
PAIRS = 9
GROWTH_BOUND, MLFLOW_BOUND = 1.5, 10.0
NAME = "employment"
ALIASES = ("champion", "challenger", "shadow", "canary")
MLFLOW = ROOT / "build" / "mlflow-venv" / "bin" / "python"


def engine_of(url: str) -> Engine:
    """What fills a store; psycopg serves PostgreSQL."""
    parsed = make_url(url)
    server = parsed.get_backend_name() == "postgresql"
    return create_engine(parsed.set(drivername="postgresql+psycopg") if server else parsed)


def copy_rows(engine: Engine, table: str, key: str, count: int, changed: dict[str, str]) -> None:
    """Give a name as many versions as asked, by copying the rows of its first."""
    columns = [column["name"] for column in inspect(engine).get_columns(table)]
    values = [changed.get(name, "n" if name == key else name) for name in columns]
    with engine.begin() as connection:
        connection.execute(
            text(
                "with recursive numbers(n) as (select 2 union all select n + 1 from numbers "  # noqa: S608  (names are ours)
                f"where n < {count}) insert into {table} ({', '.join(columns)}) "
                f"select {', '.join(values)} from {table}, numbers where {key} = 1"
            )
        )


def settled(engine: Engine) -> None:
    """Tell the planner what was copied."""
    with engine.begin() as connection:
        connection.execute(text("analyze"))
    engine.dispose()


def versions_of_aliases(count: int) -> dict[str, int]:
    """Which version each alias is on, spread over all of them."""
    return {word: (turn + 1) * count // len(ALIASES) for turn, word in enumerate(ALIASES)}


def sql_registry(url: str, count: int) -> SqlRegistry:
    """A registry of that many versions."""
    registry = SqlRegistry(url=url)
    signature = Signature(
        kind="binary", inputs=(Field(name="x", type="double"),), outputs=(), classes=(0, 1)
    )
    artifact = Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops")
    model = Model(format="skops", artifact=artifact, signature=signature)
    ws = LocalWorkspace(Path())
    registry.register_version(NAME, "version-1", model, Facts({"run": "run-1"}), ws)
    engine = engine_of(url)
    changed = {"id": "'version-' || n", "digest": "'digest-' || n"}
    copy_rows(engine, "registry_versions", "number", count, changed)
    for word, number in versions_of_aliases(count).items():
        registry.set_alias(NAME, word, None, str(number))
    settled(engine)
    return registry


class Peer:
    """MLflow's client on a store, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._heard("ready")

    def ask(self, line: str) -> str:
        """What it answers to a line."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._heard("")

    def _heard(self, expected: str) -> str:
        line = self._process.stdout.readline().strip()
        if not line or (expected and line != expected):
            sys.exit(f"MLflow's client ended; it said {line!r}")
        return line

    def look_up(self) -> Cost:
        """The cost of its lookups."""
        wall, cpu = map(float, self.ask(f"look {LOOKUPS} {' '.join(ALIASES)}").split())
        return Cost(wall, cpu)


@contextmanager
def mlflow_store(url: str, count: int) -> Iterator[Peer]:
    """MLflow's client on a store of that many versions."""
    script = str(Path(__file__).with_name("mlflow_lookups.py"))
    engine = engine_of(url)
    process = subprocess.Popen(
        [str(MLFLOW), script, engine.url.render_as_string(hide_password=False)],
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        peer = Peer(process)
        copy_rows(engine, "model_versions", "version", count, {})
        copy_rows(engine, "model_version_tags", "version", count, {})
        for word, number in versions_of_aliases(count).items():
            peer.ask(f"alias {word} {number}")
        settled(engine)
        yield peer
    finally:
        process.kill()
        process.wait()


def look_up(registry: SqlRegistry) -> Cost:
    """The cost of our lookups."""
    words = [f"@{word}" for word in ALIASES] * (LOOKUPS // len(ALIASES))
    return timed(lambda: [registry.get_version(NAME, word) for word in words])


def measured(database: str, few: str, many: str, mlflow: str) -> Iterator[Result]:
    """Both ratios on one kind of database, whose three stores are at these URLs."""
    small, large = sql_registry(few, FEW), sql_registry(many, MANY)
    grown, base = interleaved(lambda: look_up(large), lambda: look_up(small), pairs=PAIRS)
    with mlflow_store(mlflow, MANY) as peer:
        ours, theirs = interleaved(lambda: look_up(large), peer.look_up, pairs=PAIRS)
    each = 1000 / LOOKUPS
    yield Result(
        name=f"{database}: alias lookup, {MANY:,} versions against {FEW}",
        value=grown.wall / base.wall,
        unit="x",
        bound=GROWTH_BOUND,
        medians=f"{grown.wall * each:.3f} ms, {base.wall * each:.3f} ms",
    )
    yield Result(
        name=f"{database}: alias lookup, faster than MLflow's client on {MANY:,} versions",
        value=theirs.wall / ours.wall,
        unit="x",
        bound=MLFLOW_BOUND,
        least=True,
        medians=f"{ours.wall * each:.3f} ms, {theirs.wall * each:.3f} ms",
    )


def main() -> None:
    """Measure and end non-zero where a bound is missed."""
    if not MLFLOW.is_file():
        sys.exit("MLflow's environment is missing: make bench-registry makes it")
    stores = ("few", "many", "mlflow")
    with tempfile.TemporaryDirectory() as made:
        sqlite = [*measured("SQLite", *(f"sqlite:///{made}/{word}.db" for word in stores))]
    with server() as address:
        engine = engine_of(address)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for word in stores:
                connection.execute(text(f"create database {word}"))
        engine.dispose()
        urls = [
            make_url(address).set(database=word).render_as_string(hide_password=False)
            for word in stores
        ]
        postgresql = [*measured("PostgreSQL", *urls)]
    finish(*sqlite, *postgresql)


if __name__ == "__main__":
    main()
