"""What ``interlock plugins check train-command`` runs: a script that fits with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock_hookspecs.conformance.train import TrainSuite
from interlock_train_command import CommandTrainer

SCRIPT = Path(__file__).with_name("example.py")


class TestCommand(TrainSuite):
    """A trainer's promises, kept by a command whose script keeps to the task it is given."""

    @pytest.fixture
    def plugin(self, tmp_path: Path) -> CommandTrainer:
        """The script, in a project's folder of its own."""
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        return CommandTrainer(command=("{python}", str(SCRIPT)), root=project)
