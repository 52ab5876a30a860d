"""Aliases: moved from the version that the caller saw to another, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import Conflict, NotFound
from interlock_registry_mlflow.lock import locked
from interlock_registry_mlflow.names import number_of, storable
from interlock_registry_mlflow.versions import aliases_of, live

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend


def move(
    backend: Backend, *, name: str, alias: str, expected: str | None, number: str | None
) -> None:
    """Compare and set, under the lock of the name.

    Raises:
        Conflict: the alias points elsewhere than expected.
        NotFound: there is no version of the new number.
    """
    written, pointer = backend.written(name), storable(alias, "alias")
    with locked(backend, written) as held:
        current = aliases_of(backend, written).get(pointer)
        found = None if current is None else str(current)
        if found != expected:
            raise Conflict(
                f"@{alias} of {name} is {_said(found)}, not {_said(expected)}: look, then move it",
                expected=expected,
                found=found,
            )
        if number is None:
            if found is not None:
                held.still()
                backend.registry.delete_registered_model_alias(written, pointer)
            return
        target = number_of(number)
        if live(backend, written, target) is None:
            raise NotFound(f"{name} has no version {number} that @{alias} could point at")
        held.still()
        backend.registry.set_registered_model_alias(written, pointer, target)


def _said(number: str | None) -> str:
    return "on no version" if number is None else f"on version {number}"
