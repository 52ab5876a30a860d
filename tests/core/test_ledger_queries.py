"""What is asked of a ledger is answered through an index, newest first, page by page."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from interlock.errors import LedgerError
from interlock.ids import new_id, short
from interlock.ledger import Entry

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
QUESTIONS = [
    lambda reads: reads.runs(),
    lambda reads: reads.runs("employment"),
    lambda reads: reads.runs("employment", before="run-z"),
    lambda reads: reads.runs("employment", since=datetime(2026, 1, 1, tzinfo=UTC)),
    *(
        lambda reads, filter_=filter_: reads.runs("employment", **filter_)
        for filter_ in ({"status": "done"}, {"stack": "dev"}, {"actor": "ana"}, {"model": DIGEST})
    ),
    lambda reads: reads.runs(status="done"),
    lambda reads: reads.run("run-1"),
    lambda reads: reads.stages("run-1"),
    lambda reads: reads.finished_stage("run-1", "data"),
    lambda reads: reads.stage_by_inputs("employment", "data", DIGEST),
    lambda reads: reads.checks("run-1", "model"),
    lambda reads: reads.profiles("run-1"),
    lambda reads: reads.versions("employment"),
    lambda reads: reads.intended_version("run-1"),
    lambda reads: reads.alias("employment", "employment", "champion"),
    lambda reads: reads.latest_review("run-1"),
    lambda reads: reads.verdicts("run-1"),
    lambda reads: reads.approvals("employment", dossier=DIGEST, limit=None),
    lambda reads: reads.releases("employment", dossier=DIGEST),
    lambda reads: reads.release("release-1"),
    lambda reads: reads.champion("employment", "dev", "employment"),
    lambda reads: reads.deployments("employment"),
    lambda reads: reads.deployment("deployment-1"),
    lambda reads: reads.labels("employment", limit=None),
    lambda reads: reads.windows("employment"),
    lambda reads: reads.window_by_key("employment", DIGEST),
    lambda reads: reads.findings("employment", status="alert"),
    lambda reads: reads.events("employment"),
    *(
        lambda reads, filter_=filter_: reads.events("employment", after=3, **filter_)
        for filter_ in ({}, {"kind": "run.started"}, {"subject": "run-1"}, {"run": "run-1"})
    ),
    lambda reads: reads.event("event-1"),
    lambda reads: reads.find("run-1"),
    lambda reads: reads.find("aaaa", project="employment"),
]


@pytest.mark.parametrize("ask", QUESTIONS, ids=range(len(QUESTIONS)))
def test_every_question_is_answered_through_an_index(open_ledger, live, ask):
    """No plan reads a whole table (but the few heads) or sorts what it found."""
    ledger, asked = open_ledger(), []
    live(ledger)

    @event.listens_for(ledger.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    try:
        ask(ledger.reads)
    except LedgerError:
        assert asked
    event.remove(ledger.engine, "before_cursor_execute", note)
    assert asked
    with ledger.engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[-1] for row in plan if "heads" not in row[-1]]
            assert all("USING" in step and "INDEX" in step for step in steps), steps
            assert not any("TEMP B-TREE" in step for step in steps), steps


@pytest.mark.parametrize("column", ["status", "actor"])
def test_a_filter_within_a_stack_has_an_index_of_both(open_ledger, column):
    """Twenty refused runs among 100,000 of a stack are found without reading the others."""
    ledger = open_ledger()
    with ledger.engine.connect() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM runs "
            f"WHERE project = 'p' AND stack = 'dev' AND {column} = 'x' ORDER BY id DESC LIMIT 20"
        )
        assert f"ix_runs_project_stack_{column}_id" in plan.first()[-1]


def test_pages_follow_each_other_newest_first(open_ledger):
    """The next page begins before the last id of this one."""
    ledger = open_ledger()
    ids = [new_id("run") for _ in range(5)]
    ledger.append_all("p", [Entry("run.started", run, {"stack": "dev"}) for run in ids])
    newest = sorted(ids, reverse=True)
    page = ledger.reads.runs("p", limit=2)
    rest = ledger.reads.runs("p", limit=9, before=page[-1]["id"])
    assert [row["id"] for row in page + rest] == newest


def test_filters_meet_in_all_projects(open_ledger, live):
    """Without a project the newest of all projects come."""
    ledger = open_ledger()
    live(ledger, "employment", "a")
    live(ledger, "housing", "b")
    projects = [row["project"] for row in ledger.reads.runs(status="done")]
    assert projects == ["housing"] * 2 + ["employment"] * 2
    assert ledger.reads.runs(status="running") == []


def test_since_is_a_time(open_ledger):
    """A run that began before it is not listed."""
    ledger, run = open_ledger(), new_id("run")
    ledger.append("p", "run.started", run, {"stack": "dev"})
    now = datetime.now(UTC)
    assert ledger.reads.runs("p", since=now - timedelta(minutes=1))[0]["id"] == run
    assert ledger.reads.runs("p", since=now + timedelta(minutes=1)) == []


def test_a_run_shows_what_its_stages_made(open_ledger, live):
    """Model, dossier, release and status follow the events."""
    ledger = open_ledger()
    live(ledger)
    _, run = ledger.reads.runs("employment")  # the later one was imported
    assert (run["status"], run["stage"], run["pid"]) == ("done", "data", 8)
    assert run["model"] == DIGEST
    assert run["release"] == ledger.reads.releases("employment")[0]["id"]
    assert run["body"]["policy"] == {"bounds": []}


def test_checks_measured_again_replace_those_before(open_ledger, live):
    """One phase of one run has the checks of its last measurement."""
    ledger = open_ledger()
    live(ledger)
    run = ledger.reads.runs("employment")[-1]["id"]
    assert [row["key"] for row in ledger.reads.checks(run, "data")] == ["metrics.roc_auc"]


def test_the_champion_is_what_is_live(open_ledger, life):
    """It is a release as long as its deployment stands; a removed one has none."""
    ledger, told = open_ledger(), life("employment", "a")
    ledger.append_all("employment", told[:-1])
    assert ledger.reads.champion("employment", "dev", "e")["number"] == "1"
    ledger.append_all("employment", told[-1:])
    assert ledger.reads.champion("employment", "dev", "e") is None


def test_a_deployment_has_the_targets_that_it_was_last_given(open_ledger, life):
    """Its record is the one that was applied, with the targets of the change after it."""
    ledger, told = open_ledger(), life("employment", "a")
    ledger.append_all("employment", told[:-1])
    deployment = told[-1].subject
    targets = [{"release": {"id": "release-2"}, "weight": 1.0}]
    payload = {"targets": targets, "release": "release-2", "reason": "deploy"}
    ledger.append("employment", "deployment.targets", deployment, payload)
    row = ledger.reads.endpoint_deployment("employment", "dev", "e")
    assert (row["body"]["targets"], row["body"]["address"]) == (targets, "http://x")


def test_the_history_of_an_endpoint_is_what_was_live(open_ledger, live):
    """What was applied, then what it was pointed at, oldest first, each with its reason."""
    ledger = open_ledger()
    live(ledger)
    history = ledger.reads.endpoint_history("employment", "dev", "e")
    assert [line["reason"] for line in history] == ["deploy", "rollback"]


def test_a_server_that_takes_up_what_is_live_brings_nothing_back(open_ledger, life):
    """`interlock serve` in a terminal records where it answers, and makes no release live."""
    ledger, told = open_ledger(), life("employment", "a")
    ledger.append_all("employment", told[:-1])
    deployment = told[-1].subject
    applied = next(entry for entry in told if entry.kind == "deployment.applied")
    payload = {"targets": [], "release": "release-2", "reason": "deploy"}
    ledger.append("employment", "deployment.targets", deployment, payload)
    lived = ledger.reads.endpoint_history("employment", "dev", "e")
    ledger.append("employment", applied.kind, deployment, applied.payload)
    assert ledger.reads.endpoint_history("employment", "dev", "e") == lived
    assert lived[-1]["release"] == "release-2"


def test_an_id_a_short_id_and_the_beginning_of_a_digest_are_found(open_ledger, live):
    """Each names its row; a digest names the version that carries it."""
    ledger = open_ledger()
    live(ledger)
    run = ledger.reads.runs("employment")[0]["id"]
    assert ledger.reads.find(run)[1]["id"] == run
    assert ledger.reads.find(short(run))[0] == "runs"
    assert ledger.reads.find("sha256:aaaa")[0] == "versions"
    with pytest.raises(LedgerError, match="nothing here is named"):
        ledger.reads.find("run-00000000")


def test_a_short_id_of_two_things_lists_both(open_ledger):
    """The error names the whole ids."""
    ledger = open_ledger()
    ids = [f"run-{start}{'0' * 23}12345678" for start in "ab"]
    ledger.append_all("p", [Entry("run.started", run, {}) for run in ids])
    with pytest.raises(LedgerError, match=f"{ids[0]}, p/{ids[1]}"):
        ledger.reads.find("run-12345678")


def test_monitoring_goes_on_where_the_furthest_window_ended(open_ledger):
    """A look back at an older window does not move the end."""
    ledger = open_ledger()
    for number, end in enumerate([2017, 2018, 2016]):
        payload = {"stack": "dev", "endpoint": "e", "end": end, "findings": []}
        ledger.append("p", "window.monitored", f"window-{number}", payload)
    assert ledger.reads.last_window_end("p", "dev", "e", now=NOON) == 2018
    assert ledger.reads.last_window_end("p", "prod", "e", now=NOON) is None
    assert ledger.reads.last_window_end("p", "dev", "e", now=NOON, far=2017) == 2017


def test_a_window_that_ends_in_the_future_is_nowhere_to_go_on_from(open_ledger):
    """What one row with a wrong time made of it would keep all that comes until then unseen."""
    ledger = open_ledger()
    for number, hours in enumerate([-2, -1, 24 * 365 * 80]):
        end = (NOON + timedelta(hours=hours)).isoformat()
        payload = {"stack": "dev", "endpoint": "e", "end": end, "findings": []}
        ledger.append("p", "window.monitored", f"window-{number}", payload)
    left_off = ledger.reads.last_window_end("p", "dev", "e", now=NOON)
    assert datetime.fromisoformat(left_off) == NOON - timedelta(hours=1)
