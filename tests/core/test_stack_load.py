"""The stack file: what is read, where from, and what is said of its mistakes."""

from pathlib import Path

import attrs
import pytest

from interlock.errors import StackError, UnsetError
from interlock.stack import describe, init_template, load_stack
from interlock.stack.fields import BOUND, MODEL, POLICY, TASK
from interlock_hookspecs import Bound, ModelFacts, Policy, Secret, Task, reveal

EXAMPLE = """\
include = ["../platform/stacks.toml"]

[project]
name = "employment"
module = "project.py"

[model]
owner = "labour-insights"

[task]
dataset = "data/2015.parquet"
id = "id"
target = "employed"
kind = "binary"
positive = 1
time = "year"
exclude = ["prediction", "predicted_probability"]
sensitive = ["SEX", "RAC1P"]
holdout = 0.25

[policy]
approvals = 1

[policy.bounds]
"metrics.roc_auc" = ">= 0.85"
"fairness.selection_rate_ratio[RAC1P]" = { bound = ">= 0.80", severity = "explain" }

[stack.dev]
data = "files"
train = "sklearn"
validate = ["metrics", "fairness"]
registry = "sql"
govern = ["policy", "card"]
deploy = "local"
monitor = ["drift", "performance"]
ledger = "sqlite:///.interlock/ledger.db"

[stack.dev.train-sklearn]
estimator = "sklearn.tree.DecisionTreeClassifier"

[stack.prod]
extends = "dev"
registry = "mlflow"
ledger = "${LEDGER_URL}"
"""
SMALL = '[project]\nname = "p"\n[stack.dev]\ntrain = "sklearn"\n'


@pytest.fixture
def example(write):
    return write({"interlock.toml": EXAMPLE, "project.py": "", "../platform/stacks.toml": ""})


def problems_of(folder, **options):
    with pytest.raises(StackError) as caught:
        load_stack(folder, **options)
    return caught.value.problems


def test_example_loads(example):
    """The design's stack file gives its task, its policy and its plugins in order."""
    stack = load_stack(example)
    assert stack.name == "dev"
    assert stack.names == ("dev", "prod")
    assert stack.task.features(["id", "AGEP", "year", "employed"]) == ("AGEP",)
    assert stack.task.dataset == str(example / "data/2015.parquet")
    assert stack.plugin_names()[:4] == (
        "data-files",
        "train-sklearn",
        "validate-metrics",
        "validate-fairness",
    )
    assert stack.ledger == f"sqlite:///{example}/.interlock/ledger.db"
    assert stack.artifacts == str(example / ".interlock/artifacts")
    assert stack.endpoint == "employment"
    assert [bound.severity for bound in stack.policy.bounds] == ["refuse", "explain"]


def test_file_is_found_above(example):
    """A command run deep inside the project finds its stack file."""
    deep = example / "a" / "b"
    deep.mkdir(parents=True)
    assert load_stack(deep).root == example


def test_no_file_tells_init(tmp_path):
    """Without a stack file the error names the command that writes one."""
    (problem,) = problems_of(tmp_path)
    assert "interlock.toml" in problem
    assert "interlock init" in problem


def test_stack_extends(example):
    """A stack that extends another keeps what it does not say."""
    stack = load_stack(example, name="prod", environ={"LEDGER_URL": "postgresql://u:pw@db/l"})
    assert stack.selected("registry") == ("mlflow",)
    assert stack.selected("train") == ("sklearn",)
    assert stack.settings["train-sklearn"]["estimator"].endswith("DecisionTreeClassifier")
    assert stack.origins["stack.prod.train"].via == "extends"
    assert reveal(stack.ledger) == "postgresql://u:pw@db/l"


def test_stack_drops_a_stage(write):
    """A stack drops a stage of the one that it extends by an empty list."""
    text = SMALL + '[stack.fit]\nextends = "dev"\ntrain = []\nregistry = "sql"\n'
    assert load_stack(write({"interlock.toml": text}), name="fit").plugin_names() == (
        "registry-sql",
    )


