"""A stand-in for a cluster with Seldon Core v2: an API server, a controller and a mesh.

The controller sets conditions in its own time, and only it writes a status. The mesh routes by the
last Experiment whose candidates were ready.
"""

from __future__ import annotations

import copy
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from kube_api import KubeApi

if TYPE_CHECKING:
    from seldon_kinds import Object

_TICK = 0.01


class SeldonCluster(KubeApi):
    """A cluster. What its controller is told to do wrong are its attributes, too.

    Attributes:
        slow: seconds until a Model is ready.
        fails: whether a Model fails to load, by its object.
        silent: whether no conditions are ever set.
        refuses_experiments: whether the scheduler makes no new Experiment active.
        switch: seconds until the mesh has heard of an Experiment.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.slow, self.switch = 0.0, 0.0
        self.fails: Callable[[Object], bool] = lambda _: False
        self.silent = self.refuses_experiments = False
        self.routes: dict[str, Object] = {}
        self._due: dict[str, float] = {}
        self._ending = threading.Event()
        super().__init__(tls=tls)

    def start(self) -> None:
        """Listen, on the same port each time, and control."""
        super().start()
        self._ending = threading.Event()
        threading.Thread(target=self._control, args=(self._ending,), daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more, and control nothing."""
        self._ending.set()
        super().stop()

    # -- what tests ask of it ----------------------------------------------------------------------

    def answers(self, experiment: str) -> bool:
        """Whether a request to an Experiment is answered now, whichever candidate it meets."""
        with self._lock:
            route = self.routes.get(experiment)
            if route is None:
                return False
            kind = "Pipeline" if route.get("resourceType") == "pipeline" else "Model"
            names = [each["name"] for each in route["candidates"] if each["weight"]]
            return all(_is_ready(self.objects.get((kind, name))) for name in names)

    def hurry(self) -> None:
        """Let everything that is late be heard of now, and what is written from now on at once."""
        with self._lock:
            self.slow = self.switch = 0.0
            self._due = dict.fromkeys(self._due, 0.0)

    def scale(self, name: str, replicas: int) -> None:
        """Do as a scaler does: write a Model's replicas."""
        with self._lock:
            self.objects["Model", name]["spec"]["replicas"] = replicas
            self._touch(self.objects["Model", name], generation=True)

    # -- the controller ----------------------------------------------------------------------------

    def written(self, found: Object) -> None:
        """Let what was written be heard of in its time; what is ready does not wait again."""
        late = {"Model": self.slow, "Experiment": self.switch}.get(found["kind"], 0.0)
        self._due[found["metadata"]["uid"]] = time.monotonic() + late

    def _control(self, ending: threading.Event) -> None:
        while not ending.wait(_TICK):
            with self._lock:
                for (kind, name), found in list(self.objects.items()):
                    self._control_one(kind, name, found)

    def _control_one(self, kind: str, name: str, found: Object) -> None:
        meta = found["metadata"]
        if meta.get("deletionTimestamp"):
            del self.objects[kind, name]
            if kind == "Experiment":
                self.routes.pop(name, None)
            return
        if not meta.get("finalizers"):
            meta["finalizers"] = [f"seldon.{kind.lower()}.finalizer"]
            self._touch(found)
        if self.silent:
            return
        late = time.monotonic() < self._due[meta["uid"]]
        conditions = getattr(self, f"_{kind.lower()}_conditions")(name, found, late=late)
        status = [{"type": each, "status": value, **more} for each, value, more in conditions]
        if status and found.get("status", {}).get("conditions") != status:
            found["status"] = {"conditions": status}
            self._touch(found)

    def _model_conditions(self, name: str, found: Object, *, late: bool) -> Any:  # noqa: ARG002
        if self.fails(found):
            why = {"reason": "ModelFailed", "message": "rpc error: the model does not load"}
            return [("ModelReady", "False", why), ("Ready", "False", why)]
        if late:
            why = {"reason": "ModelProgressing", "message": ""}
            return [("ModelReady", "False", why), ("Ready", "False", why)]
        why = {"reason": "ModelAvailable"}
        return [("ModelReady", "True", why), ("Ready", "True", {})]

    def _pipeline_conditions(self, name: str, found: Object, *, late: bool) -> Any:  # noqa: ARG002
        steps = [each["name"] for each in found["spec"]["steps"]]
        if name in steps:
            why = {"message": f"pipeline {name} must not have a step name with the same name"}
            return [("PipelineReady", "False", why), ("Ready", "False", why)]
        ready = all(_is_ready(self.objects.get(("Model", step))) for step in steps)
        return [("ModelsReady", str(ready), {}), ("Ready", str(ready), {})]

    def _experiment_conditions(self, name: str, found: Object, *, late: bool) -> Any:
        spec = found["spec"]
        kind = "Pipeline" if spec.get("resourceType") == "pipeline" else "Model"
        mirror = [spec["mirror"]["name"]] if spec.get("mirror") else []
        names = [*(each["name"] for each in spec["candidates"]), *mirror]
        ready = bool(names) and len(names) == len(set(names))
        ready &= spec.get("default", names[0]) in names
        ready &= not self.refuses_experiments or self.routes.get(name) == spec
        ready &= all(_is_ready(self.objects.get((kind, each))) for each in names)
        # As the operator does it: conditions are those of before until the scheduler has answered.
        if late:
            return []
        if ready:
            self.routes[name] = copy.deepcopy(spec)
        said = str(ready)
        return [("CandidatesReady", said, {}), ("ExperimentReady", said, {}), ("Ready", said, {})]


def _is_ready(found: Object | None) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.fixture
def seldon_cluster() -> Iterator[SeldonCluster]:
    """A cluster of a test's own."""
    cluster = SeldonCluster()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def core_v2(seldon_cluster: SeldonCluster, tmp_path: Path) -> Callable[..., Any]:
    """Make deploy-seldon for the cluster; settings may be others."""
    from interlock_deploy_seldon import SeldonServer

    made = SeldonServer(
        target="core-v2",
        kubeconfig=seldon_cluster.kubeconfig(tmp_path / "kubeconfig"),
        storage=str(tmp_path / "store"),
        mesh="http://mesh.example",
        ready_seconds=60.0,
        settle_seconds=0.0,
        root=tmp_path,
    )
    return lambda **settings: attrs.evolve(made, **settings)
