"""The documentation against the code: nothing missing, nothing that is not there."""

import ast
import functools
import importlib
import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path

import click
import pytest

import interlock_hookspecs as contract
from interlock import errors
from interlock.plugins.discover import installed
from interlock.plugins.load import load_class
from interlock_hookspecs.conformance.suite import run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
READ = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
READ += [*sorted(DOCS.rglob("*.md")), *sorted((ROOT / "contrib").rglob("README.md"))]
READ += sorted((ROOT / "plugins").glob("*/README.md"))
KIND = re.compile(r"[a-z]+\.[a-z_]+")
TYPED = re.compile(r"(?:^\$ (?:\w+=\S+ )*|^|`)(interlock [^`\n#]*)", re.MULTILINE)


def load(path):
    """A script of the documentation, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(DOCS))  # as conf.py has it
reference = importlib.import_module("reference")
contract_reference = importlib.import_module("contract_reference")
mutants = importlib.import_module("mutants")
role_guides = importlib.import_module("role_guides")


@functools.cache
def pages():
    """Every page of the documentation, its generated parts in place."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md")))
    return "\n".join(reference.expand(text) for text in texts)


@functools.cache
def commands():
    """Every command by the words that one types."""
    return reference.commands()


@pytest.mark.parametrize("name", contract.specs())
def test_the_reference_has_every_hook_with_its_rule(name):
    """A hook's entry has its signature, and the sentence that says who is asked."""
    entry = pages().partition(f"(contract-{name})=")[2].partition("\n(contract-")[0]
    spec = contract.specs()[name]
    assert contract_reference.signature(spec.function) in entry
    assert contract.SENTENCES[spec.rule] in entry
    for argument in spec.parameters:
        assert f"- `{argument}`: " in entry


@pytest.mark.parametrize(
    "name", [name for name in contract.__all__ if isinstance(getattr(contract, name), type)]
)
def test_the_reference_has_every_record_with_its_fields(name):
    """A record's entry lists each field."""
    entry = pages().partition(f"(contract-{name.lower()})=")[2].partition("\n(contract-")[0]
    assert f"### `{name}`" in entry
    record = getattr(contract, name)
    fields = () if issubclass(record, Exception) else getattr(record, "__attrs_attrs__", ())
    for field in fields:
        assert f"- `{field.name}: " in entry


@pytest.mark.parametrize("words", commands())
def test_the_reference_has_every_command_with_its_options(words):
    """A command's entry has its help and each option."""
    mark = f"(cli-{words.replace(' ', '-')})="
    entry = pages().partition(mark)[2].partition("\n(cli-")[0]
    assert f"# `{words}`" in entry
    for option in commands()[words].params:
        if isinstance(option, click.Option):
            assert option.opts[0] in entry


@pytest.mark.parametrize("name", installed())
def test_the_reference_has_every_setting_of_every_plugin(name):
    """A plugin's entry lists its settings with what each does."""
    entry = pages().partition(f"(plugin-{name})=")[2].partition("\n(plugin-")[0]
    for field in load_class(installed()[name]).__attrs_attrs__:
        if "doc" in field.metadata:
            assert f"- `{field.name}: " in entry, field.name


def readme_of(name):
    """The README of a plugin's own folder."""
    return next(ROOT.glob(f"*/{name}/README.md"), None)


def settings_told(path):
    """The names in the tables of settings of a README."""
    told, within = set(), False
    for line in path.read_text(encoding="utf-8").splitlines():
        first = line.split("|")[1].strip() if line.startswith("|") else ""
        within = first == "setting" or (within and bool(first))
        told |= set(re.findall(r"`(\w+)`", first)) if within else set()
    return told


@pytest.mark.parametrize("name", [name for name in installed() if readme_of(name)])
def test_the_readme_of_a_plugin_has_its_settings_and_no_others(name):
    """Those that a server takes over from deploy-local are told there."""
    path = readme_of(name)
    fields = load_class(installed()[name]).__attrs_attrs__
    settings = {field.name for field in fields if "doc" in field.metadata}
    told = settings_told(path)
    assert told <= settings
    text = path.read_text(encoding="utf-8")
    if "(../deploy-local/README.md#settings)" in text:
        told |= settings_told(readme_of("deploy-local"))
    assert {
        setting for setting in settings - told if f"the setting `{setting}`" not in text
    } == set()


