"""What crosses to a worker and back: settings, records, tables, references, errors, logs."""

import logging
import os
import pickle
import time
import traceback
from pathlib import Path
from typing import Literal

import attrs
import pyarrow as pa
import pytest

from interlock.plugins.funnel import Funnel, Member
from interlock_hookspecs import (
    Conflict,
    Facts,
    Field,
    InvalidInput,
    Maker,
    NotFound,
    Secret,
    Signature,
    Task,
    Unsupported,
    Window,
    contract_of,
    kinds_of,
    left_out,
    measures_of,
)
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.form import breaches, implementations
from interlock_worker.untyped import dump_untyped, load_untyped

SIGNATURE = Signature(
    kind="binary",
    inputs=(Field(name="x", type="double"),),
    outputs=(Field(name="score", type="double"),),
    classes=(0, 1),
    positive=1,
)


def window(rows):
    return Window(rows=rows, start=1, end=2, as_of=2, release="r", signature=SIGNATURE)


def test_the_class_here_has_the_form_of_the_one_there(worker):
    """Contract, kinds, hooks with their own parameters, settings with defaults and docs."""
    cls = worker().plugin_class()
    assert (contract_of(cls), kinds_of(cls)) == ("1.0", ("binary", "regression"))
    assert measures_of(cls, "binary") == {"size"}
    assert measures_of(cls, "regression") is None
    assert cls.__doc__ == "Does what it is told."
    assert list(breaches(cls, "validate")) == []
    assert {"check_data", "set_alias", "build_profile"} <= implementations(cls).keys()
    fields = attrs.fields_dict(cls)
    assert fields["depth"].metadata["doc"] == "an even number"
    assert fields["words"].default == ("a", "b")
    assert fields["root"].metadata == {"interlock": "root"}
    assert fields["kind"].type == Literal["a", "b"]


def test_what_it_leaves_out_as_it_is_configured_is_asked_there(worker):
    """The worker tells it of each instance, and nobody asks it those hooks."""
    cls = worker().plugin_class()
    assert left_out(cls()) == frozenset()
    holding = cls(do="hold_back")
    assert left_out(holding) == {"check_model", "measure_performance"}
    assert left_out(attrs.evolve(holding, depth=4)) == left_out(holding)
    asked = Funnel([Member(maker=Maker(plugin="validate-apart", version="1.5"), plugin=holding)])
    assert asked.has("check_data")
    assert not asked.has("check_model")


def test_it_runs_there_and_core_is_not_imported(told, python):
    """Another interpreter, without core, and with the version that is installed there."""
    (found,) = told("say", rows=pa.table({"x": [1, 2]}))
    assert found.facts["pid"] != os.getpid()
    assert found.facts["python"] == str(python)
    assert found.facts["core"] is False
    assert found.value == 2
    assert found.maker.version == "1.5"


def test_settings_arrive_as_they_are(worker, tmp_path):
    """Paths, tuples, classes of the plugin's own, open maps; a secret as a secret."""
    cls = worker().plugin_class()
    grid = attrs.fields_dict(cls)["grid"].type.__args__[0]
    instance = cls(
        do="say",
        folder=tmp_path,
        words=("x",),
        grid=grid(rows=2, name="g"),
        grids=(grid(rows=3),),
        facts=Facts({"a": 1}),
        token=Secret("hunter2-hunter2"),
        anything={"a": [1, (2.5, None)], "~": "tag"},
    )
    (found,) = instance.check_data(None, Task(dataset="d"))
    assert found.facts["folder"] == str(tmp_path)
    assert found.facts["words"] == "('x',)"
    assert found.facts["grid"] == "Grid(rows=2, name='g')"
    assert found.facts["grids"] == "(Grid(rows=3, name=''),)"
    assert (found.facts["token"], found.facts["length"]) == ("Secret", 15)
    assert "hunter2" not in repr(instance)
    assert attrs.evolve(instance, words=()).check_data(None, Task(dataset="d"))


def test_settings_are_neither_on_the_command_line_nor_in_the_environment(worker):
    """Who may list processes reads no secret."""
    found = worker()
    instance = found.plugin_class()(do="say", token=Secret("hunter2-hunter2"))
    assert instance.check_data(None, Task(dataset="d"))
    for name in ("cmdline", "environ"):
        assert b"hunter2" not in Path(f"/proc/{found.pid}/{name}").read_bytes()


def test_a_validator_there_speaks_here(worker):
    """What the class refuses is refused when the settings are read."""
    cls = worker().plugin_class()
    with pytest.raises(ValueError, match="depth is 3: expected an even number"):
        cls(depth=3)
    with pytest.raises(ValueError, match="depth is 5"):
        attrs.evolve(cls(), depth=5)


@pytest.mark.parametrize("kind", [InvalidInput, NotFound, ValueError, TimeoutError, SystemExit])
def test_an_error_arrives_as_itself_with_the_traceback_from_there(worker, kind):
    """Of the contract and of Python: the class, the text, and where it was raised."""
    instance = worker().plugin_class()(do="raises")
    with pytest.raises(kind, match="as it was told") as caught:
        instance.check_data(None, Task(dataset=kind.__name__))
    assert type(caught.value) is kind
    shown = "".join(traceback.format_exception(caught.value))
    assert "in the worker of validate-apart:" in shown
    assert "interlock_validate_apart.py" in shown


def test_an_error_that_nobody_knows_keeps_its_name(failing):
    """As in this process: the class's name and the text."""
    error = failing("raises", dataset="OwnError")
    assert str(error).endswith("hook check_data: OwnError: as it was told")


