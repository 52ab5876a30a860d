"""The example of the README: copied alone elsewhere, its story runs, and runs again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "contrib/examples/employment"


@pytest.mark.real_backend
def test_the_story_is_told_twice_from_a_copied_folder(tmp_path):
    """The second telling does not fall over what the first left, and every step ends as told."""
    folder = tmp_path / "employment"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".demo", "__pycache__"))
    for _ in range(2):
        told = subprocess.run(
            [sys.executable, "demo.py"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    summary = told.stdout.partition("The life of a model, in")[2]
    words = ["refused", "released", "2016-2018", "under 30", "hot swap", "rollback", "tampering"]
    assert all(f"\n  {word}" in summary for word in words)
    assert " 0 failed" in summary