def test_all_mistakes_at_once(write):
    """Every mistake is said in one go, each with file, line, place and the nearest name."""
    text = """\
[project]
name = "p"
[task]
targt = "employed"
holdout = 2
seed = "5"
threshold = true
split = "time"
min_group = 5
[polcy]
[stack.dev]
trian = "sklearn"
registry = ["sql", "mlflow"]
[stack.dev.tain-sklearn]
x = 1
"""
    found = problems_of(write({"interlock.toml": text}))
    expected = """\
3: [task] dataset: is missing
4: [task] targt: unknown key; did you mean 'target'?
5: [task] holdout: expected a share between 0 and 1, for example 0.25, found 2
6: [task] seed: expected a whole number, 0 or more, found '5'
7: [task] threshold: expected a score from 0 to 1, found true
8: [task] split: split = "time" needs the time column
9: [task] min_group: unknown key; it belongs in [policy]
10: polcy: unknown table or key; did you mean 'policy'?
12: [stack.dev] trian: unknown key; did you mean 'train'?
13: [stack.dev] registry: expected the word of one plugin
14: [stack.dev] tain-sklearn: unknown table
"""
    for line, start in zip(found, expected.splitlines(), strict=True):
        assert line.startswith(f"interlock.toml:{start}")
    assert found[-1].endswith("did you mean 'train-sklearn'?")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("dataset = 3", "expected a text"),
        ('dataset = ""', "an empty text"),
        ('dataset = "  "', "an empty text"),
        ("positive = 0.5", "a whole number, a text or a switch"),
        ('exclude = "id"', "a list of texts"),
        ("exclude = [1]", "a list of texts"),
        ("seed = 1.0", "a whole number"),
        ("seed = -1", "a whole number, 0 or more"),
        ("seed = true", "true (a switch)"),
        ("seed = 0xfffffffffffffffffffffff", "beyond 64 bits"),
        ("threshold = nan", "found nan"),
        ("threshold = inf", "found inf"),
        ("holdout = 0", "between 0 and 1"),
        ('split = "random"', '"hash" or "time"'),
        ("types = { x = 1 }", "table of column"),
        ('target = "${TARGET}"', "takes no ${...}"),
        ("target = 2020-01-01", "found a date"),
    ],
)
def test_task_is_strict(write, said, expected):
    """A value of the wrong type or out of its bounds is refused, never coerced."""
    key = said.split()[0]
    dataset = "" if key == "dataset" else 'dataset = "a"\n'
    text = f"{SMALL}[task]\n{dataset}{said}\n"
    (problem,) = problems_of(write({"interlock.toml": text}))
    assert f"[task] {key}: " in problem
    assert expected in problem


def test_integer_stands_for_a_float(write):
    """A threshold of 1 is the number 1.0."""
    text = f'{SMALL}[task]\ndataset = "a"\nthreshold = 1\n'
    assert type(load_stack(write({"interlock.toml": text})).task.threshold) is float


def test_broken_toml_has_its_line(write):
    """A file that is no TOML is refused with the line and what is wrong there."""
    (problem,) = problems_of(write({"interlock.toml": "[project]\nname = \n"}))
    assert problem == "interlock.toml:2: syntax: this is no TOML: Invalid value (column 8)"


def test_undecodable_file(write):
    """A file that is not UTF-8 is refused, with the byte."""
    folder = write({"interlock.toml": ""})
    (folder / "interlock.toml").write_bytes(b"a = '\xff'")
    assert "is not UTF-8 at byte 5" in problems_of(folder)[0]


def test_a_folder_that_is_not_named_in_utf8(write):
    """It is refused before anything is recorded in it, with its bytes and what to do."""
    folder = write({"caf\udce9/interlock.toml": SMALL}) / "caf\udce9"
    with pytest.raises(StackError) as caught:
        load_stack(folder)
    (problem,) = caught.value.problems
    assert "caf\\xe9/interlock.toml: the name is not UTF-8" in problem
    assert caught.value.hint.startswith("rename what has \\x in it")


def test_nesting_without_end(write):
    """A file nested beyond reason is refused as one."""
    (problem,) = problems_of(write({"interlock.toml": f"a = {'[' * 5000}{']' * 5000}"}))
    assert "nested too deep" in problem


def test_circle_of_extends(write):
    """Stacks that extend each other are refused once, with the way round."""
    text = (
        '[project]\nname = "p"\n[stack.a]\nextends = "b"\n[stack.b]\nextends = "a"\n'
        '[stack.c]\nextends = "aa"\n'
    )
    found = problems_of(write({"interlock.toml": text}))
    assert "goes in a circle: a -> b -> a" in found[0]
    assert "there is no stack 'aa'; did you mean 'a'?" in found[1]
    assert len(found) == 2


def test_environment(example):
    """A variable that is missing is named with its key where it is used, and no value is."""
    stack = load_stack(example, name="prod", environ={"OTHER": "hunter2"})
    assert "hunter2" not in repr(stack)
    assert stack.address("artifacts").endswith(".interlock/artifacts")
    with pytest.raises(UnsetError) as caught:
        stack.address("ledger")
    (problem,) = caught.value.problems
    assert problem.startswith("interlock.toml:")
    assert problem.endswith(
        "[stack.prod] ledger: needs the environment variable LEDGER_URL, which is not set"
    )
    rows = {row.key: row for row in describe(stack)}
    assert rows["stack.prod.ledger"].value == "***"
    assert rows["stack.prod.ledger"].origin.endswith("${LEDGER_URL} (not set)")


def test_defaults_and_escapes(write):
    """``${NAME:-text}`` has a default and ``$${`` is the characters themselves."""
    text = f"{SMALL}[stack.dev.train-sklearn]\na = '${{A:-x}}-${{B}}'\nb = '$${{A}}'\n"
    stack = load_stack(write({"interlock.toml": text}), environ={"B": "bee"})
    assert stack.settings["train-sklearn"] == {"a": Secret("x-bee"), "b": "${A}"}
    assert stack.settings_text("train-sklearn") == '{"a":"${A:-x}-${B}","b":"$${A}"}'


