"""The public clients of Triton and KServe, unchanged, each in a process and environment of theirs.

`make test` makes that environment, build/clients-venv, from constraints-clients.txt.
"""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build" / "clients-venv" / "bin" / "python"
FEATURES = ["age", "income", "city"]

pytestmark = pytest.mark.real_backend


@pytest.mark.parametrize(
    ("library", "ways"),
    [
        ("triton", {"http, bytes", "http, json", "grpc"}),
        ("kserve", {"rest, lists", "rest, bytes", "grpc, lists", "grpc, bytes"}),
    ],
)
def test_public_clients_get_right_answers(serving, target, logistic, library, ways):
    """Health, metadata, two rows and a hundred, over both protocols: the model's own scores."""
    if not PYTHON.exists():
        pytest.fail("build/clients-venv is not there: `make test` makes it")
    model = logistic(1.0)
    with serving(target(1, model), grpc_port=0) as client:
        host, port = client.at
        script = ROOT / "tests" / "servers" / f"ask_with_{library}.py"
        asked = subprocess.run(
            [PYTHON, script, f"{host}:{port}", client.running._app.grpc],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert asked.returncode == 0, asked.stderr
        status, ready = client.get("/v2/health/ready")
    told = json.loads(asked.stdout)
    assert told.keys() == ways
    few = [model.score(age=40, income=30_000.0, city="Lowell"), model.score(age=20)]
    many = [model.score(age=row, income=100.0 * row, city="x" * (row % 7)) for row in range(100)]
    for way, said in told.items():
        assert said["up"] == [True, True, True], way
        assert said.get("inputs", FEATURES) == FEATURES, way
        assert said["few"] == pytest.approx(few), way
        assert said["many"] == pytest.approx(many), way
    assert status == 200
    assert (ready["traffic"][0]["refused"], ready["traffic"][0]["failed"]) == (0, 0)
