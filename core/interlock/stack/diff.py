"""What changes from one stack to another, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from interlock.stack.model import Stack
from interlock.stack.show import describe, shown
from interlock_hookspecs import ROLES


@attrs.frozen(kw_only=True)
class Difference:
    """One thing that is otherwise in another stack.

    Attributes:
        part: the role, or ``policy``, ``ledger``, ``artifacts`` or ``endpoint``.
        key: the setting, ``<plugin>.<name>``, or the bound; empty for the part as a whole.
        before, after: as TOML writes them, ``${NAME}`` unexpanded; None where nothing is said.
        text: the difference as a sentence.
    """

    part: str
    key: str = ""
    before: str | None
    after: str | None
    text: str


def compare(before: Stack, after: Stack) -> tuple[Difference, ...]:
    """Every difference, in the order of a model's life; nothing where two stacks do the same.

    Settings of plugins that neither stack selects make no difference. No secret is shown.
    """
    return (
        *(found for role in ROLES for found in _role(role, before, after)),
        *_policy(before, after),
        *(
            found
            for key in ("ledger", "artifacts", "endpoint")
            for found in _key(key, before, after)
        ),
    )


def _role(role: str, before: Stack, after: Stack) -> Iterator[Difference]:
    old, new = before.selected(role), after.selected(role)
    if old != new:
        yield Difference(
            part=role, before=_words(old), after=_words(new), text=f"{role}: {_change(old, new)}"
        )
    for word in dict.fromkeys((*old, *new)):
        yield from _settings(role, word, before, after)


def _change(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    if not old or not new:
        return f"{', '.join(new)} is added" if new else f"{', '.join(old)} is dropped"
    if len(old) == len(new) == 1:
        return f"{old[0]} becomes {new[0]}"
    said = [f"{word} is dropped" for word in old if word not in new]
    said += [f"{word} is added" for word in new if word not in old]
    return ", ".join(said) or f"the order {', '.join(old)} becomes {', '.join(new)}"


def _settings(role: str, word: str, before: Stack, after: Stack) -> Iterator[Difference]:
    plugin = f"{role}-{word}"
    # What a stack says of a plugin that it does not select is inert.
    old = before.written.get(plugin, {}) if word in before.selected(role) else {}
    new = after.written.get(plugin, {}) if word in after.selected(role) else {}
    for name in dict.fromkeys((*old, *new)):
        was, now = _said(old, name), _said(new, name)
        if was != now:
            yield Difference(
                part=role,
                key=f"{plugin}.{name}",
                before=was,
                after=now,
                text=f"{plugin}: {_becomes(name, was, now)}",
            )


def _policy(before: Stack, after: Stack) -> Iterator[Difference]:
    old, new = (
        {row.key: row.value for row in describe(stack) if row.key.startswith("policy.")}
        for stack in (before, after)
    )
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        if was != now:
            name = key.removeprefix("policy.")
            yield Difference(
                part="policy", key=name, before=was, after=now,
                text=f"policy: {_becomes(name, was, now)}",
            )  # fmt: skip


def _key(key: str, before: Stack, after: Stack) -> Iterator[Difference]:
    # Compared with what the environment gave, shown without it.
    if _revealed(before, key) == _revealed(after, key):
        return
    was, now = _place(before, key), _place(after, key)
    yield Difference(part=key, before=was, after=now, text=f"{key}: {was} becomes {now}")


def _revealed(stack: Stack, key: str) -> Any:
    from interlock_hookspecs import reveal

    # Where the environment lacks it, as it is written.
    return reveal(getattr(stack, key))


def _place(stack: Stack, key: str) -> str:
    origin = stack.origins.get(f"stack.{stack.name}.{key}")
    if origin is not None and origin.variables:
        return " and ".join(f"${{{name}}}" for name in origin.variables)
    return shown(getattr(stack, key))


def _words(words: tuple[str, ...]) -> str | None:
    return (shown(words[0]) if len(words) == 1 else shown(words)) if words else None


def _said(table: Any, name: str) -> str | None:
    return shown(table[name]) if name in table else None


def _becomes(name: str, was: str | None, now: str | None) -> str:
    if was is None:
        return f"{name} = {now} is added"
    if now is None:
        return f"{name} = {was} is dropped"
    return f"{name} = {was} becomes {now}"
