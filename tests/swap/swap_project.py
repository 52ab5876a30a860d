"""What the tests of a swap register, look at and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from interlock.session import Session
    from interlock.testing import Project
    from interlock_hookspecs import ModelVersion

FACTS = {"rows": 3, "share": 0.1, "whole": 1.0, "seen": True, "note": None, "Zürich": "✓"}


def add_version(session: Session, word: str, **facts: Any) -> ModelVersion:
    """Register a model whose bytes are a word, as a run would."""
    from interlock.ids import new_id
    from interlock_hookspecs import Facts, Field, Model, Signature

    with session.workspace(new_id("seed")) as ws:
        path = ws.scratch() / "model.bin"
        path.write_text(word, encoding="utf-8")
        signature = Signature(
            kind="binary", inputs=(Field(name="ß", type="string"),), outputs=(), classes=(0, 1)
        )
        model = Model(format="skops", artifact=ws.keep(path), signature=signature)
        made: ModelVersion = session.funnel.one(
            "register_version",
            name=session.project,
            id=new_id("version"),
            model=model,
            facts=Facts({**FACTS, "run": f"run-{word}", **facts}),
            ws=ws,
        )
    return made


def set_alias(
    session: Session, alias: str, version: ModelVersion | None, expected: str | None = None
) -> None:
    """Point an alias at a version, by hand."""
    number = version.number if version else None
    session.funnel.one(
        "set_alias", name=session.project, alias=alias, expected=expected, number=number
    )


def seed(session: Session, count: int) -> list[ModelVersion]:
    """Register that many versions, with two aliases on one and another on the first."""
    made = [add_version(session, f"model {place}", place=place) for place in range(count)]
    for alias, version in (("champion", made[-1]), ("Ä ✓", made[-1]), ("baseline", made[0])):
        set_alias(session, alias, version)
    return made


@attrs.frozen
class Held:
    """A version as two registries can agree on it: numbers, times and makers are their own."""

    id: str
    digest: str
    facts: dict[str, Any]
    aliases: tuple[str, ...]


def holds(session: Session) -> list[Held]:
    """What a registry holds of the project, oldest first."""
    from interlock.lifecycle.swap.world import held_versions

    return [
        Held(one.id, one.model.digest, dict(one.facts), one.aliases)
        for one in held_versions(session)
    ]


def events(session: Session, kind: str) -> list[tuple[str, Any]]:
    """The events of a kind, oldest first."""
    found = session.ledger.reads.events(session.project, kind=kind, after=0, limit=None)
    return [(event["subject"], event["payload"]) for event in found]


def found_by(project: Project, stack: str) -> tuple[Any, ...]:
    """What the run of a stack found: its model, its checks and its verdicts, makers included."""
    run = project.listed("runs", "--stack", stack)[0]
    shown = project.listed("show", run["id"], "--stack", stack)
    checks = [
        (row["phase"], row["key"], row["value"], row["low"], row["high"], row["n"])
        for row in shown["checks"]
    ]
    verdicts = [(row["decision"], row["subject"], row["reason"]) for row in shown["verdicts"]]
    return run["model"], run["dataset"], sorted(checks, key=str), verdicts
