"""The profile as a file: canonical JSON, so that equal rows give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from interlock_hookspecs import InvalidInput
from interlock_monitor_drift.cells import Column

FORMAT = 1


@attrs.frozen(kw_only=True, eq=False)
class Document:
    """What a profile file holds.

    Attributes:
        rows: how many rows were counted.
        columns: the features in their order, then the outputs.
    """

    rows: int
    columns: tuple[Column, ...]


def write(document: Document, path: Path) -> None:
    """Write a profile: sorted keys, no spaces, ASCII, floats by their shortest exact text."""
    body = {"format": FORMAT, **attrs.asdict(document)}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    path.write_text(text + "\n", encoding="ascii")


def read(path: Path) -> Document:
    """Read a profile.

    Raises:
        InvalidInput: the file is no profile, or one of a format that this version does not know.
    """
    try:
        body = json.loads(path.read_text(encoding="ascii"))
        found = body.pop("format")
        if found == FORMAT:
            columns = tuple(_column(item) for item in body["columns"])
            return Document(rows=body["rows"], columns=columns)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path.name} is no drift profile: {type(error).__name__}; build it again"
        raise InvalidInput(msg) from error
    msg = f"{path.name} is a drift profile of format {found}; this version reads {FORMAT}"
    raise InvalidInput(msg)


def _column(item: dict[str, object]) -> Column:
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    return Column(**lists)  # type: ignore[arg-type]  # a wrong key or type is read()'s to report
