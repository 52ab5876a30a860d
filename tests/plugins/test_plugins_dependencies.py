"""A distribution says itself what it needs: in an environment of its own there is nothing else."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEED_NUMPY = {"TableHasher", "table_digest", "is_positive", "decide", "decide_numbers"}
"""Functions of the contract that import numpy, which the contract itself does not require."""
IN_ANOTHER = {"interlock_pyfunc_v1.py"}
"""What is written into the folder of a model, and runs where that is served."""
MEMBERS = [
    *(ROOT / name for name in ("core", "worker", "serving")),
    *sorted(
        about.parent
        for members in ("plugins", "contrib", "core/interlock/template")
        for about in (ROOT / members).glob("*-*/pyproject.toml")
    ),
]


def sources(folder):
    """A member's own modules: no tests, no suites, no templates, no copies."""
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).parts
        aside = {"build", "template", "tests", "benchmarks"} & {*parts}
        if not (aside or path.name.startswith("test_") or "conformance" in path.stem):
            yield path


def imported(folder):
    """The modules that a member imports where they are used, and the contract's names it takes."""
    for path in sources(folder):
        if path.name in IN_ANOTHER:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # What is imported for type checking alone need not be there.
        typed = [
            node
            for branch in ast.walk(tree)
            if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
            for node in ast.walk(branch)
        ]
        for node in ast.walk(tree):
            if node in typed:
                continue
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module == "interlock_hookspecs":
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("folder", MEMBERS, ids=lambda folder: folder.name)
def test_who_needs_numpy_requires_it(folder):
    """It ended with `No module named 'numpy'` where nothing else had brought it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if {"numpy", *NEED_NUMPY} & set(imported(folder)):
        assert [need for need in project["dependencies"] if need.startswith("numpy>")]


def test_the_contract_has_the_functions_that_need_numpy():
    """A name that is none any more would be looked for in vain."""
    import interlock_hookspecs

    assert set(interlock_hookspecs.__all__) >= NEED_NUMPY
