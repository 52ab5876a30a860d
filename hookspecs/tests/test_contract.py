"""The contract keeps its own promises: documented, runnable, complete, cheap to import, tested."""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import interlock_hookspecs
from interlock_hookspecs import ROLES, SENTENCES, contract_of, resolve, spec_of, specs, type_hints
from interlock_hookspecs.rules import hookimpl, plugin, setting

ROOT = Path(__file__).parents[2]
HOOKS = specs()
PUBLIC = {name: getattr(interlock_hookspecs, name) for name in interlock_hookspecs.__all__}
RECORDS = {name: value for name, value in PUBLIC.items() if attrs.has(value)}

STAMPED = {"maker"}
"""Fields that the funnel fills in: the same on every record, documented at `Maker`."""


def section(text, title):
    """The lines of a section of a docstring, without its indentation."""
    body = re.search(rf"^{title}:\n((?:(?: .*)?\n?)*)", text, re.MULTILINE)
    return inspect.cleandoc("\n" + body[1]) if body else ""


def entries(text, title):
    """The names that a section explains: ``start, end: half-open`` explains two."""
    lines = re.findall(r"^(\w+(?:, \w+)*): ", section(text, title), re.MULTILINE)
    return {name for line in lines for name in line.split(", ")}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_states_its_rule_in_the_fixed_sentence(hook):
    """A reader knows from one sentence, the same everywhere, who is asked."""
    paragraphs = inspect.getdoc(HOOKS[hook].function).split("\n\n")
    assert paragraphs[1] == SENTENCES[HOOKS[hook].rule]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_explains_exactly_its_parameters(hook):
    """``Args`` names what an implementation may ask for, and nothing else."""
    assert entries(inspect.getdoc(HOOKS[hook].function), "Args") == {*HOOKS[hook].parameters}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_an_example_that_implements_it(hook):
    """The example's class carries a marked method of the hook's name and arguments."""
    example = section(inspect.getdoc(HOOKS[hook].function), "Example")
    source = "\n".join(line[4:] for line in example.splitlines() if line[:4] in (">>> ", "... "))
    methods = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == hook
    ]
    assert len(methods) == 1
    assert [ast.unparse(mark) for mark in methods[0].decorator_list] == ["hookimpl"]
    assert [argument.arg for argument in methods[0].args.args] == ["self", *HOOKS[hook].parameters]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_annotation_of_a_hook_resolves(hook):
    """Each parameter and the result have a type that can be had at run time."""
    hints = type_hints(HOOKS[hook].function)
    assert {*HOOKS[hook].parameters, "return"} == {*hints}


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_explains_its_attributes(record):
    """``Attributes`` of a public record names each field and no other."""
    fields = {field.name for field in attrs.fields(RECORDS[record])}
    assert entries(inspect.getdoc(RECORDS[record]), "Attributes") | STAMPED == fields | STAMPED


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_is_frozen_and_keyword_only(record):
    """A record never changes, and a new field breaks no caller."""
    fields = attrs.fields(RECORDS[record])
    assert all(field.kw_only for field in fields if field.init)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(object.__new__(RECORDS[record]), fields[0].name, None)


@pytest.mark.parametrize("record", RECORDS)
def test_every_annotation_of_a_record_resolves(record):
    """cattrs and attrs find types, where annotations are text."""
    assert not any(isinstance(field.type, str) for field in attrs.fields(resolve(RECORDS[record])))


@pytest.mark.parametrize("name", [n for n, value in PUBLIC.items() if callable(value)])
def test_everything_public_is_documented(name):
    """Whatever a plugin imports says what it is."""
    assert inspect.getdoc(PUBLIC[name])


