"""A stand-in of a Kubernetes API server: the REST of the custom resources that Seldon has.

It speaks what an API server says of namespaced custom resources: resource versions and conflicts,
strict decoding, `Status` objects, finalizers. What becomes of an object is a controller's.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import ssl
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ports import free_port
from seldon_kinds import GROUP, VERSION, Object, Refusal, decoded

NAMESPACE = "seldon-mesh"
TOKEN = "token-of-the-tests"  # noqa: S105  (of a server that ends with its test)
_PLURALS = {"models": "Model", "experiments": "Experiment", "pipelines": "Pipeline"}
_PATH = re.compile(
    rf"^/apis/{re.escape(GROUP)}/{VERSION}/namespaces/(?P<ns>[^/]+)/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?$"
)


class KubeApi:
    """An API server. What it is told to do wrong are its attributes.

    Attributes:
        meddles: how many of the next replacements find that somebody else wrote the object.
        forbidden: (verb, plural) that the token may not.
        installed: whether it has Seldon's kinds.
        calls: each request as (verb, plural, name).
        objects: by (kind, name).
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.installed = True
        self.meddles = 0
        self.forbidden: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, str, str]] = []
        self.objects: dict[tuple[str, str], Object] = {}
        self._version = 0
        self._lock = threading.RLock()
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self.port = free_port()
        self.start()

    # -- its life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, on the same port each time."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        if self._tls is not None:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more."""
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
        made = decoded(kind, body, query)
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
        self.written(made)
        self._touch(made)
        return copy.deepcopy(made)

    def _update(self, kind: str, name: str, body: Any, query: Mapping[str, str]) -> Object:
        there = self._there(kind, name)
        wanted = decoded(kind, body, query)
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
            self.written(found)

    def written(self, found: Object) -> None:
        """Somebody asks something else of an object: what a controller hears of."""


def _name_of(body: Any) -> str:
    return str(body.get("metadata", {}).get("name", "")) if isinstance(body, dict) else ""


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _handler(api: KubeApi) -> type[BaseHTTPRequestHandler]:
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
                found = api.answer(verb, parts.path, token, said, query)
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
