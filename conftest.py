"""What every test run of this repository shares: where examples run, and what is counted."""

import contextlib
import gc
import logging
import signal
from pathlib import Path

import pytest

# tests/servers: what members' tests and ours share
pytest_plugins = [
    "mlflow_server",
    "mlserver_server",
    "prometheus_server",
    "s3_server",
    "seldon_cluster",
]

COUNTED = ("real_backend", "schema", "stand_in")
LONG = (
    "tests/load/test_load.py",
    "tests/faults/test_kill_any_moment.py",
    "tests/isolation/test_isolated_suites.py",
    "tests/docs/test_tutorial.py",
    "tests/faults/test_kill.py",
    "tests/wheels/test_wheels.py",
    "plugins/registry-mlflow/test_registry_mlflow_suite.py",
    "tests/examples/test_employment.py",
    "tests/swap/test_swap_mlflow.py",
    "tests/faults/test_team.py",
    "tests/e2e/test_e2e_processes.py",
    "tests/e2e/test_e2e_seldon.py",
    "plugins/deploy-seldon/test_deploy_seldon_process.py",
    "tests/faults/test_object_store.py",
    "tests/plugins/test_plugins_new.py",
    "tests/e2e/test_e2e_unchanged.py",
    "tests/e2e/test_e2e_silent.py",
    "tests/faults/test_kill_rollout.py",
    "tests/swap/test_swap_matrix.py",
    "plugins/train-command/test_train_command_suite.py",
    "tests/faults/test_offline.py",
    "tests/faults/test_faults.py",
    "tests/e2e/test_e2e_rollout_evidence.py",
    "tests/swap/test_swap_endpoints.py",
    "tests/e2e/test_e2e_settings.py",
    "tests/swap/test_swap_kill.py",
    "plugins/deploy-seldon/test_seldon_core_v2_conformance.py",
    "tests/e2e/test_e2e_rollout.py",
    "tests/swap/test_swap_promote.py",
    "tests/e2e/test_e2e_seldon_core_v2.py",
    "tests/swap/test_swap_matrix_serving.py",
    "tests/e2e/test_e2e_labels.py",
    "tests/e2e/test_e2e_gone_back.py",
    "serving/tests/test_serving_workers_lost.py",
    "tests/plugins/test_plugins_check.py",
    "tests/faults/test_models_import_mlflow.py",
    "tests/e2e/test_e2e_life.py",
    "tests/e2e/test_e2e_gates_releases.py",
    "plugins/model-onnx/test_model_onnx_conformance.py",
    "plugins/registry-mlflow/test_registry_mlflow_interop.py",
    "tests/attacks/test_bad_data.py",
    "plugins/registry-sql/test_registry_sql.py",
    "plugins/deploy-seldon/test_seldon_core_v2.py",
    "tests/e2e/test_e2e_reconcile.py",
)
"""The longest files begin: none of them is left to one worker at the end, when all else is done."""
ROOT = Path(__file__).parent


def pytest_configure():
    """Hear Ctrl-C, as a person's process does: a shell's background jobs are started deaf to it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Modules and tests are made by the ten thousand and stay: a sixth of the time of collecting
    # them went into looking through them for garbage.
    gc.set_threshold(100_000, 50, 100)
    # A busy machine is no finding: how long an example takes says nothing of the code.
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")


def pytest_ignore_collect(collection_path, config):
    """Run the examples of docstrings in the members only; elsewhere collect tests and no script."""
    if collection_path.suffix != ".py" or collection_path.name == "conftest.py":
        return None
    if any(collection_path.match(pattern) for pattern in config.getini("python_files")):
        return None
    parts = collection_path.relative_to(ROOT).parts
    member = ROOT.joinpath(*parts[:2], "pyproject.toml").exists()
    examples = parts[0] in {"hookspecs", "worker", "serving", "core"} or (
        parts[0] in {"plugins", "contrib"} and member
    )
    # Alembic and MLServer run their own files, and a `__main__` runs when it is imported.
    return None if examples and not {"migrations", "runtimes", "__main__.py"} & {*parts} else True


@pytest.fixture(scope="session", autouse=True)
def _import_of_examples(doctest_namespace):
    """Let every example use the contract, as a plugin does after its one import."""
    import interlock_hookspecs

    names = interlock_hookspecs.__all__
    doctest_namespace.update({name: getattr(interlock_hookspecs, name) for name in names})


@pytest.fixture(scope="session", autouse=True)
def _patient():
    """Call no server of a busy machine silent because it takes its time."""
    from interlock_serving import status

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status, "_SECONDS", 30.0)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the long files first, and note on each test the markers that are counted.

    A report keeps what is noted, across processes.
    """
    place = {ROOT / path: number for number, path in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))
    for item in items:
        item.user_properties += [
            ("counted", name) for name in COUNTED if item.get_closest_marker(name)
        ]


@contextlib.contextmanager
def _filters_as_they_were():
    """Leave no test the filters that a command of another put on what is logged.

    Pytest's handlers are the same for all tests of a process; which these are, chance decides.
    """
    before = {handler: [*handler.filters] for handler in logging.getLogger().handlers}
    try:
        yield
    finally:
        for handler, filters in before.items():
            handler.filters[:] = filters


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup():
    """Set up; a fixture may run a command in this process, whose secrets are redacted."""
    with _filters_as_they_were():
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call():
    """Test likewise."""
    with _filters_as_they_were():
        return (yield)


def pytest_collection_finish():
    """Leave what was collected out of every later search for garbage."""
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Say, just above the closing line, how many tests of each counted marker passed."""
    yield
    passed = terminalreporter.stats.get("passed", [])
    counted = [
        name for report in passed for key, name in report.user_properties if key == "counted"
    ]
    terminalreporter.ensure_newline()
    for name in COUNTED:
        terminalreporter.write_line(f"{name}: {counted.count(name)}")
