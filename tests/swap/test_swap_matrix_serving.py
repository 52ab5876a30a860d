"""Every server beside every watcher: what is found in traffic does not depend on who carries it."""

import itertools
from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from swap_project import found_by

pytestmark = pytest.mark.real_backend
SERVE = ("local", "acme")
WATCH = (["drift"], ["performance"], ["drift", "performance", "acme"])
TRAINED, SERVED = 1, 2
SETTINGS = """
[stack.dev.monitor-performance]
bounds = { accuracy = ">= 0.6" }
min_labelled = 20

[stack.dev.monitor-drift]
min_rows = 50
"""


@pytest.fixture
def watched(small, acme, rows):
    """A small project over periods, with a stack for each server and each set of watchers."""
    small.environ["PYTHONPATH"] = str(acme)
    small.edit("positive = 1", 'positive = 1\ntime = "period"')
    period = pa.array([TRAINED] * rows.num_rows)
    pq.write_table(rows.append_column("period", period), small.folder / "rows.parquet")
    pq.write_table(rows.select(["id", "y"]), small.folder / "labels.parquet")
    with (small.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
        for place, (serve, watch) in enumerate(itertools.product(SERVE, WATCH)):
            file.write(
                f'\n[stack.s{place}]\nextends = "dev"\ndeploy = "{serve}"\n'
                f'monitor = {watch}\nledger = "sqlite:///.interlock/s{place}.db"\n'
            )
    return small


def test_traffic_is_watched_alike_whoever_serves_it_and_whoever_else_watches(
    watched, rows, ask, until
):
    """One model, checks and verdicts; the same answers; and of each watcher the same findings."""
    sent = rows.drop_columns(["y"]).append_column("period", pa.array([SERVED] * rows.num_rows))
    sent = sent.set_column(1, "x", pc.multiply(sent["x"], 3.0))
    runs, answers, found = [], [], defaultdict(list)
    for place, (serve, watch) in enumerate(itertools.product(SERVE, WATCH)):
        stack = ("--stack", f"s{place}")
        watched("run", *stack, "--until", "deploy")
        runs.append(found_by(watched, f"s{place}"))
        (deployment,) = watched.listed("deployments", *stack)
        assert deployment["body"]["maker"]["plugin"] == f"deploy-{serve}"
        code, said = ask(deployment, sent)
        assert code == 200, said
        answers.append(said)
        watched("labels", "add", "labels.parquet", *stack)
        look = ("monitor", *stack, "--from", SERVED, "--to", SERVED + 1)
        # A server writes what it captured a little later than it answers.
        window = until(lambda look=look: of_all(watched.listed(*look, expect=None), rows))
        for maker in watch:
            found[maker].append(by(window, f"monitor-{maker}"))
        watched("undeploy", *stack)
    assert all(one == runs[0] for one in runs)
    assert all(one == answers[0] for one in answers)
    assert set(found) == set(itertools.chain(*WATCH))
    for maker, findings in found.items():
        assert any(value is not None for _, _, _, value, _, _ in findings[0]), maker
        assert all(one == findings[0] for one in findings), maker


def of_all(windows, rows):
    """The window once it has every row that was sent."""
    return next((one for one in windows if one["rows"] == rows.num_rows), None)


def by(window, maker):
    """What one plugin found in a window."""
    return [
        (one["name"], one["subject"], one["status"], one["value"], one["threshold"], one["n"])
        for one in window["findings"]
        if one["maker"]["plugin"] == maker
    ]
