"""Every promise of the role, against a real MLflow server and against its SQLite database."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest

from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_registry_mlflow import MlflowRegistry


@pytest.mark.real_backend
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")  # MLflow's own
class TestMlflowDatabase(RegistrySuite):
    """MLflow's own database, opened here."""

    @pytest.fixture
    def plugin(self, mlflow_database: Path, tmp_path: Path) -> MlflowRegistry:
        shutil.copyfile(mlflow_database, tmp_path / "mlflow.db")
        return MlflowRegistry(uri="sqlite:///mlflow.db", root=tmp_path)


@pytest.mark.real_backend
class TestMlflowServer(RegistrySuite):
    """A server, over HTTP."""

    @pytest.fixture
    def plugin(self, mlflow_server, tmp_path: Path) -> MlflowRegistry:
        return MlflowRegistry(
            uri=mlflow_server.url, prefix=f"{uuid.uuid4().hex}.", timeout=25.0, root=tmp_path
        )
