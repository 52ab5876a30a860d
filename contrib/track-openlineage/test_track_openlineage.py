"""OpenLineage events of a model's life, through the real client, held to the published schema."""

import contextlib
import http.server
import json
import threading
import uuid
from datetime import datetime

import jsonschema
import pytest

from interlock_hookspecs import Secret, Unavailable
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.delivery import tell
from interlock_hookspecs.conformance.happenings import DIGEST, event_of, life
from interlock_track_openlineage import OpenLineageTracker
from interlock_track_openlineage.conformance import OpenLineageSuite
from interlock_track_openlineage.lineage import run_id

RUN = "run-0190f3c2a1b27def8a1b2c3d4e5f6071"
STAGE = "stage-0190f3c2a1b27def8a1b2c3d4e5f6072"


def text(**more):
    return {"type": "string", **more}


def table(required, optional=None):
    """A JSON object of these fields and no other."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def facet(required, optional=None):
    """A facet: every one says who made it and by which schema."""
    by = {"_producer": text(format="uri"), "_schemaURL": text(format="uri")}
    return table({**by, **required}, optional)


def facets(**known):
    return table({}, known)


# OpenLineage 2-0-2, with the facets that we write (Parent 1-2-0, ErrorMessage 1-0-1, JobType
# 2-0-4, Schema 1-2-0, DatasetVersion 1-0-1, OutputStatistics 1-0-2, ProcessingEngine 1-1-1, and
# the client's own Tags 1-0-0). Tighter than published in one way: what they do not name is refused.
UUID = text(format="uuid")
DATASET = {
    "version": facet({"datasetVersion": text()}),
    "schema": facet(
        {},
        {"fields": {"type": "array", "items": table({"name": text()}, {
            "type": text(), "fields": {"type": "array", "maxItems": 0}})}},
    ),
}  # fmt: skip
NAMED = {"namespace": text(minLength=1), "name": text(minLength=1)}
RUN_FACETS = facets(
    parent=facet({
        "run": table({"runId": UUID}, {"facets": {"type": "object"}}),
        "job": table(NAMED, {"facets": {"type": "object"}}),
    }),
    errorMessage=facet({"message": text(), "programmingLanguage": text()}),
    processing_engine=facet({"version": text()}, {"name": text()}),
    tags=facet({}, {"tags": {"type": "array", "items": table(
        {"key": text(), "value": text()}, {"source": text()})}}),
)  # fmt: skip
JOB_FACETS = facets(
    jobType=facet({"processingType": text(), "integration": text()}, {"jobType": text()})
)
SCHEMA = {
    **table(
        {
            "eventTime": text(format="date-time"),
            "producer": text(format="uri"),
            "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json"
                                   "#/$defs/RunEvent"},
            "run": table({"runId": UUID}, {"facets": RUN_FACETS}),
            "job": table(NAMED, {"facets": JOB_FACETS}),
        },
        {
            "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
            "inputs": {"type": "array", "items": table(NAMED, {
                "facets": facets(**DATASET), "inputFacets": facets()})},
            "outputs": {"type": "array", "items": table(NAMED, {
                "facets": facets(**DATASET),
                "outputFacets": facets(outputStatistics=facet({}, {
                    "rowCount": {"type": "integer"}, "size": {"type": "integer"}}))})},
        },
    ),
    "$schema": "https://json-schema.org/draft/2020-12/schema",
}  # fmt: skip
FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checks("uuid", raises=ValueError)(lambda value: bool(uuid.UUID(value)))
FORMATS.checks("date-time", raises=ValueError)(lambda value: datetime.fromisoformat(value).tzinfo)
FORMATS.checks("uri")(lambda value: ":" in value)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=FORMATS)


@contextlib.contextmanager
def serving(status=201):
    """A stand-in for an OpenLineage API: takes what keeps to the schema; to the rest, 400."""
    taken, headers = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            good = self.path == "/api/v1/lineage" and VALIDATOR.is_valid(event)
            if good and server.status == 201:
                taken.append(event)
                headers.append(dict(self.headers))
            self.send_response(server.status if good else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status = status
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    server.taken, server.headers = taken, headers
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server():
    with serving() as found:
        yield found


class TestToAFile(OpenLineageSuite):
    @pytest.fixture
    def plugin(self, tmp_path):
        return OpenLineageTracker(root=tmp_path)


@pytest.mark.stand_in
class TestToAnEndpoint(OpenLineageSuite):
    @pytest.fixture
    def plugin(self, tmp_path, server):
        return OpenLineageTracker(root=tmp_path, url=server.url, api_key="abc")


@pytest.fixture
def written(tmp_path):
    """Tell a new tracker of events; the lines that it then wrote."""

    def told(*events, **settings):
        plugin, ws = OpenLineageTracker(root=tmp_path, **settings), LocalWorkspace(tmp_path / "ws")
        for event in events:
            tell(plugin, event, ws)
        path = tmp_path / "openlineage.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    return told


def of_stage(kind, stage, **payload):
    return event_of(kind, {"stage": stage, **payload}, subject=STAGE, run=RUN)


@pytest.mark.schema
def test_what_is_written_keeps_to_the_published_schema(written):
    """An event of every kind, and each stage with what it really gives."""
    stages = [
        of_stage("stage.finished", "data", outputs={"dataset": {
            "source": "rows.parquet", "digest": DIGEST, "rows": 9,
            "fields": [{"name": "x", "type": "double", "nullable": False}]}}),
        of_stage("stage.finished", "train", outputs={"candidate": {"model": {
            "artifact": {"digest": DIGEST}}}}),
        of_stage("stage.finished", "register", outputs={"version": {
            "number": "3", "model": {"artifact": {"digest": DIGEST}}}}),
        *(of_stage("stage.finished", stage, outputs={}) for stage in ("validate", "deploy")),
        of_stage("stage.failed", "train", message="no rows"),
    ]  # fmt: skip
    lines = written(*life(), *stages)
    assert len(lines) > len(stages)
    for line in lines:
        VALIDATOR.validate(line)


def test_a_run_starts_and_ends_with_its_stages_below_it(written):
    """START and COMPLETE of the run and of each stage, under the ids of the ledger."""
    lines = written(
        event_of("run.started", {"facts": {"version.interlock-core": "0.1.0"}}, run=RUN),
        of_stage("stage.started", "train"),
        of_stage("stage.finished", "train", outputs={}),
        event_of("run.finished", {"status": "done"}, run=RUN),
    )
    assert [(line["job"]["name"], line["eventType"]) for line in lines] == [
        ("employment", "START"),
        ("employment.train", "START"),
        ("employment.train", "COMPLETE"),
        ("employment", "COMPLETE"),
    ]
    run, stage = "0190f3c2-a1b2-7def-8a1b-2c3d4e5f6071", "0190f3c2-a1b2-7def-8a1b-2c3d4e5f6072"
    assert [line["run"]["runId"] for line in lines] == [run, stage, stage, run]
    parent = lines[1]["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (run, "employment")
    assert lines[0]["run"]["facets"]["processing_engine"]["version"] == "0.1.0"
    assert {line["producer"] for line in lines} == {"urn:interlock:track-openlineage:0.1.0"}


@pytest.mark.parametrize(
    ("status", "state"),
    [("done", "COMPLETE"), ("refused", "FAIL"), ("failed", "FAIL"), ("waiting", "OTHER")],
)
def test_the_end_of_a_run_says_how_it_ended(status, state, written):
    """A refused run failed, with the gate's words; one that waits for a person goes on."""
    payload = {"status": status, "message": "roc_auc is low"}
    (line,) = written(event_of("run.finished", payload, run=RUN))
    assert line["eventType"] == state
    said = line["run"]["facets"].get("errorMessage", {}).get("message")
    assert said == ("roc_auc is low" if state == "FAIL" else None)


