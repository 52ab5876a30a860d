"""Every suite that a first-party plugin passes, passed from an environment of its own.

The suites are those of the plugins' own tests, so a new one is held here without a word. The
plugin that a test gets stands for one in a worker, with the settings that the plugin's own test
gave it.
"""

import importlib.util
import inspect
import sys
from importlib import metadata
from pathlib import Path

import attrs
import pytest

from interlock_hookspecs import ROLES, hookimpl
from interlock_hookspecs.conformance.suite import Suite
from interlock_worker.parent import WorkerPlugin

ROOT = Path(__file__).parents[2]

# Made here, where a plugin's own test makes it with fixtures of its file.
MADE = {
    "TestSqlRegistry": lambda cls, folder: cls(url=f"sqlite:///{folder}/registry.db"),
}

# Of one distribution, on two backends or in two formats: the other one is held here.
ONCE = {
    "TestMlflowDatabase": "held here on a server: TestMlflowServer",
    "TestOnnxBundle": "held here in its other format: TestOnnxModel",
    "TestCoreV2": "held here with its counts: TestCoreV2WithCounts",
}

# The tests that are held of a suite, where not all are, and why the others are not.
CHOSEN = {
    "TestSeldonServer": (
        "it serves what was fitted here, and a fitted object does not cross",
        {
            "test_a_secret_setting_is_not_printed",
            "test_an_endpoint_that_never_was_is_no_error",
            "test_it_keeps_to_the_form",
            "test_it_leaves_the_process_as_it_was",
        },
    ),
    "TestMlflowServer": (
        "seconds a test on a server: those in which the most crosses are held",
        {
            "test_it_keeps_to_the_form",
            "test_a_version_comes_back_as_it_went_in",
            "test_an_alias_moves_from_where_it_was_seen",
            "test_an_id_stands_for_one_model",
            "test_every_reference_finds_the_version",
            "test_many_callers_get_distinct_numbers",
            "test_no_error_shows_a_secret",
            "test_the_bytes_come_back",
        },
    ),
}

# What a test looks at in its own process, where the plugin is not: it would show nothing.
UNSEEN = {
    "test_rows_pass_through_in_batches": "it measures the memory of the process that asks",
}

# What another process cannot promise, with the reason: these are expected to fail.
_WRITTEN_THERE = (
    "a fitted object does not cross: the opener of the worker's environment writes the model, and "
    "write_model of the workspace here, which the test replaces, is not asked"
)
CANNOT = {
    "test_an_interrupted_fit_leaves_nothing": _WRITTEN_THERE,
    "test_a_refusal_of_the_format_comes_through": _WRITTEN_THERE,
    "test_a_model_is_packaged": "the fitted object behind a predictor does not cross",
}


def names():
    """The first-party plugins by their class."""
    return {
        entry_point.load(): f"{role}-{entry_point.name}"
        for role in ROLES
        for entry_point in metadata.entry_points(group=f"interlock.{role}")
        if (ROOT / "plugins" / f"{role}-{entry_point.name}").is_dir()
    }


@pytest.fixture(scope="module")
def isolated():
    """Give what stands for a plugin in a worker: one worker a plugin, for all the tests."""
    workers, known = {}, names()

    def stand_in(plugin):
        name = known[type(plugin)]
        if name not in workers:
            worker = WorkerPlugin(name, Path(sys.executable))
            workers[name] = (worker, worker.plugin_class())
        fields = [field for field in attrs.fields(type(plugin)) if field.init]
        settings = {field.alias: getattr(plugin, field.name) for field in fields}
        if hasattr(plugin, "write_model"):
            return opener(type(plugin), workers[name][1])(**settings)
        return workers[name][1](**settings)

    yield stand_in
    for worker, _ in workers.values():
        worker.close()


def opener(here, there):
    """An opener that writes in this process and does all else in its worker.

    The suite fits its models here, and a fitted object does not cross.
    """

    class Opener(there):
        @hookimpl
        def write_model(self, format, fitted, signature, ws):  # noqa: A002  (the hook's word)
            fields = [field for field in attrs.fields(here) if field.init]
            local = here(**{field.alias: getattr(self, field.name) for field in fields})
            return local.write_model(format, fitted, signature, ws)

        def __reduce__(self):
            raise TypeError("it is half in this process")

    return Opener


def suites():
    """The suites that the tests of the plugins subclass."""
    for path in sorted((ROOT / "plugins").glob("*/test_*.py")):
        if "conformance" not in path.read_text(encoding="utf-8"):
            continue
        name = f"isolated_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        for found in vars(module).values():
            if not (inspect.isclass(found) and issubclass(found, Suite)):
                continue
            if found.__module__ == name:
                yield found


def isolated_suite(suite):
    """The suite, its plugin in a worker."""
    made = MADE.get(suite.__name__)
    if made is None:

        @pytest.fixture
        def plugin(self, here, isolated):
            return isolated(here)

        body = {"here": inspect.getattr_static(suite, "plugin"), "plugin": plugin}
    else:

        @pytest.fixture
        def plugin(self, tmp_path, isolated):
            (cls,) = [cls for cls in names() if cls.__name__ == suite.__name__.removeprefix("Test")]
            return isolated(made(cls, tmp_path))

        body = {"plugin": plugin}
    body |= {name: unseen(reason) for name, reason in UNSEEN.items() if hasattr(suite, name)}
    tests = {name for name in dir(suite) if name.startswith("test_")}
    why, held = CHOSEN.get(suite.__name__, (ONCE.get(suite.__name__), set()))
    assert held <= tests
    if why:
        body |= {name: unseen(why) for name in sorted(tests - held)}
    cannot = {name: why for name, why in CANNOT.items() if hasattr(suite, name)}
    cannot |= {name: why for name, why in suite.cannot.items() if name not in UNSEEN}
    body["cannot"] = cannot
    return type(f"{suite.__name__}Isolated", (suite,), body)


def unseen(reason):
    """A test that is left out, and says why."""

    def left_out(self):
        pytest.skip(reason)

    return left_out


globals().update({f"{suite.__name__}Isolated": isolated_suite(suite) for suite in suites()})
