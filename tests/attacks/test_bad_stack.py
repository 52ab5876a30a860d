"""A stack or a plugin that is wrong as written: one short error, exit code 2, nothing changed."""

import json

import pytest

PLUGIN = """\
from interlock_hookspecs import {names}

@plugin(contract="1.0")
class Acme:
    bound: int = setting(3, doc="a number")

{body}
"""
HOOK = """\
    @hookimpl{options}
    def {name}(self, {arguments}):
        {act}
"""
NAMES = "Check, hookimpl, plugin, setting"


def refused(project, *says, words=("run",), code=2):
    """The command ends with a short error that says all this, and no run is left."""
    said = project(*words, expect=code)
    assert len(said.err.splitlines()) <= 4, said.err
    assert "Traceback" not in said.err
    for text in says:
        assert text in said.err
    if (project.folder / "interlock.toml").exists():
        project.reset()
        assert project.listed("runs") == []
    return said


@pytest.fixture
def broken(small):
    """A project whose stack file is broken by a test, and mended before one looks."""
    text = (small.folder / "interlock.toml").read_text(encoding="utf-8")
    module = (small.folder / "project.py").read_text(encoding="utf-8")

    def reset():
        (small.folder / "interlock.toml").write_text(text, encoding="utf-8")
        (small.folder / "project.py").write_text(module, encoding="utf-8")

    small.reset = reset
    return small


def hook(name="check_data", arguments="rows", act="return []", options=""):
    """The source of a plugin with one hook."""
    body = HOOK.format(name=name, arguments=arguments, act=act, options=options)
    return PLUGIN.format(names=NAMES, body=body)


def test_no_stack_file(broken):
    """The error says what was looked for and how to begin."""
    (broken.folder / "interlock.toml").unlink()
    refused(broken, "interlock.toml", "interlock init")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "small"', "name = small", ["interlock.toml:2", "no TOML"]),
        ('registry = "sql"', 'registy = "sql"', ["'registry'", "registy"]),
        ('registry = "sql"', 'registry = "sqll"', ["registry = 'sqll'", "'sql'"]),
        ('target = "y"', 'tarket = "y"', ["tarket", "'target'"]),
        ("estimator =", "estimater =", ["estimater", "'estimator'"]),
        ("approvals = 0", 'approvals = "none"', ["approvals"]),
        (
            "[stack.dev.train-sklearn]",
            "[stack.dev.train-sklern]",
            ["train-sklern", "'train-sklearn'"],
        ),
        ('registry = "sql"', 'registry = ["sql", "sql"]', ["registry"]),
        ('registry = "sql"', 'registry = ["sql", "mlflow"]', ["registry"]),
        ('"metrics.roc_auc" = ">= 0.6"', '"metrics.roc_auc" = "about 0.6"', ["metrics.roc_auc"]),
    ],
)
def test_a_mistake_in_the_stack_file(broken, old, new, says):
    """The error names the key, and what to write instead where something is near."""
    broken.edit(old, new)
    refused(broken, "interlock.toml" if "sqll" not in new else "sqll", *says)


def test_a_kind_of_task_that_a_plugin_does_not_serve(broken):
    """Each plugin says what it serves."""
    broken.edit('kind = "binary"', 'kind = "ranking"')
    refused(broken, "train-sklearn", "'ranking'", "binary, multiclass, regression")


def test_a_project_module_that_rivals_the_registry(broken):
    """Two answers to a hook that one plugin answers: both are named."""
    (broken.folder / "project.py").write_text(
        "from interlock_hookspecs import hookimpl\n\n\n"
        "@hookimpl\ndef get_version(name, ref):\n    return None\n",
        encoding="utf-8",
    )
    refused(broken, "registry-sql", "project", "get_version")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("\nimport no_such_library", ["cannot be imported", "no_such_library' (", ".py, line 2)"]),
        ("import sys; sys.exit(0)", ["cannot be imported", "SystemExit"]),
        ("class Acme:\n    pass", ["@plugin"]),
        (hook(name="check_dat"), ["no hook 'check_dat'", "'check_data'"]),
        (hook(arguments="row"), ["check_data", "'row'", "'rows'"]),
        (hook(arguments="*, rows"), ["check_data", "'rows'", "keyword"]),
        (hook(arguments="rows, task=None"), ["check_data", "'task'", "default"]),
        (hook(options="(wrapper=True)", act="yield"), ["check_data", "wrapper"]),
        (hook(options="(tryfirst=True)"), ["check_data", "tryfirst"]),
        (hook().replace('"1.0"', '"9.0"'), ["contract 9.0"]),
    ],
)
def test_a_plugin_that_breaks_the_contract(broken, install, source, says):
    """It is named with its version, and the hook with it, before anything runs."""
    refused(install(broken, source), "validate-acme 1.2.3", *says)


def test_a_plugin_that_does_not_load_leaves_the_schema_of_the_others(small, install):
    """An editor completes what there is; the broken one is named, and its settings are any."""
    project = install(small, "import no_such_library")
    said = project("stack", "schema")
    assert "validate-acme 1.2.3" in said.err
    stack = json.loads(said.out)["properties"]["stack"]["additionalProperties"]
    assert "estimator" in stack["properties"]["train-sklearn"]["properties"]
    assert stack["properties"]["validate-acme"]["additionalProperties"] is True


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ('raise KeyError("age")', ["KeyError: 'age'"]),
        ("return 3", ["gave int, expected a list of Check"]),
        ('return ["good"]', ["gave str, expected Check in its list"]),
        ('return [Check(name="share", value=float("nan"))]', ["nan"]),
        ("import sys; sys.exit(0)", ["SystemExit: 0"]),
    ],
)
def test_a_plugin_that_fails(small, install, act, says):
    """What measures is a gate: refused, named with version and hook, the run with that message."""
    project = install(small, hook(act=act))
    said = project("run", expect=3)
    assert "Traceback" not in said.err
    for text in ("plugin validate-acme 1.2.3, hook check_data: ", *says):
        assert text in said.err
    run = project.run
    assert (run["status"], run["exit_code"]) == ("refused", 3)
    assert says[0] in run["message"]
    project("audit", "verify")