def test_broken_reference(write):
    """A ``${`` that names nothing is a mistake, wherever it stands."""
    text = f"{SMALL}ledger = '${{no name}}'\n[stack.dev.train-sklearn]\na = ['${{']\n"
    found = problems_of(write({"interlock.toml": text}))
    assert len(found) == 2
    assert all("write ${NAME}" in problem for problem in found)


@pytest.mark.parametrize("plugin", ["registry-mlflow", "train-sklearn"])
def test_settings_need_no_environment_to_be_read(write, plugin):
    """Selected or not: who asks the plugin needs it, and not who reads the file."""
    text = f"{SMALL}[stack.dev.{plugin}]\nurl = '${{MLFLOW}}'\n"
    stack = load_stack(write({"interlock.toml": text}), environ={})
    assert stack.plugin_names() == ("train-sklearn",)
    assert [missing.variables for missing in stack.unset] == [("MLFLOW",)]


def test_overrides(example):
    """``--set`` replaces values of the task, the stack and settings, read as TOML or as text."""
    stack = load_stack(
        example,
        overrides=[
            "task.seed=7",
            "task.target=income",
            'validate=["metrics"]',
            "registry=mlflow",
            "train-sklearn.parameters.max_depth=3",
            "train-sklearn.estimator=a.b=c",
            "model.tier='high'",
        ],
    )
    assert (stack.task.seed, stack.task.target, stack.model.tier) == (7, "income", "high")
    assert stack.selected("validate") == ("metrics",)
    assert stack.settings["train-sklearn"] == {
        "estimator": "a.b=c",
        "parameters": {"max_depth": 3},
    }
    assert stack.origins["task.seed"].via == "override"
    assert {row.key: row.origin for row in describe(stack)}["task.seed"] == "--set"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("policy.approvals=0", "policy is never overridden"),
        ("policy=0", "policy is never overridden"),
        ('policy.bounds."metrics.roc_auc"=>= 0', "policy is never overridden"),
        ('"policy".approvals=0', "policy is never overridden"),
        ("project.name=x", "is not overridden"),
        ("extends=x", "is not overridden"),
        ("task.sed=1", "did you mean 'seed'?"),
        ("trian=x", "did you mean 'train'?"),
        ("stack.dev.train=x", "leave out 'stack.NAME'"),
        ("task.seed", "is no assignment"),
        ("=5", "is no assignment"),
        ("#=5", "is no assignment"),
        ('"\\q".a=5', "is no assignment"),
        ("task.seed=1\nx=2", "expected a whole number"),
        ("a\nb.c=5", "is no assignment"),
        ("train-sklearn=5", "names a plugin and no setting"),
    ],
)
def test_override_mistakes(example, override, expected):
    """An override that sets nothing, or the policy, is refused in one sentence."""
    (problem,) = problems_of(example, overrides=[override])
    assert problem.startswith("--set ")
    assert expected in problem


def test_descriptions_fit_the_records():
    """The keys of the file are the fields of the contract's records: none is forgotten."""

    def names(cls):
        return {field.name for field in attrs.fields(cls)}

    assert set(TASK) == names(Task) - {"min_group"}
    assert set(POLICY) == names(Policy) - {"bounds"}
    assert set(MODEL) == names(ModelFacts)
    assert set(BOUND) == names(Bound) - {"key", "op", "limit", "included"} | {"bound"}


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_init_writes_a_file_that_loads(write, kind):
    """What ``init`` writes has no approval and one bound, and is right as it stands."""
    text = init_template("my-project", kind=kind)
    stack = load_stack(write({"interlock.toml": text}))
    assert stack.policy.approvals == 0
    assert len(stack.policy.bounds) == 1


def test_lines_of_keys(write):
    """A key's line is found past comments, texts of many lines and lists that hold brackets."""
    text = (
        "# [task]\n"
        "[project] # ]\n"
        'name = "p"\n'
        "[stack.dev] \n"
        'train = "x"\n'
        "[stack.dev.train-x]\n"
        'text = """[a]\nb = 1\\"""\n"""\n'
        "list = [ # ]\n '[', [1,\n 2]]\n"
        '"quoted.key" = {a = "}", b.c = 1}\n'
        "dotted . key = 1\n"
    )
    origins = load_stack(write({"interlock.toml": text})).origins
    lines = {key.removeprefix("stack.dev.train-x."): origin.line for key, origin in origins.items()}
    assert (lines["text"], lines["list"], lines["quoted.key"], lines["dotted"]) == (7, 10, 13, 14)


def test_unreadable_module(write):
    """A project module that is not there is said with its line."""
    text = SMALL.replace('"p"', '"p"\nmodule = "project.py"')
    (problem,) = problems_of(write({"interlock.toml": text}))
    assert problem == "interlock.toml:3: [project] module: 'project.py': there is no such file"


def test_file_may_be_named(write):
    """A stack file of another name is read where it is given."""
    folder = write({"other.toml": SMALL})
    assert load_stack(Path("/"), file=folder / "other.toml").root == folder