def test_every_part_that_is_generated_is_on_a_page():
    """No stage of the contract, table of the stack file or other part is left out."""
    asked = set(re.findall(r"^% generated: (.*)$", all_sources(), re.MULTILINE))
    hooks = {f"hooks {stage}" for stage in contract.SPEC_MODULES}
    modules = {getattr(getattr(contract, name), "__module__", "") for name in contract.__all__}
    homes = {name[len("interlock_hookspecs.") :] for name in modules if "hookspecs." in name}
    records = {f"records {home}" for home in homes - {*contract_reference.FOUNDATION}}
    tables = {"project", "model", "task", "policy", "bound", "stack"}
    assert hooks | records | {f"stack_keys {table}" for table in tables} <= asked
    assert {line.split()[0] for line in asked} == set(reference.PARTS)


@pytest.mark.parametrize("role", contract.ROLES)
def test_every_role_has_a_guide_with_its_hooks_and_its_promises(role):
    """A page that asks for both; what it then says is all of the contract and of the suite."""
    # The two roles that hear events have one hook, and one page.
    name = {"events": "track"}.get(role, role)
    page = (DOCS / f"how-to/plugins/{name}.md").read_text(encoding="utf-8")
    assert {f"% generated: {part} {name}" for part in ("role_hooks", "role_suite")} <= {
        *page.splitlines()
    }
    assert page.partition("## What to look out for")[2].count("\n- ") >= 4
    shown = reference.expand(page)
    hooks = [spec for spec in contract.specs().values() if role in spec.roles]
    assert all(f"#contract-{spec.name.lower()}" in shown for spec in hooks)
    suite = role_guides.suite_of(role)
    promised = [test for test in dir(suite) if test.startswith("test_")]
    held = shown.partition("## What is held")[2].partition("\n## ")[0]
    assert held.count("\n- ") == len(promised)


@pytest.mark.parametrize("stage", sorted(mutants.TESTS.glob("test_conformance_mutants_*.py")))
def test_the_wrong_plugins_of_a_suite_are_many_and_are_counted(stage):
    """Of each file of them at least ten are on the page; each breaks a test that there is."""
    name = stage.stem.removeprefix("test_conformance_mutants_").partition("_")[0]
    caught = list(mutants.caught_by(name))
    assert len(caught) >= 10
    assert {f"test_{test}" for _, test, _ in caught} <= set(dir(role_guides.suite_of(name)))
    assert f"| `{name.capitalize()}Suite` | " in pages()
    assert f" | {len(caught)} | " in pages()


def all_sources():
    """Every page as it is written."""
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))