def test_a_stage_that_is_reused_starts_and_completes(written):
    """Each run of OpenLineage has one START and one end."""
    lines = written(of_stage("stage.reused", "train", outputs={}))
    assert [line["eventType"] for line in lines] == ["START", "COMPLETE"]


def test_datasets_and_models_carry_their_digests(written):
    """From the source to the rows, from the rows to the model."""
    kept = {"source": "data/2015.csv", "digest": DIGEST, "rows": 9,
            "fields": [{"name": "x", "type": "double"}]}  # fmt: skip
    other = "sha256:" + "1" * 64
    data, made = written(
        of_stage("stage.finished", "data", outputs={"dataset": kept}),
        event_of("candidate.made", {"data": DIGEST, "model": other}, run=RUN),
    )
    (source,), (rows,) = data["inputs"], data["outputs"]
    assert source["namespace"] == "file"
    assert source["name"].endswith("/data/2015.csv")
    assert rows["facets"]["version"]["datasetVersion"] == DIGEST
    assert rows["facets"]["schema"]["fields"] == [{"name": "x", "type": "double", "fields": []}]
    assert rows["outputFacets"]["outputStatistics"]["rowCount"] == 9
    (given,), (model,) = made["inputs"], made["outputs"]
    assert (given["name"], given["facets"]["version"]["datasetVersion"]) == (rows["name"], DIGEST)
    assert model["facets"]["version"]["datasetVersion"] == other


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("s3://bucket/a/b.csv", ("s3://bucket", "a/b.csv")),
        ("https://ana:secret@h:8443/rows?token=secret", ("https://h:8443", "rows")),
        ("postgresql://h:no/d", ("postgresql://h", "d")),
    ],
)
def test_the_address_of_a_source_is_named_without_what_opens_it(source, found, written):
    """Neither user nor query: they may be secrets."""
    (line,) = written(of_stage("stage.finished", "data", outputs={"dataset": {"source": source}}))
    assert (line["inputs"][0]["namespace"], line["inputs"][0]["name"]) == found


