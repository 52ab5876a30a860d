"""deploy-local with real models, against the floor: raw ASGI on uvicorn, orjson, a null model.

All are asked by one client on one machine, in turn. A request is one tensor of all features in
JSON, or named columns, of which half hold texts where they are mixed; ours checks every value and
captures every answer, the floor reads the JSON and answers a constant. The peers serve the same
logistic regression from environments of theirs, as scikit-learn fitted it, each in one process: see
serving_processes.py for how each is started.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

import attrs
from serving_client import Load, ask
from serving_processes import PEERS, OwnServer, PeerServer, peer_versions, started
from serving_requests import BODIES, http
from timing import Result, finish

ROUNDS = 7
SECONDS = 0.4
HELD = 16
HELD_SECONDS = 1.0
"""For the connections whose rates have bounds: as long as captures wait to be written, so that each
turn has its share of that."""
SHAPES = tuple((rows, connections) for rows in (1, 100) for connections in (1, 16, 64))


@attrs.frozen(kw_only=True)
class Arm:
    """A server, and how it is asked.

    Attributes:
        server: the arguments of ``serving_servers.py``, or a word of `PEERS`; two arms of the same
            share a process.
        body: a word of `serving_requests.BODIES`.
        shapes: numbers of rows and connections.
    """

    server: tuple[str, ...]
    body: str = "tensor"
    shapes: tuple[tuple[int, int], ...] = SHAPES


FEW = ((1, 16), (100, 16))
PEER_ARMS = {
    "MLServer": "mlserver",
    "mlflow models serve": "mlflow",
    "BentoML": "bentoml",
    "LitServe": "litserve",
    "KServe's Python server": "kserve",
    "FastAPI by hand": "fastapi",
}
ARMS = {
    "floor": Arm(server=("floor",)),
    "logistic": Arm(server=("logistic", "on")),
    "boosting": Arm(server=("boosting", "on")),
    "logistic without capture": Arm(server=("logistic", "off"), shapes=FEW),
    "logistic, binary": Arm(server=("logistic", "on"), body="binary", shapes=FEW),
    "logistic, binary, without capture": Arm(server=("logistic", "off"), body="binary", shapes=FEW),
    "logistic, 5 % to a canary": Arm(server=("logistic", "canary"), shapes=FEW),
    "forest": Arm(server=("forest", "on"), shapes=FEW),
    **{name: Arm(server=(word,), body=PEERS[word].body) for name, word in PEER_ARMS.items()},
    "floor, named": Arm(server=("floor",), body="named", shapes=FEW),
    "logistic, named": Arm(server=("logistic", "on"), body="named", shapes=FEW),
    "floor, mixed": Arm(server=("floor",), body="mixed", shapes=FEW),
    "logistic, mixed": Arm(server=("mixed", "on"), body="mixed", shapes=FEW),
}
BOUNDS = (
    ("logistic", "floor", 1, 0.7),
    ("forest", "floor", 1, None),
    ("boosting", "floor", 1, 0.5),
    ("logistic, named", "floor, named", 1, 0.7),
    ("logistic, mixed", "floor, mixed", 1, None),
    ("logistic", "logistic without capture", 1, 0.9),
    ("logistic, 5 % to a canary", "logistic", 1, 0.95),
    ("logistic, binary", "logistic", 100, 3.0),
    ("logistic, binary, without capture", "logistic without capture", 100, None),
    ("logistic", "MLServer", 1, 10.0),
    ("logistic", "mlflow models serve", 1, 20.0),
    ("logistic", "BentoML", 1, None),
    ("logistic", "LitServe", 1, None),
    ("logistic", "KServe's Python server", 1, None),
    ("logistic", "FastAPI by hand", 1, None),
)
"""An arm, another, rows, and what the first one's rate is at least, by the other's, at c = 16."""

Found = dict[tuple[str, int, int], list[Load]]


def measure(servers: Mapping[tuple[str, ...], OwnServer | PeerServer]) -> Found:
    """What each arm did, in turn, for each number of rows and of connections."""
    found: Found = {}
    for shape in SHAPES:
        rows, connections = shape
        arms = {name: arm for name, arm in ARMS.items() if shape in arm.shapes}
        for turn in range(1 + ROUNDS):
            for name, arm in arms.items():
                server = servers[arm.server]
                server.resume()
                load = ask(
                    server.port,
                    server.pid,
                    http(*BODIES[arm.body](rows)),
                    connections=connections,
                    seconds=HELD_SECONDS if connections == HELD else SECONDS,
                )
                server.pause()
                if turn:  # the first warms up
                    found.setdefault((name, *shape), []).append(load)
    return found


def ratio(ours: list[Load], theirs: list[Load], what: str) -> float:
    """The median of the ratios of neighbours: what else the machine did met both."""
    return statistics.median(
        getattr(mine, what) / getattr(other, what) for mine, other in zip(ours, theirs, strict=True)
    )


def told(loads: list[Load]) -> str:
    """The medians, for a person."""
    p50, p99, cpu = (
        statistics.median(getattr(load, what) for load in loads) for what in ("p50", "p99", "cpu")
    )
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {cpu:,.0f} us CPU"


def results(found: Found) -> list[Result]:
    """What is held against bounds, then each cell of the table."""
    made = []
    for name, other, rows, bound in BOUNDS:
        ours, theirs = found[name, rows, HELD], found[other, rows, HELD]
        made.append(
            Result(
                name=f"served, {rows} row{'s' * (rows > 1)}, c = {HELD}: {name} by {other}",
                value=ratio(ours, theirs, "rate"),
                unit="x",
                bound=bound,
                least=True,
                medians=f"{ratio(theirs, ours, 'cpu'):.2f} x by CPU",
            )
        )
    for name, arm in ARMS.items():
        for rows, connections in arm.shapes:
            loads = found[name, rows, connections]
            made.append(
                Result(
                    name=f"served, {rows} row{'s' * (rows > 1)}, c = {connections}: {name}",
                    value=statistics.median(load.rate for load in loads),
                    unit="/s",
                    bound=None,
                    medians=told(loads),
                )
            )
    return made


def main() -> None:
    """Start the servers, measure them in turn, and hold what was found against the bounds."""
    with tempfile.TemporaryDirectory() as folder:
        servers: dict[tuple[str, ...], OwnServer | PeerServer] = {}
        try:
            for number, arguments in enumerate(dict.fromkeys(arm.server for arm in ARMS.values())):
                place = Path(folder) / str(number)
                place.mkdir()
                servers[arguments] = started(arguments, place)
            for server in servers.values():
                server.wait()
                server.pause()
            found = measure(servers)
        finally:
            for server in servers.values():
                server.close()
    finish(*results(found), versions=peer_versions())


if __name__ == "__main__":
    main()