def test_every_kind_of_event_is_documented():
    """What the core writes, and what the tables follow from, is in the ledger's reference."""
    text = (DOCS / "reference/ledger.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    assert written_kinds() == documented


def written_kinds():
    """The kinds that are appended anywhere in the core, or reduced to rows."""
    found = set()
    for path in (ROOT / "core/interlock").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            values = []
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                values = node.args if name in {"append", "_append", "Entry"} else []
            elif isinstance(node, ast.Dict) and "ledger" in path.parts:
                values = node.keys
            texts = (value.value for value in values if isinstance(value, ast.Constant))
            found |= {text for text in texts if isinstance(text, str) and KIND.fullmatch(text)}
    return found


def test_the_exit_codes_are_the_ones_of_the_code():
    """Each code is in the table under its name, in the reference and in the README."""
    names = ["done", "failed", "usage", "refused", "waiting", "found"]
    codes = {getattr(errors, name.upper()): name for name in names}
    for path in (DOCS / "reference/exit-codes.md", ROOT / "README.md"):
        rows = re.findall(r"^\| (\d) \| (\w+) \|", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert {int(code): name for code, name in rows} == codes


def test_the_readme_begins_with_two_commands_of_the_makefile():
    """``make demo`` and ``make test`` are there, and are targets."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"^\$? ?make (\w+)", readme, re.MULTILINE)[:2]
    assert (first, second) == ("demo", "test")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE):
            assert re.search(rf"^{target}:|^\$\(BENCHMARKS\)", makefile, re.MULTILINE), target


def test_the_files_that_begin_a_run_of_all_tests_are_there(request):
    """One that is renamed would fall back among the rest, unnoticed."""
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    assert [path for path in conftest.LONG if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("path", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_types_is_a_command_with_those_options(path):
    """Every ``interlock ...`` in code names a command, and options that it has."""
    for found in TYPED.finditer(code(path.read_text(encoding="utf-8"))):
        words = shlex.split(found[1].partition(" > ")[0].partition(" && ")[0])
        if len(words) == 1 or words[1].startswith("-") or words[1] == "COMMAND":
            continue
        name = " ".join(words[:2])
        assert name in commands(), found[1]
        command = commands()[name]
        if isinstance(command, click.Group) and len(words) > 2 and not words[2].startswith("-"):
            command = commands()[" ".join(words[:3])]
        options = {text for param in command.params for text in param.opts}
        for word in words[2:]:
            if word.startswith("--"):
                assert word.partition("=")[0] in options | {"--help", "--debug"}, found[1]


def code(text):
    """The code of a page: fences of commands, and code within lines that begins a command."""
    every = re.findall(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    fences = [content for language, content in every if language in ("", "console", "text", "sh")]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for fence in fences for line in fence.splitlines() if "  - " not in line]
    typed = [line for line in lines if re.match(r"(\$ (\w+=\S+ )*)?interlock \w", line)]
    return "\n".join(typed + re.findall(r"`interlock [^`\n]+`", prose))


@pytest.mark.parametrize("path", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_stack_file_on_a_page_has_only_keys_that_there_are(path):
    """Every TOML block parses; its tables, keys and settings are known."""
    from interlock.stack import fields
    from interlock.stack.hosting import HOSTING
    from interlock.stack.rollout import ROLLOUT

    known = {"project": fields.PROJECT, "model": fields.MODEL, "task": fields.TASK}
    for block in re.findall(
        r"^```(?:\{code-block\} )?toml\n(.*?)^```",
        path.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    ):
        data = tomllib.loads(re.sub(r"\A(:\w+: .*\n)+", "", block))
        if "build-system" in data or "entry-points" in data.get("project", {}):
            continue  # a distribution's, and no stack file
        for table, keys in known.items():
            assert set(data.get(table, {})) <= set(keys)
        assert set(data.get("policy", {})) <= {*fields.POLICY, "bounds"}
        for stack in data.get("stack", {}).values():
            for key, value in stack.items():
                if key == "rollout":
                    assert set(value) <= {*ROLLOUT, "bounds"}
                elif isinstance(value, dict):
                    assert set(value) <= settings(key) | HOSTING.keys(), key
                else:
                    assert key in fields.stack_keys()


def settings(name):
    """The settings of an installed plugin, or of the one that a how-to guide writes."""
    if name == "validate-balance":
        cls = load(DOCS / "how-to/plugin/interlock_validate_balance.py").Balance
    else:
        cls = load_class(installed()[name])
    return {field.name for field in cls.__attrs_attrs__ if "doc" in field.metadata}


def test_the_plugin_of_the_guide_keeps_to_the_contract(monkeypatch):
    """It loads without a breach, and its own tests pass."""
    from interlock_hookspecs.form import breaches

    folder = DOCS / "how-to/plugin"
    module = load(folder / "interlock_validate_balance.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert list(breaches(module.Balance, "validate")) == []
    tests = load(folder / "test_validate_balance.py")
    tests.test_it_measures_the_rarest_class()
    tests.test_it_raises_a_concern_below_the_setting()
    outcomes = run(tests.TestBalance, lambda folder: module.Balance())
    assert [one for one in outcomes if one.status == "broken"] == []


@pytest.mark.parametrize("path", READ[:3], ids=lambda path: path.name)
def test_the_links_of_a_page_outside_of_the_documentation_lead_somewhere(path):
    """Sphinx checks the links of its own pages; these are the others."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), target


def test_the_readme_tells_what_was_measured():
    """The numbers that it boasts of are those of the table, as the benchmarks wrote it."""
    table = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    found = {
        name: float(value)
        for name, value in re.findall(r"^\| (.+?) \| ([\d.]+) x", table, re.MULTILINE)
    }
    rates = [
        found[f"served, 1 row, c = 16: logistic by {peer}"]
        for peer in ("MLServer", "mlflow models serve", "floor")
    ]
    runs, helps = (
        [found[f"{what}, {peer} by Interlock, CPU"] for peer in ("Kedro", "ZenML", "MLflow")]
        for what in ("the same training", "--help")
    )
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for sentence in (
        "{:.0f} times as often as MLServer does, {:.0f} times as often as `mlflow models serve`, "
        "and {:.2f} times as often as a server that computes nothing".format(*rates),
        "Kedro takes {:.1f} times as much of the processor as `interlock run`, ZenML {:.1f} times "
        "and MLflow {:.1f} times".format(*runs),
        "until their `--help` is there, {:.0f}, {:.0f} and {:.0f} times".format(*helps),
    ):
        assert sentence in told
