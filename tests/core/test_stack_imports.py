"""Reading a stack file costs the contract and little more."""

import subprocess
import sys

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
