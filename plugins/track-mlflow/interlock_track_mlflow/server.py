"""Notes to an MLflow server, over its REST interface."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import attrs

from interlock_hookspecs import Artifact, PluginError, Secret, Unavailable, Workspace, reveal
from interlock_track_mlflow.notes import Note

if TYPE_CHECKING:
    import requests

RUN = "interlock.run"
_API = "/api/2.0/mlflow"
_FILES = "/api/2.0/mlflow-artifacts/artifacts"
_METRICS, _PARAMS = 1000, 100  # that one request takes
_DIGEST = 36  # characters that MLflow keeps of a dataset's
_LATER = (401, 403, 408, 429)


class Refused(Exception):  # noqa: N818  (read as a sentence: raise Refused("..."))
    """The server will never take this."""


@attrs.define(eq=False)
class Server:
    """One server, and the runs of ours that it was asked for.

    Attributes:
        base: its address.
        place: what an error calls it.
        experiment: where the runs go; by default an experiment of the project's name.
        timeout: seconds that it may be silent.
    """

    base: str
    place: str
    experiment: str
    timeout: float
    token: str | Secret[str]
    username: str | Secret[str]
    password: str | Secret[str]
    verify: bool | str
    _session: Any = attrs.field(init=False, default=None, repr=False)
    _experiments: dict[str, str] = attrs.field(init=False, factory=dict, repr=False)
    _runs: dict[str, str] = attrs.field(init=False, factory=dict, repr=False)

    def send(self, note: Note, ws: Workspace) -> None:
        """Say one note.

        Raises:
            Unavailable: the server cannot be reached, or refuses these credentials.
            Refused: it will never take this note.
        """
        getattr(self, f"_send_{note['what']}")(note, self._run(note), ws)

    def _send_tags(self, note: Note, run: str, _ws: Workspace) -> None:
        self._batch(run, tags=[{"key": k, "value": v} for k, v in note["values"].items()])

    def _send_params(self, note: Note, run: str, _ws: Workspace) -> None:
        params = [{"key": key, "value": value} for key, value in note["values"].items()]
        for start in range(0, len(params), _PARAMS):
            self._batch(run, params=params[start : start + _PARAMS])

    def _send_metrics(self, note: Note, run: str, _ws: Workspace) -> None:
        metrics = [
            {"key": key, "value": value, "timestamp": note["at"], "step": 0}
            for key, value in note["values"].items()
        ]
        for start in range(0, len(metrics), _METRICS):
            self._batch(run, metrics=metrics[start : start + _METRICS])

    def _send_fold(self, note: Note, run: str, ws: Workspace) -> None:
        tags = {"mlflow.parentRunId": run, "interlock.fold": str(note["fold"])}
        child = self._found_or_made(note, f"fold {note['fold']}", tags)
        self._send_metrics(note, child, ws)
        self._post("/runs/update", run_id=child, status="FINISHED", end_time=note["at"])

    def _send_data(self, note: Note, run: str, _ws: Workspace) -> None:
        digest = note["digest"]
        dataset = {
            "name": "interlock",
            "digest": digest.removeprefix("sha256:")[:_DIGEST],
            "source_type": "interlock",
            "source": json.dumps({"digest": digest, "source": note["source"]}),
            "profile": json.dumps({"num_rows": note["rows"]}),
        }
        tags = [{"key": "mlflow.data.context", "value": "training"}]
        self._post("/runs/log-inputs", run_id=run, datasets=[{"dataset": dataset, "tags": tags}])

    def _send_card(self, note: Note, run: str, ws: Workspace) -> None:
        try:
            path = ws.locate(Artifact(**note["artifact"]))
        except (PluginError, TypeError, ValueError):
            return  # it was erased, or is none: there is nothing to show
        uri = self._get("/runs/get", run_id=run)["run"]["info"]["artifact_uri"]
        if urlsplit(uri).scheme != "mlflow-artifacts":
            raise Refused("the server passes no files on: start it with --artifacts-destination")
        root = f"{_FILES}/{urlsplit(uri).path.strip('/')}/card"
        files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
        for item in files:
            inner = item.relative_to(path).as_posix() if path.is_dir() else note["artifact"]["name"]
            self._ask("PUT", f"{root}/{quote(inner)}", data=item.read_bytes())

    def _send_end(self, note: Note, run: str, _ws: Workspace) -> None:
        ended = {} if note["status"] == "RUNNING" else {"end_time": note["at"]}
        self._post("/runs/update", run_id=run, status=note["status"], **ended)

    def _run(self, note: Note) -> str:
        """MLflow's run of ours, made where there is none: the registry may have made it."""
        key = f"{note['project']}\n{note['run']}"
        if key not in self._runs:
            self._runs[key] = self._found_or_made(note, note["run"], {})
        return self._runs[key]

    def _found_or_made(self, note: Note, name: str, tags: dict[str, str]) -> str:
        experiment = self._experiment(self.experiment or note["project"])
        tags = {**tags, (RUN if not tags else "interlock.of"): note["run"]}
        if not any("'" in value or "\\" in value for value in tags.values()):
            wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
            asked = {"experiment_ids": [experiment], "filter": wanted, "max_results": 1}
            found = self._post("/runs/search", **asked).get("runs")
            if found:
                return str(found[0]["info"]["run_id"])
        made = self._post(
            "/runs/create",
            experiment_id=experiment,
            run_name=name,
            start_time=note["at"],
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )
        return str(made["run"]["info"]["run_id"])

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            asked = {"experiment_name": name}
            try:
                found = self._get("/experiments/get-by-name", **asked)["experiment"]
            except Refused:
                found = self._post("/experiments/create", name=name)
            self._experiments[name] = str(found["experiment_id"])
        return self._experiments[name]

    def _batch(self, run: str, **parts: Any) -> None:
        self._post("/runs/log-batch", run_id=run, **parts)

    def _get(self, path: str, **asked: Any) -> Any:
        return self._ask("GET", f"{_API}{path}", params=asked).json()

    def _post(self, path: str, **body: Any) -> Any:
        return self._ask("POST", f"{_API}{path}", json=body).json()

    def _ask(self, method: str, path: str, **parts: Any) -> requests.Response:
        import requests

        if self._session is None:
            self._session = requests.Session()
        try:
            answer: requests.Response = self._session.request(
                method,
                f"{self.base}{path}",
                auth=self._sign,
                timeout=self.timeout,
                verify=self.verify,
                allow_redirects=False,
                **parts,
            )
        except requests.RequestException as error:
            # The error's own text has the address, which may be a secret.
            raise Unavailable(f"{self.place} cannot be reached ({type(error).__name__})") from None
        if answer.status_code in _LATER or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{self.place} answers {answer.status_code} {answer.reason}")
        if not answer.ok or answer.is_redirect:
            raise Refused(f"{answer.status_code} {answer.text[:200]}")
        return answer

    def _sign(self, request: Any) -> Any:
        """Credentials of the stack file; the user's .netrc has no say."""
        from requests.auth import HTTPBasicAuth

        if self.token:
            request.headers["Authorization"] = f"Bearer {reveal(self.token)}"
            return request
        if self.username:
            return HTTPBasicAuth(reveal(self.username), reveal(self.password))(request)
        return request


def authorities(root: Path, ca: str) -> bool | str:
    """What certificates are verified with."""
    return str(root / ca) if ca else True
