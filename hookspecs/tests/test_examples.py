"""The examples of the hooks, run: each answers its hook with what the specification declares."""

import inspect
import re
from datetime import UTC, datetime
from typing import get_args, get_origin

import pyarrow as pa
import pytest

import interlock_hookspecs
from interlock_hookspecs import (
    Actor,
    Check,
    Dataset,
    Deployment,
    Dossier,
    Endpoint,
    Event,
    Facts,
    Model,
    ModelVersion,
    Policy,
    Signature,
    Task,
    Window,
    bytes_digest,
    specs,
    type_hints,
)
from interlock_hookspecs.conformance import LocalWorkspace

HOOKS = specs()
ZERO = bytes_digest(b"")


class Mean:
    """An opener, as the example of `write_model` is one."""

    def write_model(self, format, fitted, signature, ws):  # noqa: A002  (the hook's own word)
        path = ws.scratch() / "model.txt"
        path.write_text(repr(fitted))
        return Model(format=format, artifact=ws.keep(path), signature=signature)


class Feed:
    """A feed of no targets, which keeps the address that it is told."""

    current = ()
    problem = ""

    def watch(self, changed):
        self.changed = changed

    def started(self, address):
        self.address = address


@pytest.fixture
def arguments(tmp_path):
    """A value for every parameter that any hook has, by name."""
    ws = LocalWorkspace(tmp_path, openers={"mean": Mean()})
    signature = Signature(kind="regression", inputs=(), outputs=())
    model = ws.write_model("mean", 0.5, signature)
    rows = pa.table({"x": [1, 2], "y": [0, 1]})
    endpoint = Endpoint(name="e", project="p", stack="dev")
    path = ws.scratch() / "count.json"
    path.write_text("2")
    return {
        "source": "inline:1,2",
        "inputs": (),
        "task": Task(dataset="inline:1,2", target="y"),
        "dataset": Dataset(source="inline:1,2", format="inline", fields=()),
        "ws": ws,
        "rows": rows,
        "reference": None,
        "predictor": None,
        "heldout": rows,
        "training": rows,
        "champion": None,
        "format": "mean",
        "fitted": 0.5,
        "signature": signature,
        "model": model,
        "name": "employment",
        "id": "id-1",
        "facts": Facts({"run": "run-1"}),
        "ref": "@champion",
        "cursor": None,
        "limit": 20,
        "alias": "champion",
        "expected": None,
        "number": "1",
        "version": ModelVersion(id="version-1", name="employment", number="1", model=model),
        "dossier": Dossier(
            digest=ZERO,
            run="run-1",
            project="p",
            stack="dev",
            model=model,
            data=ZERO,
            code=ZERO,
            threshold=0.5,
            checks=(Check(name="roc_auc", value=0.9),),
            policy=Policy(),
            estimator="DecisionTree",
        ),
        "sections": (),
        "verdicts": (),
        "endpoint": endpoint,
        "targets": (),
        "feed": Feed(),
        "captures": None,
        "deployment": Deployment(id="deployment-1", endpoint=endpoint, address="http://e.example"),
        "start": 1,
        "end": 2,
        "predictions": pa.table({"prediction": [0.5, 0.5]}),
        "profile": interlock_hookspecs.Profile(name="count", artifact=ws.keep(path), rows=2),
        "others": (),
        "window": Window(
            rows=rows, start=1, end=2, as_of=2, release="release-1", signature=signature, labelled=2
        ),
        "event": Event(
            id="event-1",
            project="p",
            sequence=1,
            kind="run.started",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            actor=Actor(subject="ana"),
            subject="run-1",
            digest=ZERO,
        ),
    }


def example(hook):
    """An instance of the class that a hook's documentation shows."""
    text = inspect.getdoc(HOOKS[hook].function)
    shown = re.search(r">>> class (\w+):.*\n((?:\s*\.\.\. .*\n)*)", text)
    lines = [line.strip()[4:] for line in shown[0].splitlines()]
    names = {name: getattr(interlock_hookspecs, name) for name in interlock_hookspecs.__all__}
    if ">>> import attrs" in text:
        import attrs

        names["attrs"] = attrs
    exec("\n".join(lines), names)  # noqa: S102  (the documentation is ours)
    return names[shown[1]]()


@pytest.mark.parametrize("hook", [name for name in HOOKS if name != "delete_version"])
def test_every_example_answers_its_hook(hook, arguments):
    """What the example gives back is of the type that the specification declares."""
    spec = HOOKS[hook]
    implementation = getattr(example(hook), hook)
    # It asks for what it needs, which may be less than there is.
    asked = inspect.signature(implementation).parameters
    assert asked.keys() <= set(spec.parameters)
    answer = implementation(**{name: arguments[name] for name in asked})
    declared = type_hints(spec.function)["return"]
    if get_origin(declared) is tuple:
        # An endpoint that was asked nothing is the shortest example.
        assert answer or hook == "read_traffic"
        assert {type(item) for item in answer} <= {get_args(declared)[0]}
    elif hook != "open_model":  # a Predictor is a protocol; the example opens a bare number
        assert isinstance(answer, declared)


def test_the_example_that_refuses_says_what_is_missing(arguments):
    """``delete_version`` shows how a plugin says that something is not there."""
    with pytest.raises(interlock_hookspecs.NotFound, match="no version 1"):
        example("delete_version").delete_version(name=arguments["name"], number="1")