def test_a_conflict_carries_both_sides(worker):
    """Expected and found cross with it."""
    instance = worker().plugin_class()()
    with pytest.raises(Conflict, match="champion moved") as caught:
        instance.set_alias("employment", "champion", "3", "4")
    assert (caught.value.expected, caught.value.found) == ("3", "4")


@pytest.mark.parametrize(
    ("do", "message"),
    [("wrong", "gave int, expected a list of Check"), ("wrong_member", "gave str, expected Check")],
)
def test_an_answer_of_another_type_is_named_as_such(failing, do, message):
    """The funnel says of a worker's answer what it says of any."""
    assert message in str(failing(do))


def test_a_large_table_is_shared_and_leaves_nothing_behind(worker):
    """It arrives whole, many times over, and neither side keeps its memory or a descriptor."""
    found = worker()
    instance = found.plugin_class()()
    rows = pa.table({"x": pa.array(range(500_000)), "text": ["ä"] * 500_000})
    for _ in range(2):
        assert instance.measure_performance(window(rows))[0].n == 500_000
    before = descriptors(found)
    for _ in range(5):
        instance.measure_performance(window(rows.slice(7)))
    end = time.monotonic() + 60
    while any(now > then for now, then in zip(descriptors(found), before, strict=True)):
        assert time.monotonic() < end, "a descriptor is kept"
        time.sleep(0.02)


def descriptors(worker):
    """How many both processes have open, once the worker has given its memory back.

    It does so after its answer, so that nobody waits for that.
    """
    end = time.monotonic() + 60
    while "interlock-table" in Path(f"/proc/{worker.pid}/maps").read_text():
        assert time.monotonic() < end, "a table's memory is kept"
        time.sleep(0.02)
    return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (os.getpid(), worker.pid)]


def test_a_predictor_stays_here_and_is_called_from_there(worker):
    """Its signature goes along; rows go one way and scores the other, small and large."""

    class Halves:
        signature = SIGNATURE

        def predict(self, rows):
            return pa.table({"score": [0.5] * rows.num_rows})

    instance = worker().plugin_class()()
    for n in (3, 100_000):
        heldout = pa.table({"x": [1.0] * n})
        (check,) = instance.check_model(Halves(), heldout)
        assert (check.name, check.value, check.n) == ("binary", n / 2, n)


def test_an_error_of_ours_comes_back_through_the_plugin_as_the_same_object(worker):
    """What a predictor raises here, and the plugin lets by there, is that very exception."""
    mine = KeyError("column")

    class Broken:
        signature = SIGNATURE

        def predict(self, _):
            raise mine

    with pytest.raises(KeyError) as caught:
        worker().plugin_class()().check_model(Broken(), pa.table({"x": [1.0]}))
    assert caught.value is mine


def test_a_plain_attribute_of_the_project_crosses_and_a_function_does_not(worker, tmp_path):
    """What cannot cross is said, with its name and what to do."""
    ws = LocalWorkspace(tmp_path, project={"depth": (3, "x"), "make": lambda: None})
    instance = worker().plugin_class()()
    assert instance.build_profile(ws, Task(dataset="depth")) == []
    with pytest.raises(Unsupported, match=r"the project's 'make': a value of type builtins\.func"):
        instance.build_profile(ws, Task(dataset="make"))
    with pytest.raises(NotFound):
        instance.build_profile(ws, Task(dataset="missing"))


def test_logs_arrive_under_the_plugins_name(told, caplog):
    """Its own and those of its libraries, with their levels."""
    with caplog.at_level(logging.WARNING, "interlock.plugins"):
        told("logs", token=Secret("hunter2"))
    found = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert found == [
        ("interlock.plugins.validate-apart.some.library", "WARNING", "a library says 7"),
        ("interlock.plugins.validate-apart", "ERROR", "it says hunter2"),
    ]


def test_what_stands_for_a_plugin_is_pickled_without_its_worker(worker):
    """Another process starts its own; a secret is not pickled."""
    cls = worker().plugin_class()
    again = pickle.loads(pickle.dumps(cls(do="say", words=("x",))))  # noqa: S301  (our own bytes)
    assert again.words == ("x",)
    assert again.check_data(None, Task(dataset="d"))
    type(again)._hands.close()
    with pytest.raises(TypeError, match="a Secret is not pickled"):
        pickle.dumps(cls(token=Secret("x")))


def test_an_instance_that_goes_is_forgotten_there(worker):
    """A long-lived worker does not gather what nobody holds."""
    cls = worker().plugin_class()
    kept = cls(do="say")
    for _ in range(100):
        cls().check_data(None, Task(dataset="d"))
    served = kept._interlock.process.peer
    assert not served._dropped or len(served._dropped) < 5


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 2**70, 1.5, float("inf"), "ü\ud800", (1, (2,)), {"~": 1}, {"a": [{"b": ()}]},
     frozenset({1}), Path("/x"), Facts({"a": 1}), Secret("x"), SIGNATURE],
)  # fmt: skip
def test_plain_values_come_back_as_they_were(value):
    """Types included, by the untyped form."""
    again = load_untyped(dump_untyped(value))
    assert again == value
    assert type(again) is type(value)


def test_a_call_over_the_funnel_is_timed_and_stamped(worker):
    """Nothing of the funnel is lost: who made it, how long it took."""
    maker = Maker(plugin="validate-apart", version="1.5")
    funnel = Funnel([Member(maker=maker, plugin=worker().plugin_class()())])
    started = time.perf_counter()
    checks = funnel.every("check_data", rows=None, task=Task(dataset="d"), reference=None)
    taken = time.perf_counter() - started
    assert [check.maker for check in checks] == [maker] * 3
    timing = funnel.timings["check_data", "validate-apart"]
    assert timing.calls == 1
    assert 0 < timing.seconds <= taken
