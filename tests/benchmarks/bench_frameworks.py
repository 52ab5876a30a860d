"""Interlock beside Kedro, ZenML and MLflow: what it takes until ``--help``, and for a run.

A run is the work of plain_run.py on a year of census data. Kedro's is a node of a pipeline, which
records nothing; ZenML's a step in its local stack, which keeps metadata in SQLite; MLflow's a
script that logs parameters, metrics and its data to SQLite. Interlock's is ``interlock run --until
register``: recorded in its ledger, measured by group as well, and registered. Everything was
started before: the stores are there. One OpenMP thread each, no telemetry.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs
from timing import ROOT, Cost, Result, child_environment, copy_example, finish, in_turn, run_process

HERE = Path(__file__).parent
FRAMEWORKS = ROOT / "build" / "peers-frameworks" / "bin"
MLFLOW = ROOT / "build" / "mlflow-venv" / "bin"
ROUNDS = 7
HELP_ROUNDS = 11
ENVIRON = {
    "OMP_NUM_THREADS": "1",
    "DO_NOT_TRACK": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONPATH": str(HERE),
}


@attrs.frozen(kw_only=True)
class Framework:
    """A peer.

    Attributes:
        name: as its table has it.
        binaries: of its environment.
        distribution: whose version the table tells.
        help, run: how often our processor time it takes at least, for each.
    """

    name: str
    binaries: Path
    distribution: str
    help: float
    run: float


PEERS = (
    Framework(name="Kedro", binaries=FRAMEWORKS, distribution="kedro", help=5.0, run=1.0),
    Framework(name="ZenML", binaries=FRAMEWORKS, distribution="zenml", help=20.0, run=1.5),
    Framework(name="MLflow", binaries=MLFLOW, distribution="mlflow", help=20.0, run=1.0),
)

Command = tuple[list[str], Path, Mapping[str, str]]
"""Words, the folder to run them in, and variables."""


def runs(scratch: Path) -> dict[str, Command]:
    """How each does the work, once its project is made."""
    folder = scratch / "employment"
    copy_example(folder)
    model = str(scratch / "model.skops")
    ours = [_beside("interlock"), "run", "--until", "register", "--again"]

    project = scratch / "kedro"
    package = project / "src" / "employment"
    for made in (package, project / "conf" / "base", project / "conf" / "local"):
        made.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[tool.kedro]\npackage_name = "employment"\nproject_name = "employment"\n'
        f'kedro_init_version = "{_version(FRAMEWORKS, "kedro")}"\nsource_dir = "src"\n'
    )
    (project / "conf" / "base" / "catalog.yml").write_text("{}\n")
    (project / "conf" / "base" / "parameters.yml").write_text(f"model: {model}\n")
    for name in ("__init__.py", "settings.py"):
        (package / name).touch()
    shutil.copy(HERE / "frameworks_kedro.py", package / "pipeline_registry.py")
    (project / "data").symlink_to(folder / "data")

    # ZenML takes the code that is in its repository only.
    shutil.copy(HERE / "frameworks_zenml.py", folder)
    zenml = {"ZENML_CONFIG_PATH": str(scratch / "zenml")}
    run_process([str(FRAMEWORKS / "zenml"), "init"], cwd=folder, environ={**ENVIRON, **zenml})

    store = f"sqlite:///{scratch / 'mlflow.db'}"
    script = str(HERE / "tracked_run.py")
    return {
        "Interlock": (ours, folder, {}),
        "Kedro": ([str(FRAMEWORKS / "kedro"), "run"], project, {}),
        "ZenML": ([str(FRAMEWORKS / "python"), "frameworks_zenml.py", model], folder, zenml),
        "MLflow": ([str(MLFLOW / "python"), script, model, store], folder, {}),
    }


def measured(commands: Mapping[str, Command], rounds: int) -> dict[str, Cost]:
    """What each took, in turn."""
    calls = {
        name: partial(run_process, words, cwd=folder, environ={**ENVIRON, **more})
        for name, (words, folder, more) in commands.items()
    }
    return in_turn(calls, rounds=rounds)


def results(what: str, found: Mapping[str, Cost], bounds: Sequence[float]) -> Iterator[Result]:
    """What each peer took by what we took."""
    ours = found["Interlock"]
    for peer, bound in zip(PEERS, bounds, strict=True):
        theirs = found[peer.name]
        yield Result(
            name=f"{what}, {peer.name} by Interlock, CPU",
            value=theirs.cpu / ours.cpu,
            unit="x",
            bound=bound,
            least=True,
            medians=f"{ours.cpu:.2f} s, {theirs.cpu:.2f} s; "
            f"on the wall {ours.wall:.2f} s, {theirs.wall:.2f} s",
        )
        yield Result(
            name=f"{what}, {peer.name} by Interlock, memory",
            value=theirs.memory / ours.memory,
            unit="x",
            bound=None,
            medians=f"{ours.memory / 1e6:.0f} MB, {theirs.memory / 1e6:.0f} MB at most",
        )


def _beside(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _version(binaries: Path, distribution: str) -> str:
    asked = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    done = subprocess.run(
        [str(binaries / "python"), "-c", asked],
        env=child_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def main() -> None:
    """Measure whole processes of each, in turn."""
    for peer in PEERS:
        if not (peer.binaries / "python").exists():
            sys.exit(f"{peer.name} is not installed: make bench-frameworks makes its environment")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        commands = runs(folder)
        zenml = commands["ZenML"][2]
        helps: dict[str, Command] = {
            "Interlock": ([_beside("interlock"), "--help"], folder, {}),
            **{
                peer.name: ([str(peer.binaries / peer.distribution), "--help"], folder, zenml)
                for peer in PEERS
            },
        }
        helped = measured(helps, HELP_ROUNDS)
        ran = measured(commands, ROUNDS)
    finish(
        *results("--help", helped, [peer.help for peer in PEERS]),
        *results("the same training", ran, [peer.run for peer in PEERS]),
        versions={peer.distribution: _version(peer.binaries, peer.distribution) for peer in PEERS},
    )


if __name__ == "__main__":
    main()
