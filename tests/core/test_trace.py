"""What is kept of hook calls: a trace in the published format, and who answered why."""

import json
import threading
from time import perf_counter

import jsonschema
import pytest

from interlock.errors import HookFailed, InterlockError
from interlock.plugins.explain import explain_hook
from interlock.plugins.funnel import Funnel, Member
from interlock.plugins.trace import Recorder, size, write_trace
from interlock_hookspecs import (
    Artifact,
    Check,
    Dataset,
    InvalidInput,
    Maker,
    Model,
    Signature,
    hookimpl,
)

# From the Trace Event Format (its JSON object form, complete and metadata events), with nothing
# let through that it does not name: a duration belongs to X, and M names what its name says.
COMMON = {"pid": {"type": "integer"}, "tid": {"type": "integer"}, "ts": {"type": "number"}}
FORMAT = {
    "type": "object",
    "required": ["traceEvents"],
    "additionalProperties": False,
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "otherData": {"type": "object", "additionalProperties": {"type": "string"}},
        "traceEvents": {"type": "array", "items": {"$ref": "#/$defs/event"}},
    },
    "$defs": {
        "event": {"oneOf": [{"$ref": "#/$defs/complete"}, {"$ref": "#/$defs/metadata"}]},
        "complete": {
            "type": "object",
            "required": ["ph", "name", "cat", "ts", "dur", "pid", "tid"],
            "additionalProperties": False,
            "properties": {
                **COMMON,
                "ph": {"const": "X"},
                "name": {"type": "string", "minLength": 1},
                "cat": {"type": "string", "pattern": "^[^, ]+(,[^, ]+)*$"},
                "ts": {"type": "number", "minimum": 0},
                "dur": {"type": "number", "minimum": 0},
                "args": {"type": "object"},
            },
        },
        "metadata": {
            "type": "object",
            "required": ["ph", "name", "pid", "args"],
            "additionalProperties": False,
            "properties": {
                **COMMON,
                "ph": {"const": "M"},
                "name": {"enum": ["process_name", "thread_name"]},
                "args": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {"name": {"type": "string"}},
                },
            },
        },
    },
}

MODEL = Model(
    format="x",
    artifact=Artifact(digest="sha256:" + "0" * 64, size=9, name="m"),
    signature=Signature(kind="binary", inputs=(), outputs=()),
)


def watched(*plugins, find_owner=None):
    members = [
        Member(maker=Maker(plugin=name, version="1.2"), plugin=instance)
        for name, instance in plugins
    ]
    funnel = Funnel(members, find_owner=find_owner)
    funnel.watcher = Recorder()
    return funnel


def loading(answer):
    class Loading:
        @hookimpl
        def load_dataset(self, source, task):
            return answer

    return Loading()


def checking(act):
    class Checking:
        @hookimpl
        def check_data(self, rows):
            return act()

    return Checking()


def fail():
    raise InvalidInput("no rows in s3cret")


def written(funnel, path):
    write_trace(path, funnel.watcher, command="interlock run")
    return json.loads(path.read_text(encoding="utf-8"))


def ask(funnel, rows=None):
    return funnel.every("check_data", rows=rows, task=None, reference=None)


def failing(funnel):
    with pytest.raises(HookFailed):
        ask(funnel)


def explained(funnel, hook):
    return explain_hook(hook, funnel.watcher.steps, funnel)


@pytest.mark.schema
def test_a_trace_is_of_the_published_format(tmp_path):
    """Each call and each stage is a complete event; process and threads have their names."""
    funnel = watched(("validate-a", checking(list)), ("validate-bad", checking(fail)))
    funnel.watcher.stage("data")
    failing(funnel)
    thread = threading.Thread(target=failing, args=(funnel,), name="worker")
    thread.start()
    thread.join()
    trace = written(funnel, tmp_path / "t.json")
    jsonschema.Draft202012Validator(FORMAT).validate(trace)
    events = trace["traceEvents"]
    names = {e["args"]["name"]: e["tid"] for e in events if e["name"] == "thread_name"}
    calls = [event for event in events if event.get("cat") == "hook,validate"]
    assert {call["tid"] for call in calls} == set(names.values())
    assert set(names) == {"MainThread", "worker"}
    assert [call["name"] for call in calls] == [
        "validate-a check_data",
        "validate-bad check_data",
    ] * 2
    assert calls[1]["args"] == {
        "plugin": "validate-bad",
        "version": "1.2",
        "hook": "check_data",
        "rule": "every",
        "stage": "data",
        "in": {"rows": {"type": "NoneType"}},
        "out": None,
        "error": "plugin validate-bad 1.2, hook check_data: no rows in s3cret",
    }


def test_a_trace_says_when_in_microseconds(tmp_path):
    """A call lies inside of its stage, and takes as long as it took."""
    import time

    funnel = watched(("validate-a", checking(lambda: time.sleep(0.02) or [])))
    funnel.watcher.stage("data")
    began = perf_counter()
    ask(funnel)
    took = (perf_counter() - began) * 1e6
    funnel.watcher.done("data")
    stage, call = [e for e in written(funnel, tmp_path / "t")["traceEvents"] if e["ph"] == "X"]
    assert (stage["name"], stage["cat"]) == ("data", "stage")
    assert 20_000 <= call["dur"] <= took
    assert stage["ts"] <= call["ts"]
    assert call["ts"] + call["dur"] <= stage["ts"] + stage["dur"]


