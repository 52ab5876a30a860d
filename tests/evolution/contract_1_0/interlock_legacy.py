"""Plugins as an author wrote them for contract 1.0, installed as their wheel left them.

Kept as they are: what the contract becomes must go on loading them, until its next major version.
"""

import json
from pathlib import Path

import attrs

from interlock_hookspecs import (
    Artifact,
    Conflict,
    Dossier,
    Event,
    Facts,
    Model,
    ModelVersion,
    NotFound,
    Signature,
    Verdict,
    VersionPage,
    Workspace,
    hookimpl,
    plugin,
    project_root,
    setting,
)
from interlock_hookspecs import Field as Column


@plugin(contract="1.0")
class Registry:
    """A registry in one JSON file, for one process at a time."""

    file: str = setting("legacy.json", doc="relative to the project's folder")
    root: Path = project_root()

    @hookimpl
    def register_version(
        self,
        name: str,
        id: str,  # noqa: A002  (the contract's own word)
        model: Model,
        facts: Facts,
        ws: Workspace,
    ) -> ModelVersion:
        state = self._read()
        for known in state["versions"]:
            if known["name"] == name and id != known["id"] and known["digest"] == model.digest:
                return attrs.evolve(_version(known, state), existing=True)
            if known["id"] == id:
                return attrs.evolve(_version(known, state), existing=True)
        ws.log.info("registering %s", name)
        signature = model.signature
        made = {
            "id": id,
            "name": name,
            "number": str(sum(known["name"] == name for known in state["versions"]) + 1),
            "digest": model.digest,
            "facts": dict(facts),
            "format": model.format,
            "artifact": attrs.asdict(model.artifact),
            "signature": {
                "kind": signature.kind,
                "inputs": [attrs.asdict(column) for column in signature.inputs],
                "outputs": [attrs.asdict(column) for column in signature.outputs],
                "classes": list(signature.classes),
                "positive": signature.positive,
                "id": attrs.asdict(signature.id) if signature.id else None,
                "time": attrs.asdict(signature.time) if signature.time else None,
            },
        }
        state["versions"].append(made)
        self._write(state)
        return _version(made, state)

    @hookimpl
    def get_version(self, name: str, ref: str) -> ModelVersion | None:
        state = self._read()
        wanted = state["aliases"].get(f"{name}{ref}") if ref.startswith("@") else ref
        for known in state["versions"]:
            names = (known["number"], known["id"], known["digest"])
            if known["name"] == name and wanted in names:
                return _version(known, state)
        return None

    @hookimpl
    def list_versions(self, name: str, cursor: str | None, limit: int) -> VersionPage:
        state = self._read()
        start = int(cursor or 0)
        found = [known for known in reversed(state["versions"]) if known["name"] == name]
        page = tuple(_version(known, state) for known in found[start : start + limit])
        more = len(found) > start + limit
        return VersionPage(items=page, cursor=str(start + limit) if more else None)

    @hookimpl
    def set_alias(self, name: str, alias: str, expected: str | None, number: str | None) -> None:
        state = self._read()
        found = state["aliases"].get(f"{name}@{alias}")
        if found != expected:
            raise Conflict(f"{alias} moved", expected=expected, found=found)
        if number is None:
            state["aliases"].pop(f"{name}@{alias}", None)
        elif self.get_version(name, number) is None:
            raise NotFound(f"{name} has no version {number}")
        else:
            state["aliases"][f"{name}@{alias}"] = number
        self._write(state)

    def _read(self) -> dict:
        path = self.root / self.file
        if not path.exists():
            return {"versions": [], "aliases": {}}
        return json.loads(path.read_text(encoding="utf-8"))

    def _write(self, state: dict) -> None:
        (self.root / self.file).write_text(json.dumps(state), encoding="utf-8")


def _version(known: dict, state: dict) -> ModelVersion:
    said = known["signature"]
    signature = Signature(
        kind=said["kind"],
        inputs=tuple(Column(**column) for column in said["inputs"]),
        outputs=tuple(Column(**column) for column in said["outputs"]),
        classes=tuple(said["classes"]),
        positive=said["positive"],
        id=Column(**said["id"]) if said["id"] else None,
        time=Column(**said["time"]) if said["time"] else None,
    )
    prefix = f"{known['name']}@"
    pointing = [alias for alias, number in state["aliases"].items() if number == known["number"]]
    return ModelVersion(
        id=known["id"],
        name=known["name"],
        number=known["number"],
        model=Model(
            format=known["format"], artifact=Artifact(**known["artifact"]), signature=signature
        ),
        aliases=tuple(a.removeprefix(prefix) for a in pointing if a.startswith(prefix)),
        facts=Facts(known["facts"]),
    )


@plugin(contract="1.0")
class Judge:
    """Approves what has checks."""

    @hookimpl
    def review(self, dossier: Dossier) -> list[Verdict]:
        decision = "approve" if dossier.checks else "refuse"
        return [Verdict(decision=decision, subject="checks", reason="there are checks or not")]


@plugin(contract="1.0")
class Journal:
    """Writes down what happens; takes the event alone, as on_event then had it."""

    root: Path = project_root()

    @hookimpl
    def on_event(self, event: Event) -> None:
        with (self.root / "legacy.log").open("a", encoding="utf-8") as log:
            log.write(f"{event.kind}\n")
