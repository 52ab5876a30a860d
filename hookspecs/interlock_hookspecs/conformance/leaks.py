"""Secret settings, and whatever may tell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from interlock_hookspecs import Secret, type_hints

SECRET = "hunter2"  # noqa: S105  (made up, to be looked for)


def with_secrets(plugin: Any) -> Iterator[tuple[str, Any]]:
    """The plugin with each of its secret settings filled, under the setting's name."""
    for name, hint in type_hints(type(plugin)).items():
        if "Secret" in str(hint):
            yield name, attrs.evolve(plugin, **{name.lstrip("_"): Secret(SECRET)})


def said_by(error: BaseException) -> str:
    """All that an error says, with the errors behind it and the notes on each."""
    parts: list[str] = []
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or found in seen:
            continue
        seen.append(found)
        parts += [str(found), repr(found), *getattr(found, "__notes__", ())]
        waiting += [found.__cause__, found.__context__]
    return "\n".join(parts)