def test_specs_lists_every_hook_of_the_package():
    """No module of the contract holds a specification that `specs` does not give."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(
            interlock_hookspecs.__path__, f"{interlock_hookspecs.__name__}."
        )
        if ".conformance." not in found.name
    ]
    marked = {
        name
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value) and spec_of(value)
    }
    assert marked == {*HOOKS}


def test_hooks_come_in_the_order_of_a_models_life():
    """Every hook belongs to a role, and the roles stand in order."""
    places = [ROLES.index(role) for spec in HOOKS.values() for role in spec.roles]
    assert places == sorted(places)
    assert {*places} == {*range(len(ROLES))}


def test_a_stand_in_names_a_required_hook_of_its_role():
    """What may be implemented instead of another is asked for in the same role."""
    for spec in HOOKS.values():
        if spec.instead is not None:
            assert HOOKS[spec.instead].required
            assert HOOKS[spec.instead].roles == spec.roles


def test_importing_the_contract_imports_pluggy_and_attrs_only():
    """A plugin that imports the contract pays for two small libraries and nothing else."""
    script = "import sys; import interlock_hookspecs; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {name.partition(".")[0] for name in {*done.stdout.split()} - {*bare.stdout.split()}}
    assert imported - sys.stdlib_module_names == {"interlock_hookspecs", "pluggy", "attr", "attrs"}


def test_the_specifications_import_no_record_that_is_imported_later():
    """Whoever loads the contract waits for the records that it names, and for no others."""
    script = (
        "import sys, interlock_hookspecs as contract; contract.specs(); print(*sys.modules);"
        "contract.Check; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded, asked = ({*line.split()} for line in done.stdout.splitlines())
    later = {f"interlock_hookspecs.{home}" for home in interlock_hookspecs._HOMES.values()}
    assert not later & loaded
    assert later & asked == {"interlock_hookspecs.checks"}


def test_what_the_contract_lacks_is_an_error_as_ever():
    """A name that is imported when it is asked for is one of the contract's, and no other is."""
    assert interlock_hookspecs._HOMES.keys() <= {*interlock_hookspecs.__all__}
    with pytest.raises(AttributeError, match="has no attribute 'Chekc'"):
        interlock_hookspecs.Chekc  # noqa: B018  (asking is the act)


def test_a_plugins_settings_hide_secrets_and_its_instances_differ():
    """Two plugins with equal settings are two, and neither prints its password."""

    @plugin(contract="1.0")
    class Store:
        password: interlock_hookspecs.Secret[str] = setting(doc="how to get in")

        @hookimpl
        def on_event(self, event):
            """Hear nothing."""

    one, other = (Store(password=interlock_hookspecs.Secret("hunter2")) for _ in range(2))
    assert one != other
    assert "hunter2" not in repr(one)
    assert contract_of(Store) == "1.0"


@functools.cache
def tree(path):
    return tuple(ast.walk(ast.parse(path.read_bytes())))


def nodes(path, kind):
    return [node for node in tree(path) if isinstance(node, kind)]


@functools.cache
def calls(path):
    """The methods that a file calls or asks for by name, from its syntax and not its comments."""
    found = nodes(path, ast.Call)
    asked = [call.args[1] for call in found if ast.unparse(call.func) == "ask" and call.args[1:]]
    names = {name.value for name in asked if isinstance(name, ast.Constant)}
    return names | {call.func.attr for call in found if isinstance(call.func, ast.Attribute)}


KIT = "interlock_hookspecs.conformance"


@functools.cache
def suites(path):
    """The files of the conformance suites that a file inherits tests from, and what those use."""
    inherited = {
        base.id
        for found in nodes(path, ast.ClassDef)
        for base in found.bases
        if isinstance(base, ast.Name)
    }
    folder = ROOT / "hookspecs" / KIT.replace(".", "/")
    found = {
        suite
        for suite in folder.rglob("*.py")
        if inherited & {found.name for found in nodes(suite, ast.ClassDef)}
    } - {path}
    used = {
        folder / f"{taken.module.removeprefix(KIT + '.')}.py"
        for suite in found
        for taken in nodes(suite, ast.ImportFrom)
        if taken.module.startswith(KIT + ".")
    }
    return found.union(used, *map(suites, found))


def implemented():
    """Each hook of each plugin of this repository, as (the plugin's folder, the hook)."""
    folders = [path.parent for path in ROOT.glob("plugins/*/pyproject.toml")]
    folders += [path.parent for path in ROOT.glob("contrib/*/pyproject.toml")]
    return sorted(
        {
            (folder.relative_to(ROOT).as_posix(), function.name)
            for folder in folders
            for path in folder.rglob("*.py")
            # Each worker collects this: a file that has none is not parsed.
            if not path.name.startswith("test_") and b"@hookimpl" in path.read_bytes()
            for function in nodes(path, ast.FunctionDef)
            if any(ast.unparse(mark) == "hookimpl" for mark in function.decorator_list)
        }
    )


@pytest.mark.parametrize(("folder", "hook"), implemented())
def test_every_hook_of_a_plugin_is_called_by_its_own_tests(folder, hook):
    """What a plugin implements, a test beside it calls, itself or through a suite."""
    files = list((ROOT / folder).rglob("test_*.py"))
    files += [suite for path in files for suite in suites(path)]
    assert hook in {name for path in files for name in calls(path)}
