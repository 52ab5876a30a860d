"""Where a plugin runs and for how long: core's own keys in a plugin's table."""

import json

import jsonschema
import pytest

from interlock.errors import StackError
from interlock.plugins.funnel import Funnel, Member
from interlock.stack import describe, load_stack, recorded_settings, stack_schema
from interlock.stack.hosting import Hosting, without_hosting
from interlock_hookspecs import Maker, hookimpl, plugin, setting

STACK = """
[project]
name = "small"

[stack.dev]
validate = "acme"
{stack}

[stack.dev.validate-acme]
depth = 3
{plugin}
"""


@plugin(contract="1.0")
class Acme:
    """Has one setting."""

    depth: int = setting(1, doc="how deep")


@pytest.fixture
def load(tmp_path):
    """Read a stack file with lines for the stack and for its plugin."""

    def read(plugin="", stack="", overrides=()):
        path = tmp_path / "interlock.toml"
        path.write_text(STACK.format(plugin=plugin, stack=stack))
        return load_stack(tmp_path, overrides=overrides)

    return read


def test_the_keys_are_read_and_are_no_settings(load, tmp_path):
    """The plugin gets its settings only; the ledger keeps all that the file says."""
    lines = 'python = ".venvs/acme/bin/python"\nhook_timeout = "5m"\nrestarts = 3'
    stack = load(lines)
    python = tmp_path / ".venvs/acme/bin/python"
    assert stack.hosting("validate-acme") == Hosting(python=python, hook_timeout=300, restarts=3)
    assert stack.settings["validate-acme"] == {"depth": 3}
    recorded = stack.settings_text("validate-acme")
    assert json.loads(recorded)["python"] == ".venvs/acme/bin/python"
    assert recorded_settings(recorded) == {"depth": 3}
    assert without_hosting(recorded) == '{"depth":3}'
    shown = {row.key: row.value for row in describe(stack)}
    assert shown["stack.dev.validate-acme.hook_timeout"] == '"5m"'


def test_where_a_plugin_runs_is_no_input_and_finds_its_records(load):
    """The makers that decide whether a stage is done again have settings only."""

    class Measures:
        @hookimpl
        def check_data(self):
            return []

    def member(plugin):
        settings = load(plugin).settings_text("validate-acme")
        maker = Maker(plugin="validate-acme", version="1.0", settings=settings)
        return Member(maker=maker, plugin=Measures())

    here, there = member(""), member('python = ".venvs/acme/bin/python"\nhook_timeout = 5')
    assert here.maker != there.maker
    assert Funnel([here]).inputs("check_data") == Funnel([there]).inputs("check_data")
    # A record of before finds the plugin of today, whatever its environment.
    assert Funnel([there]).member(here.maker) is there


def test_a_plugin_without_a_word_has_the_stacks_limit(load):
    """The stack's limit is every plugin's, unless its own table says another."""
    stack = load(stack='hook_timeout = "2m"')
    assert stack.hosting("validate-acme").hook_timeout == 120
    assert stack.hosting("train-sklearn").hook_timeout == 120
    assert load("hook_timeout = 7.5", 'hook_timeout = "2m"').hosting("validate-acme") == Hosting(
        hook_timeout=7.5
    )
    assert load().hosting("validate-acme") == Hosting()


def test_a_command_may_override_them(load):
    """`--set` reaches them as it reaches a setting, relative to where it was typed."""
    words = ("validate-acme.restarts=0", "validate-acme.python=env/bin/python", "hook_timeout=9")
    stack = load(overrides=words)
    folder = stack.root
    assert stack.hosting("validate-acme") == Hosting(
        python=folder / "env/bin/python", hook_timeout=9, restarts=0
    )


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("python = 3", "expected a text, found 3"),
        ('python = "${VENV}/bin/python"', "takes no ${...}"),
        ('hook_timeout = "5 minutes"', 'expected seconds above 0, or a text as "90s"'),
        ("hook_timeout = 0", "expected seconds above 0"),
        ("restarts = -1", "expected a whole number, 0 or more"),
        ("restarts = true", "expected a whole number, 0 or more"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(load, line, wrong):
    """File, line, key, what was found, and what to write."""
    with pytest.raises(StackError) as caught:
        load(line)
    (problem,) = caught.value.problems
    assert "interlock.toml:11: [stack.dev.validate-acme]" in problem
    assert wrong in problem


def test_a_name_nearly_right_is_offered(load):
    """A misspelled key is an unknown setting, and the nearest name may be one of core's."""
    from interlock.stack import structure_settings

    stack = load('pyhton = ".venvs/acme/bin/python"')
    raw = stack.settings["validate-acme"]
    with pytest.raises(StackError, match="did you mean 'python'"):
        structure_settings(Acme, raw, where="stack.dev.validate-acme", origins=stack.origins)


@pytest.mark.schema
def test_the_schema_has_them_in_every_plugins_table():
    """An editor completes them, and marks what the reader would refuse."""
    schema = stack_schema({"validate-acme": Acme})
    table = {"python": ".venvs/a/bin/python", "hook_timeout": "5m", "restarts": 0, "depth": 2}
    file = {"stack": {"dev": {"hook_timeout": 60, "validate-acme": table}}}
    jsonschema.validate(file, schema)
    for wrong in ({"hook_timeout": 0}, {"restarts": -1}, {"python": ""}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"stack": {"dev": {"validate-acme": wrong}}}, schema)