@pytest.mark.stand_in
def test_an_endpoint_is_sent_each_event_with_the_key(server, written):
    """Through the real client, over HTTP; the stand-in takes only what keeps to the schema."""
    assert written(*life(), url=server.url, api_key=Secret("abc")) == []
    assert len(server.taken) > 9
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer abc"}


@pytest.mark.stand_in
def test_what_could_not_be_sent_waits_and_goes_first(server, tmp_path):
    """An endpoint that is away costs the run one warning; nothing is lost, nothing comes twice."""
    ws = LocalWorkspace(tmp_path / "ws")
    start = event_of("run.started", {}, run=RUN)
    end = event_of("run.finished", {"status": "done"}, run=RUN)
    server.status = 503
    plugin = OpenLineageTracker(root=tmp_path, url=server.url)
    with pytest.raises(Unavailable, match=r"answered 503; events wait in .*waiting\.jsonl"):
        plugin.on_event(start)
    plugin.on_event(event_of("run.resumed", {}, run=RUN))
    assert server.taken == []
    server.status = 201
    # The next command is another process, which does not know that it was away.
    tell(OpenLineageTracker(root=tmp_path, url=server.url), end, ws)
    assert [event["eventType"] for event in server.taken] == ["START", "RUNNING", "COMPLETE"]
    tell(OpenLineageTracker(root=tmp_path, url=server.url), end, ws)
    assert len(server.taken) == 4


@pytest.mark.stand_in
def test_an_event_that_is_refused_for_good_keeps_back_no_other(server, tmp_path):
    """It is told and dropped; what waits behind it goes on."""
    plugin = OpenLineageTracker(root=tmp_path, url=server.url)
    (tmp_path / ".interlock").mkdir()
    waiting = tmp_path / ".interlock/openlineage-waiting.jsonl"
    waiting.write_text('{"no": "event"}\n', encoding="utf-8")
    with pytest.raises(Unavailable, match="answered 400 to an event, which is dropped"):
        plugin.on_event(event_of("run.started", {}, run=RUN))
    assert len(server.taken) == 1
    assert waiting.read_text(encoding="utf-8") == ""


def test_nothing_of_the_repository_around_is_told(written, tmp_path, monkeypatch):
    """The address of a remote may hold a token."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text('[remote "origin"]\nurl = https://u:tok3n@h/r.git\n')
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    monkeypatch.chdir(tmp_path)
    written(event_of("run.started", {}, run=RUN))
    assert "tok3n" not in (tmp_path / "openlineage.jsonl").read_text(encoding="utf-8")


def test_an_id_that_is_no_uuid_has_always_the_same():
    """Ids come from the ledger; whatever they are, two tellers agree."""
    assert run_id("run-1") == run_id("run-1") != run_id("run-2")