def test_a_trace_has_sizes_and_no_values(tmp_path):
    """Rows, columns and bytes of a table; nothing that stands in one."""
    import pyarrow as pa

    table = pa.table({"x": [1, 2, 3], "name": ["ana", "ben", "mallory"]})
    funnel = watched(("validate-a", checking(lambda: [Check(name="x", value=1.0)])))
    ask(funnel, table)
    call = written(funnel, tmp_path / "t")["traceEvents"][-1]["args"]
    assert call["in"]["rows"] == {"type": "Table", "rows": 3, "columns": 2, "bytes": table.nbytes}
    assert call["out"] == {"type": "list", "items": 1}
    assert "mallory" not in (tmp_path / "t").read_text(encoding="utf-8")
    artifact = Artifact(digest="sha256:" + "0" * 64, size=9, name="m")
    model = Model(
        format="x", artifact=artifact, signature=Signature(kind="binary", inputs=(), outputs=())
    )
    assert size(model) == {"type": "Model", "bytes": 9}


def test_errors_are_kept_without_secrets(tmp_path):
    """What redacts the command's output redacts the trace."""
    funnel = watched(("validate-bad", checking(fail)))
    funnel.watcher.redact = lambda text: text.replace("s3cret", "***")
    with pytest.raises(HookFailed):
        ask(funnel)
    written(funnel, tmp_path / "t")
    assert "no rows in ***" in (tmp_path / "t").read_text(encoding="utf-8")


def test_a_call_that_was_interrupted_did_not_answer(tmp_path):
    """Ctrl-C in a hook is no answer of None."""

    def interrupt():
        raise KeyboardInterrupt

    funnel = watched(("validate-a", checking(interrupt)))
    with pytest.raises(KeyboardInterrupt):
        ask(funnel)
    call = written(funnel, tmp_path / "t")["traceEvents"][-1]["args"]
    assert (call["out"], call["error"]) == (None, "interrupted")


def test_an_answer_of_the_wrong_type_is_an_error_of_its_call(tmp_path):
    """The call ended well and is refused all the same."""
    funnel = watched(("validate-a", checking(lambda: 7)))
    with pytest.raises(HookFailed):
        ask(funnel)
    call = written(funnel, tmp_path / "t")["traceEvents"][-1]["args"]
    assert call["error"].endswith("gave int, expected a list of Check")


def test_a_trace_that_cannot_be_written_leaves_what_was_there(tmp_path):
    """Whole or not at all: no draft stays, and no half of a file."""
    place = tmp_path / "t"
    place.mkdir()
    with pytest.raises(InterlockError, match="cannot be written: Is a directory"):
        write_trace(place, Recorder(), command="interlock run")
    assert list(tmp_path.iterdir()) == [place]


def test_explained_first_names_who_passed_and_who_was_not_asked():
    """In stack order; None passes the question on."""
    members = [(f"data-{word}", loading(answer)) for word, answer in
               (("a", None), ("b", Dataset(source="x", format="y")), ("c", None))]  # fmt: skip
    funnel = watched(*members)
    funnel.watcher.stage("data")
    for _ in range(2):
        funnel.first("load_dataset", source="x", task=None)
    assert explained(funnel, "load_dataset") == {
        "hook": "load_dataset",
        "rule": "first",
        "sentence": "Asked: plugins in stack order, until one answers something other than None.",
        "implemented_by": ["data-a 1.2", "data-b 1.2", "data-c 1.2"],
        "questions": [
            {
                "times": 2,
                "stages": ["data"],
                "asked": [
                    {"plugin": "data-a 1.2", "answer": "None", "error": ""},
                    {"plugin": "data-b 1.2", "answer": "Dataset", "error": ""},
                ],
                "not_asked": ["data-c 1.2"],
                "named_by": None,
                "why": "data-b 1.2 was the first in stack order to give something other than None",
            }
        ],
    }


def test_explained_every_names_who_failed_before_whom():
    """What came after the culprit was not asked."""
    funnel = watched(
        ("validate-a", checking(list)),
        ("validate-b", checking(fail)),
        ("validate-c", checking(list)),
    )
    with pytest.raises(HookFailed):
        ask(funnel)
    (question,) = explained(funnel, "check_data")["questions"]
    assert [one["answer"] for one in question["asked"]] == ["list of 0", None]
    assert question["not_asked"] == ["validate-c 1.2"]
    assert question["why"] == "validate-b 1.2 failed, so that those after it were not asked"


def test_explained_owner_names_the_record_that_names_it():
    """An opener outside of the stack says that it is."""

    class Opener:
        signature = None

        @hookimpl
        def open_model(self, model):
            return self

        def predict(self, rows):
            return rows

    def find_owner(owner):
        return Member(maker=Maker(plugin=owner, version="3"), plugin=Opener())

    funnel = watched(("model-y", Opener()), find_owner=find_owner)
    funnel.owner("open_model", "model-x", model=MODEL, ws=None)
    funnel.owner("open_model", "model-y", model=MODEL, ws=None)
    outside, inside = explained(funnel, "open_model")["questions"]
    assert outside["named_by"] == "model: Model x sha256:000000000000"
    assert outside["not_asked"] == ["model-y 1.2"]
    assert outside["why"].endswith("and is asked though this stack does not name it")
    assert inside["why"] == "model-y 1.2 is whom the first argument names"


def test_questions_of_two_threads_stay_apart():
    """Each thread begins with the first of the stack, whatever the other is at."""
    both = threading.Barrier(2)

    def meet():
        both.wait()
        return []

    funnel = watched(("validate-a", checking(meet)), ("validate-b", checking(list)))
    threads = [threading.Thread(target=ask, args=(funnel,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (question,) = explained(funnel, "check_data")["questions"]
    assert question["times"] == 2
    assert len(question["asked"]) == 2
