"""What the registry's suite registers, lists and moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from interlock_hookspecs import (
    Artifact,
    Facts,
    Field,
    InvalidInput,
    Model,
    ModelVersion,
    Scalar,
    Signature,
    Workspace,
)
from interlock_hookspecs.conformance.suite import ask

NAME = "employment"
NAMES = (
    "Zürich/modèle ✓",
    "Zu\u0308rich/mode\u0300le ✓",
    "a'b\"c;--",
    "../up",
    "A",
    "a",
    "a%",
    " ",
    "*",
)
"""Names that differ, and stay as they are."""

UNSTORABLE = ("\0", "a\0b", "\ud800", "n" * 100_000)
"""Names that few backends can store."""

FACTS = Facts({"run": "run-1", "rows": 3, "share": 0.1, "whole": 1.0, "seen": True, "note": None})


def model_of(word: str, ws: Workspace) -> Model:
    """A model whose bytes are a word, kept in the workspace."""
    path = ws.scratch() / "model.bin"
    path.write_text(word, encoding="utf-8")
    signature = Signature(
        kind="binary",
        inputs=(Field(name="AGEP", type="int64", nullable=False), Field(name="ß", type="string")),
        outputs=(Field(name="score", type="double"),),
        classes=(0, 1),
        positive=1,
        id=Field(name="id", type="string"),
    )
    return Model(
        format="conformance",
        artifact=ws.keep(path),
        signature=signature,
        requirements=("scikit-learn==1.9.1",),
        facts=Facts({"trees": 100}),
    )


def register(
    plugin: Any, word: str, ws: Workspace, *, name: str = NAME, key: str = ""
) -> ModelVersion:
    """Register the model of a word, under an id of its own where none is given."""
    version: ModelVersion = ask(
        plugin,
        "register_version",
        name=name,
        id=key or f"version-{name}-{word}",
        model=model_of(word, ws),
        facts=FACTS,
        ws=ws,
    )
    return version


def listed(plugin: Any, *, name: str = NAME, limit: int = 100) -> list[ModelVersion]:
    """All versions of a name, page by page."""
    found: list[ModelVersion] = []
    cursor = None
    while True:
        page = ask(plugin, "list_versions", name=name, cursor=cursor, limit=limit)
        assert len(page.items) <= limit, f"a page of {len(page.items)} where {limit} were asked for"
        assert page.items or page.cursor is None, "an empty page says that there is another"
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def alias_of(plugin: Any, alias: str = "champion", *, name: str = NAME) -> str | None:
    """The number an alias points at."""
    found = ask(plugin, "get_version", name=name, ref=f"@{alias}")
    return None if found is None else str(found.number)


def move(plugin: Any, expected: str | None, number: str | None, *, alias: str = "champion") -> None:
    """Move an alias of the model."""
    ask(plugin, "set_alias", name=NAME, alias=alias, expected=expected, number=number)


def wanted(key: str, name: str, ws: Workspace, *aliases: str) -> ModelVersion:
    """A version as another registry might have it, that is to move here."""
    return ModelVersion(
        id=key, name=name, number="1", model=model_of(key, ws), facts=FACTS, aliases=aliases
    )


def hard_versions(ws: Workspace) -> dict[str, ModelVersion]:
    """Versions whose models and facts are seldom so, by what is hard about them."""
    model = model_of("hard", ws)
    bare = Signature(kind="binary", inputs=(), outputs=())
    inputs = tuple(Field(name=f"größe {place}", type="double") for place in range(1_000))
    small = attrs.evolve(
        model, signature=bare, requirements=(), facts=Facts(), artifact=_named(model, " ")
    )
    wide = attrs.evolve(model, signature=attrs.evolve(model.signature, inputs=inputs))
    hostile = attrs.evolve(model, artifact=_named(model, "modèle 'x';--.bin"))
    numbers = {"whole": 2**63 - 1, "negative": -(2**63), "real": 1e308, "tiny": 5e-324}
    lines: dict[str, Scalar] = {"text": "one\ntwo\r\nthree\u2028four\t", "two\nlines": 1}
    found: dict[str, tuple[Model, Mapping[str, Scalar]]] = {
        "nothing but the bytes": (small, {}),
        "empty texts": (small, {"text": "", "other": " "}),
        "a thousand inputs": (wide, {f"fact {place}": place for place in range(2_000)}),
        "a long text": (model, {"text": "Zürich ✓ " * 20_000, **numbers}),
        "hostile names": (hostile, {**lines, **{name: place for place, name in enumerate(NAMES)}}),
    }
    return {
        what: ModelVersion(
            id=f"version-hard-{place}",
            name=f"hard-{place}",
            number="1",
            model=one,
            facts=Facts(facts),
        )
        for place, (what, (one, facts)) in enumerate(found.items())
    }


def _named(model: Model, name: str) -> Artifact:
    return attrs.evolve(model.artifact, name=name)


def holds(act: Callable[[], object]) -> bool:
    """Whether a registry takes what an act gives it, or refuses it as InvalidInput."""
    try:
        act()
    except InvalidInput:
        return False
    return True
