"""A stand-in for a cluster with Seldon Core v2: the REST of its custom resources, on loopback.

It speaks what a Kubernetes API server says of namespaced custom resources: resource versions and
conflicts, strict decoding, `Status` objects, finalizers, a status that only the controller writes.
The fields of the resources are those that Seldon Core publishes in its CRDs. A controller sets
conditions in its own time, and a mesh routes by the last Experiment whose candidates were ready.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

GROUP, VERSION = "mlops.seldon.io", "v1alpha1"
NAMESPACE = "seldon-mesh"
TOKEN = "token-of-the-tests"  # noqa: S105  (of a server that ends with its test)
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_TICK = 0.01

Object = dict[str, Any]

INT32, BOOL, TEXT = "int32", "bool", "text"
_JOIN = ("inner", "outer", "any")
_DATAFLOW = {"cleanTopicsOnDelete": BOOL}
_REFERS = {"type": TEXT, "modelRef": TEXT, "pipelineRef": TEXT}
FIELDS: Mapping[str, Any] = {
    # What the specs have: a type, the words of an enumeration, [the items'], or {the fields'}.
    # "!" after a name says that it must be there.
    "Model": {
        "storageUri!": TEXT,
        "artifactVersion": INT32,
        "schemaUri": TEXT,
        "secretName": TEXT,
        "modelType": TEXT,
        "requirements": [TEXT],
        "memory": "quantity",
        "replicas": INT32,
        "minReplicas": INT32,
        "maxReplicas": INT32,
        "server": TEXT,
        "preloaded": BOOL,
        "dedicated": BOOL,
        "logger": {"percent": INT32},
        "explainer": _REFERS,
        "llm": {"modelRef": TEXT, "pipelineRef": TEXT},
        "parameters": [{"name!": TEXT, "value!": TEXT}],
        "dataflow": _DATAFLOW,
    },
    "Experiment": {
        "candidates!": [{"name!": TEXT, "weight!": INT32}],
        "default": TEXT,
        "mirror": {"name!": TEXT, "percent!": INT32},
        "resourceType": TEXT,
    },
    "Pipeline": {
        "steps!": [
            {
                "name!": TEXT,
                "inputs": [TEXT],
                "joinWindowMs": INT32,
                "tensorMap": "map",
                "triggers": [TEXT],
                "inputsJoinType": _JOIN,
                "triggersJoinType": _JOIN,
                "batch": {"size": INT32, "windowMs": INT32, "rolling": BOOL},
            }
        ],
        "input": {
            "externalInputs": [TEXT],
            "externalTriggers": [TEXT],
            "joinWindowMs": INT32,
            "joinType": _JOIN,
            "triggersJoinType": _JOIN,
            "tensorMap": "map",
        },
        "output": {
            "steps": [TEXT],
            "joinWindowMs": INT32,
            "stepsJoin": _JOIN,
            "tensorMap": "map",
        },
        "dataflow": _DATAFLOW,
        "allowCycles": BOOL,
        "maxStepRevisits": INT32,
    },
}
_META = {
    *("name", "namespace", "labels", "annotations", "resourceVersion", "uid", "generation"),
    *("creationTimestamp", "deletionTimestamp", "finalizers", "managedFields"),
    *("generateName", "ownerReferences", "selfLink", "deletionGracePeriodSeconds"),
}
_PLURALS = {"models": "Model", "experiments": "Experiment", "pipelines": "Pipeline"}
_PATH = re.compile(
    rf"^/apis/{re.escape(GROUP)}/{VERSION}/namespaces/(?P<ns>[^/]+)/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?$"
)
_QUANTITY = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")


class Refusal(Exception):  # noqa: N818  (read as a sentence)
    """An answer that is no success, as a `Status` says it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class SeldonCluster:
    """A cluster. What it is told to do wrong are its attributes.

    Attributes:
        slow: seconds until a Model is ready.
        fails: whether a Model fails to load, by its object.
        silent: whether no conditions are ever set.
        refuses_experiments: whether the scheduler makes no new Experiment active.
        switch: seconds until the mesh has heard of an Experiment.
        meddles: how many of the next replacements find that somebody else wrote the object.
        forbidden: (verb, plural) that the token may not.
        installed: whether it has Seldon's kinds.
        calls: each request as (verb, plural, name).
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.slow, self.switch = 0.0, 0.0
        self.fails: Callable[[Object], bool] = lambda _: False
        self.silent, self.installed = False, True
        self.refuses_experiments = False
        self.meddles = 0
        self.forbidden: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, str, str]] = []
        self.objects: dict[tuple[str, str], Object] = {}
        self.routes: dict[str, Object] = {}
        self._due: dict[str, float] = {}
        self._version = 0
        self._lock = threading.RLock()
        self._tls = tls
        self._ending = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    # -- its life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, on the port of before where there was one, and control."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        if self._tls is not None:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        self._server = server
        self._ending = threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        threading.Thread(target=self._control, args=(self._ending,), daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._ending.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, path: Path, *, token: str = TOKEN, ca: bytes | None = None) -> Path:
        """A file that says how it is reached."""
        cluster: Object = {"server": self.url}
        if ca is not None:
            cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
        said = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "stand-in", "cluster": cluster}],
            "users": [{"name": "us", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "stand-in", "user": "us"}}],
            "current-context": "it",
        }
        path.write_text(json.dumps(said))
        return path

    # -- what tests ask of it ----------------------------------------------------------------------

    def of(self, kind: str) -> dict[str, Object]:
        """The objects of a kind by name."""
        with self._lock:
            found = {name: each for (one, name), each in self.objects.items() if one == kind}
            return copy.deepcopy(found)

    def writes(self) -> list[tuple[str, str, str]]:
        """The requests that changed something, or tried."""
        return [call for call in self.calls if call[0] not in ("get", "list")]

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

    # -- requests ----------------------------------------------------------------------------------

    def answer(self, verb: str, path: str, token: str, body: Any, query: Mapping[str, str]) -> Any:
        """The answer to a request.

        Raises:
            Refusal: it is none of success.
        """
        found = _PATH.match(path)
        if found is None or not self.installed or found["plural"] not in _PLURALS:
            raise LookupError
        plural, name = found["plural"], found["name"] or ""
        verb = {"get": "get" if name else "list", "post": "create", "put": "update"}.get(verb, verb)
        with self._lock:
            self.calls.append((verb, plural, name or _name_of(body)))
            if token != TOKEN:
                raise Refusal(401, "Unauthorized", "Unauthorized")
            if (verb, plural) in self.forbidden:
                msg = f'{plural}.{GROUP} is forbidden: User "us" cannot {verb} resource "{plural}"'
                raise Refusal(403, "Forbidden", msg)
            if found["ns"] != NAMESPACE:
                if verb == "create":
                    raise Refusal(404, "NotFound", f'namespaces "{found["ns"]}" not found')
                name = name and f"{found['ns']}/{name}"
            act = getattr(self, f"_{verb}", None)
            if act is None:
                raise Refusal(405, "MethodNotAllowed", f"{verb} is not supported here")
            return act(_PLURALS[plural], name, body, query)

    def _get(self, kind: str, name: str, body: Any, query: Mapping[str, str]) -> Object:  # noqa: ARG002
        return copy.deepcopy(self._there(kind, name))

    def _list(self, kind: str, name: str, body: Any, query: Mapping[str, str]) -> Object:  # noqa: ARG002
        wanted = [each.split("=", 1) for each in query.get("labelSelector", "").split(",") if each]
        items = [
            each
            for each in self.of(kind).values()
            if all(each["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
        ]
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": f"{kind}List",
            "metadata": {"resourceVersion": str(self._version)},
            "items": items,
        }

    def _create(self, kind: str, name: str, body: Any, query: Mapping[str, str]) -> Object:
        made = _decoded(kind, body, query)
        name = made["metadata"]["name"]
        if (kind, name) in self.objects:
            plural = next(plural for plural, one in _PLURALS.items() if one == kind)
            msg = f'{plural}.{GROUP} "{name}" already exists'
            raise Refusal(409, "AlreadyExists", msg)
        meta = made["metadata"]
        meta.update(
            namespace=NAMESPACE,
            uid=str(uuid.uuid4()),
            creationTimestamp=_now(),
            generation=1,
            managedFields=[{"manager": query.get("fieldManager", ""), "operation": "Update"}],
        )
        made.pop("status", None)
        self.objects[kind, name] = made
        self._put_off(made)
        self._touch(made)
        return copy.deepcopy(made)

    def _update(self, kind: str, name: str, body: Any, query: Mapping[str, str]) -> Object:
        there = self._there(kind, name)
        wanted = _decoded(kind, body, query)
        if self.meddles:
            self.meddles -= 1
            there["metadata"].setdefault("annotations", {})["else"] = f"{self.meddles}"
            self._touch(there)
        asked = wanted["metadata"].get("resourceVersion")
        if asked and asked != there["metadata"]["resourceVersion"]:
            msg = "the object has been modified; please apply your changes to the latest version"
            raise Refusal(409, "Conflict", msg)
        for key in ("labels", "annotations", "finalizers"):
            if wanted["metadata"].get(key) != there["metadata"].get(key):
                there["metadata"][key] = wanted["metadata"].get(key)
                self._touch(there)
        if wanted["spec"] != there["spec"]:
            there["spec"] = wanted["spec"]
            self._touch(there, generation=True)
        return copy.deepcopy(there)

    def _delete(self, kind: str, name: str, body: Any, query: Mapping[str, str]) -> Object:  # noqa: ARG002
        there = self._there(kind, name)
        if there["metadata"].get("finalizers"):
            there["metadata"].setdefault("deletionTimestamp", _now())
            self._touch(there)
        else:
            del self.objects[kind, name]
        return copy.deepcopy(there)

    def _there(self, kind: str, name: str) -> Object:
        found = self.objects.get((kind, name))
        if found is None:
            plural = next(plural for plural, one in _PLURALS.items() if one == kind)
            raise Refusal(404, "NotFound", f'{plural}.{GROUP} "{name}" not found')
        return found

    def _touch(self, found: Object, *, generation: bool = False) -> None:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        if generation:
            found["metadata"]["generation"] += 1
            self._put_off(found)

    def _put_off(self, found: Object) -> None:
        """Let what was written be heard of in its time; what is ready does not wait again."""
        late = {"Model": self.slow, "Experiment": self.switch}.get(found["kind"], 0.0)
        self._due[found["metadata"]["uid"]] = time.monotonic() + late

    # -- the controller ----------------------------------------------------------------------------

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


def _decoded(kind: str, body: Any, query: Mapping[str, str]) -> Object:
    """An object as the API server takes it: nothing unknown where decoding is strict, and valid."""
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise Refusal(400, "BadRequest", "the object provided is unrecognized")
    if body.get("apiVersion") != f"{GROUP}/{VERSION}":
        raise Refusal(400, "BadRequest", "the API version in the data does not match")
    found = copy.deepcopy(body)
    unknown = [
        key for key in found if key not in ("apiVersion", "kind", "metadata", "spec", "status")
    ]
    unknown += [f"metadata.{key}" for key in found["metadata"] if key not in _META]
    wrong: list[str] = []
    _look(FIELDS[kind], found.get("spec", {}), "spec", unknown, wrong)
    if unknown and query.get("fieldValidation") == "Strict":
        said = ", ".join(f'unknown field "{each}"' for each in unknown)
        raise Refusal(400, "BadRequest", f"strict decoding error: {said}")
    name = found["metadata"].get("name", "")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) or len(name) > _LONGEST_NAME:
        wrong.append(f'metadata.name: Invalid value: "{name}"')
    label = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
    wrong += [
        f'metadata.labels: Invalid value: "{value}"'
        for value in found["metadata"].get("labels", {}).values()
        if not label.fullmatch(value) or len(value) > _LONGEST_LABEL
    ]
    if wrong:
        msg = f'{kind}.{GROUP} "{name}" is invalid: {"; ".join(wrong)}'
        raise Refusal(422, "Invalid", msg)
    return found


def _look(wanted: Any, value: Any, at: str, unknown: list[str], wrong: list[str]) -> None:
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            wrong.append(f"{at}: Invalid value: must be of type object")
            return
        known = {key.rstrip("!"): each for key, each in wanted.items()}
        wrong += [
            f"{at}.{key[:-1]}: Required value"
            for key in wanted
            if key.endswith("!") and key[:-1] not in value
        ]
        for key in list(value):
            if key in known:
                _look(known[key], value[key], f"{at}.{key}", unknown, wrong)
            else:
                unknown.append(f"{at}.{key}")
                del value[key]
    elif isinstance(wanted, list):
        if not isinstance(value, list):
            wrong.append(f"{at}: Invalid value: must be of type array")
            return
        for place, each in enumerate(value):
            _look(wanted[0], each, f"{at}[{place}]", unknown, wrong)
    elif not _fits(wanted, value):
        wrong.append(f"{at}: Invalid value: {json.dumps(value)}")


def _fits(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, tuple):
        return value in wanted
    if wanted == "map":
        return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    if wanted == "quantity":
        return type(value) is int or (isinstance(value, str) and bool(_QUANTITY.match(value)))
    if wanted == INT32:
        return type(value) is int and -(2**31) <= value < 2**31
    return isinstance(value, bool if wanted == BOOL else str)


def _is_ready(found: Object | None) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _name_of(body: Any) -> str:
    return str(body.get("metadata", {}).get("name", "")) if isinstance(body, dict) else ""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _handler(cluster: SeldonCluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            verb = self.command.lower()
            try:
                said = json.loads(body) if body else None
                found = cluster.answer(verb, parts.path, token, said, query)
                self.say(201 if verb == "post" else 200, found)
            except Refusal as refusal:
                status = {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Failure",
                    "message": str(refusal),
                    "reason": refusal.reason,
                    "code": refusal.code,
                }
                self.say(refusal.code, status)
            except LookupError:
                self.say(404, "404 page not found\n")

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do  # noqa: N815  (http.server's names)

        def say(self, code: int, found: Any) -> None:
            plain = isinstance(found, str)
            raw = found.encode() if plain else json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if plain else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *words: object) -> None:
            pass

    return Handler


class Prometheus:
    """A stand-in of Prometheus' HTTP API: the two queries of counts of Seldon's agents.

    Attributes:
        counts: by (Model, code).
        started: when the agent that counts a Model was started, in seconds since 1970.
        broken: what is answered instead, where it is to answer something else.
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.started: dict[str, float] = {}
        self.broken: tuple[int, bytes] | None = None
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query).get("query", [""])[0]
                code, raw = stand_in.broken or stand_in.answer(parts.path, query)
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, query: str) -> tuple[int, bytes]:
        """A status code and a body, as Prometheus gives them for an instant query."""
        selector = r'seldon_model_infer_total\{model=~"(?P<names>[-a-z0-9|]+)"\}'
        counted = re.fullmatch(rf"sum by \(model, code\) \({selector}\)", query)
        started = re.fullmatch(
            rf"max by \(model\) \(0 \* {selector} \+ on \(instance, job\) group_left \(\) "
            r"process_start_time_seconds\)",
            query,
        )
        found = counted or started
        if path != "/api/v1/query" or found is None:
            said = {"status": "error", "errorType": "bad_data", "error": f"parse error: {query}"}
            return 400, json.dumps(said).encode()
        names = found["names"].split("|")
        if counted:
            series = [
                ({"model": model, "code": code}, count)
                for (model, code), count in self.counts.items()
                if model in names
            ]
        else:
            series = [
                ({"model": model}, start) for model, start in self.started.items() if model in names
            ]
        result = [
            {"metric": labels, "value": [time.time(), f"{value}"]} for labels, value in series
        ]
        said = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return 200, json.dumps(said).encode()


@pytest.fixture
def seldon_cluster() -> Iterator[SeldonCluster]:
    """A cluster of a test's own."""
    cluster = SeldonCluster()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    """A Prometheus of a test's own."""
    found = Prometheus()
    try:
        yield found
    finally:
        with contextlib.suppress(OSError):
            found.stop()


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
