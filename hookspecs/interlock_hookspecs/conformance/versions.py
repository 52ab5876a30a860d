"""What the registry's suite registers, lists and moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from interlock_hookspecs import (
    Facts,
    Field,
    InvalidInput,
    Model,
    ModelVersion,
    Signature,
    Workspace,
)
from interlock_hookspecs.conformance.suite import ask

T = TypeVar("T")

NAME = "employment"
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


def holds(act: Callable[[], object]) -> bool:
    """Whether a registry takes what an act gives it, or refuses it as InvalidInput."""
    try:
        act()
    except InvalidInput:
        return False
    return True


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """The results of acts that start together, each in a thread of its own."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return [done.result() for done in [pool.submit(act) for act in acts]]
