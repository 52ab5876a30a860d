"""Every tool beside every other: what a run finds does not depend on who carries it."""

import itertools
import shutil
from collections import defaultdict

import pytest
from swap_project import add_version, found_by, holds, seed

from interlock.lifecycle.swap.apply import apply_plan
from interlock.plugins.discover import installed

# Of MLflow's own queries, in its registry and where its tables are made.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

# Where the rows are, for each tool that reads them.
DATA = {"files": "rows.parquet", "acme": "rows.jsonl"}
TRAIN = ("sklearn", "acme")
GOVERN = ("policy", "acme")
# Registries that need no server of their own; MLflow's, which takes seconds to import, goes once
# with each trainer.
REGISTRIES = ("sql", "git", "acme")
SLOW = "mlflow"


@pytest.fixture
def registries(acme):
    """Every registry that is installed: one that these tests do not know is not left out."""
    found = {plugin.word for plugin in installed().values() if plugin.role == "registry"}
    assert found == {*REGISTRIES, SLOW}
    return (*REGISTRIES, SLOW)


@pytest.fixture
def every(small, acme, rows):
    """A small project whose tools are set one by one, its rows there for each that reads them."""
    import json

    small.environ["PYTHONPATH"] = str(acme)
    (small.folder / "rows.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows.to_pylist())
    )
    small.edit("[policy]\n", '[model]\npurpose = "to see that it works"\n\n[policy]\n')
    small.edit('">= 0.6"', '">= 0.5"')  # the trainer of the template says the most frequent
    small.edit('validate = ["metrics"]', 'validate = ["metrics", "acme"]')
    return small


def stacks(combinations):
    """A stack for each combination of tools."""
    for place, (data, train, registry, govern) in enumerate(combinations):
        yield (
            f'[stack.s{place}]\nextends = "dev"\ndata = "{data}"\ntrain = "{train}"\n'
            f'registry = "{registry}"\ngovern = ["{govern}"]\n'
            f'ledger = "sqlite:///.interlock/s{place}.db"\n'
        )


def of_mlflow(folder, database):
    """Put MLflow's tables where its registry looks for them; making them anew takes seconds."""
    (folder / ".interlock").mkdir(exist_ok=True)
    shutil.copyfile(database, folder / ".interlock/mlflow.db")


def test_a_run_finds_the_same_whoever_carries_it(every, registries, mlflow_database):
    """For one trainer: one model and the same checks; for one judge, the same verdicts too."""
    combinations = [*itertools.product(DATA, TRAIN, REGISTRIES, GOVERN)]
    combinations += [("files", train, SLOW, "policy") for train in TRAIN]
    of_mlflow(every.folder, mlflow_database)
    with (every.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + "".join(stacks(combinations)))
    models, checks, verdicts, rows = defaultdict(set), defaultdict(list), defaultdict(list), set()
    for place, (data, train, _registry, govern) in enumerate(combinations):
        stack = f"s{place}"
        where = every.folder / DATA[data]
        every("run", "--stack", stack, "--until", "review", "--set", f"task.dataset={where}")
        model, dataset, measured, judged = found_by(every, stack)
        models[train].add(model)
        rows.add(dataset)
        checks[train].append(measured)
        verdicts[train, govern].append(judged)
    assert len(rows) == 1
    assert {train: len(found) for train, found in models.items()} == dict.fromkeys(TRAIN, 1)
    for same in (*checks.values(), *verdicts.values()):
        assert same[0]
        assert all(one == same[0] for one in same)


def test_every_pair_of_registries_there_and_back(small, opened, registries, mlflow_database):
    """The other holds the same, with facts, aliases and order; back, the one has what it had."""
    for place, (there, back) in enumerate(itertools.permutations(registries, 2)):
        folder = small.folder / f"pair{place}"
        folder.mkdir()
        of_mlflow(folder, mlflow_database)
        text = (small.folder / "interlock.toml").read_text(encoding="utf-8")
        text = text.replace('registry = "sql"', f'registry = "{there}"')
        text = text.replace('module = "project.py"\n', "")
        text += f'\n[stack.other]\nextends = "dev"\nregistry = "{back}"\n'
        (folder / "interlock.toml").write_text(text, encoding="utf-8")
        old, new = opened(folder, "dev"), opened(folder, "other")
        seed(old, 3)
        held = holds(old)
        apply_plan(old, new)
        assert holds(new) == holds(old) == held, (there, back)
        assert apply_plan(new, old).id == ""
        add_version(new, "late")
        apply_plan(new, old)
        assert holds(old) == holds(new), (back, there)
        assert holds(old)[:-1] == held
