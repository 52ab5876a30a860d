"""What packages of the core import: no more than is asked for."""

import importlib
import subprocess
import sys

import pytest

CODE = """
import sys
import interlock_hookspecs
before = set(sys.modules)
import interlock.stack
print(*sorted(set(sys.modules) - before))
"""
ALLOWED = ("interlock", "tomllib", "json")


def test_importing_the_reader_imports_nothing_heavy():
    """Beyond the contract only our own modules and small ones of the standard library load."""
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=None
    )
    others = [name for name in run.stdout.split() if name.partition(".")[0] not in ALLOWED]
    heavy = set(others) - sys.stdlib_module_names
    assert not heavy
    assert "difflib" not in others
    assert "importlib.resources" not in others


@pytest.mark.parametrize("package", ["interlock.ledger", "interlock.stack"])
def test_a_package_has_each_of_its_names(package):
    """Those that come when they are asked for, too; any other is an error as everywhere."""
    module = importlib.import_module(package)
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert module.__all__ == sorted(module.__all__)
    assert not hasattr(module, "nothing")
