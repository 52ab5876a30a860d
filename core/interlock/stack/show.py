"""A stack as rows of key, value and origin, for ``stack show``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from interlock.stack.environment import mentions_environment
from interlock.stack.model import Stack
from interlock.stack.places import Origin
from interlock.stack.rollout import RolloutPlan
from interlock_hookspecs import ROLES, Bound

_DEFAULT = Origin(label="default", via="default")


@attrs.frozen
class Row:
    """One value of a stack.

    Attributes:
        key: dotted, as the stack file nests it.
        value: as TOML would write it; ``***`` where the environment gave it.
        origin: file and line, how it came here, which variables it names, and whether the
            environment lacks them.
    """

    key: str
    value: str
    origin: str


def describe(stack: Stack) -> list[Row]:
    """Every value of a stack, in the order of the stack file's tables."""
    return [Row(key, value, _origin_text(stack, key)) for key, value in _values(stack)]


def _values(stack: Stack) -> Iterator[tuple[str, str]]:
    yield from _table("project", stack.project)
    yield from _table("model", stack.model)
    if stack.task is not None:
        yield from _table("task", stack.task, but=("min_group",))
    yield from _table("policy", stack.policy, but=("bounds",))
    for bound in stack.policy.bounds:
        yield f"policy.bounds.{bound.key}", _bound(bound)
    here = f"stack.{stack.name}"
    yield from _stack(here, stack)
    yield from _rollout(f"{here}.rollout", stack.rollout)
    for plugin, settings in stack.written.items():
        for key, value in settings.items():
            text = "***" if mentions_environment(value) else shown(value)
            yield f"{here}.{plugin}.{key}", text


def _stack(here: str, stack: Stack) -> Iterator[tuple[str, str]]:
    for role in ROLES:
        if stack.selected(role):
            yield f"{here}.{role}", shown(stack.selected(role))
    for key in ("ledger", "artifacts", "endpoint"):
        yield f"{here}.{key}", shown(getattr(stack, key))
    for key in ("artifacts_cache", "package"):
        if getattr(stack, key):
            yield f"{here}.{key}", shown(getattr(stack, key))
    if stack.hook_timeout is not None:
        yield f"{here}.hook_timeout", f"{stack.hook_timeout:g}"


def _rollout(here: str, plan: RolloutPlan) -> Iterator[tuple[str, str]]:
    yield f"{here}.strategy", shown(plan.strategy)
    if plan.strategy == "all-at-once":
        return
    for key in ("steps", "window", "min_requests", "patience", "finish"):
        value = getattr(plan, key)
        if value != ():
            yield f"{here}.{key}", shown(value)
    for bound in plan.bounds:
        yield f"{here}.bounds.{bound.key}", f"{bound.text} (else {bound.breach})"


def shown(value: Any) -> str:
    """A value as TOML writes it; ``***`` for a secret."""
    import json

    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(shown(item) for item in value)}]"
    if hasattr(value, "items"):
        inner = ", ".join(f"{key} = {shown(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _table(name: str, record: Any, *, but: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if field.name not in but and value is not None:
            path = str(value) if field.name == "module" else value
            yield f"{name}.{field.name}", shown(path)


def _bound(bound: Bound) -> str:
    return f"{bound.text} ({bound.severity}{', on its interval' if bound.on == 'interval' else ''})"


def _origin_text(stack: Stack, key: str) -> str:
    origin = stack.origins.get(key, _DEFAULT)
    parts = [str(origin)]
    if origin.via not in ("file", "default", "override"):
        parts.append(f"by {origin.via}")
    missing = {name for lacks in stack.unset for name in lacks.variables}
    parts += [f"${{{name}}}{' (not set)' if name in missing else ''}" for name in origin.variables]
    table = key.split(".")
    settings = len(table) > 3 and table[0] == "stack" and table[2] != "rollout"  # noqa: PLR2004  (stack.NAME.PLUGIN.key)
    if settings and table[2] not in stack.plugin_names():
        parts.append("not in use")
    return ", ".join(parts)
