"""What a command wrote: one model, and what it says of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from interlock_hookspecs import InvalidInput, Scalar, Score

METRICS, LINEAGE = "metrics.json", "lineage.json"
_BYTES = 1 << 20  # of a JSON file
_ENTRIES = 500  # of one, too
_SHOWN = 3  # names of files in an error


@attrs.frozen(kw_only=True)
class Written:
    """What was found in the output folder.

    Attributes:
        model: the file or folder that is the model.
        scores: metrics with a value for each fold.
        facts: metrics of one number, and the lineage.
    """

    model: Path
    scores: tuple[Score, ...]
    facts: Mapping[str, Scalar]


def take(folder: Path) -> Written:
    """Read an output folder.

    Raises:
        InvalidInput: there is no model, more than one, a link, or a JSON file is malformed.
    """
    for item in folder.rglob("*"):
        if item.is_symlink() or not (item.is_file() or item.is_dir()):
            raise InvalidInput(
                f"the output holds {item.name!r}, which is a link or no file: copy it"
            )
    others = sorted(item for item in folder.iterdir() if item.name not in (METRICS, LINEAGE))
    if not others:
        raise InvalidInput("the command wrote no model to {output}, which is INTERLOCK_OUTPUT too")
    if len(others) > 1:
        names = ", ".join(repr(item.name) for item in others[:_SHOWN])
        raise InvalidInput(
            f"the output holds {len(others)} things beside {METRICS} and {LINEAGE} ({names}"
            f"{', ...' if len(others) > _SHOWN else ''}): leave the model alone there, and write "
            "the rest to {scratch}"
        )
    scores, facts = _metrics(_read(folder / METRICS))
    return Written(model=others[0], scores=scores, facts={**facts, **_lineage(folder)})


def _metrics(said: Mapping[str, Any]) -> tuple[tuple[Score, ...], dict[str, Scalar]]:
    scores, facts = [], {}
    for name, value in said.items():
        if isinstance(value, list) and value and all(map(_is_number, value)):
            scores.append(Score(name=name, folds=tuple(map(float, value))))
        elif _is_number(value):
            facts[f"metrics.{name}"] = value
        else:
            raise InvalidInput(
                f"{METRICS}: {name!r} is neither a finite number nor a list of them, one a fold"
            )
    return tuple(scores), facts


def _lineage(folder: Path) -> dict[str, Scalar]:
    said = _read(folder / LINEAGE)
    if not said:
        return {"lineage": "unknown"}
    for name, value in said.items():
        if not isinstance(value, str | bool) and not _is_number(value):
            raise InvalidInput(f"{LINEAGE}: {name!r} is no text, truth value or finite number")
    return {"lineage": "said by the command", **{f"lineage.{name}": said[name] for name in said}}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < math.inf


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is no file."""
    if not path.exists():
        return {}
    if not path.is_file() or path.stat().st_size > _BYTES:
        raise InvalidInput(f"{path.name} is no file of at most {_BYTES} bytes")
    try:
        said = json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=_refuser(path, "holds {}, which is no finite number"),
            object_pairs_hook=_once(path),
        )
    except (ValueError, RecursionError) as error:
        # The parser's own words may quote what stands there.
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput(f"{path.name} is no JSON{where}") from error
    if not isinstance(said, dict) or len(said) > _ENTRIES or not all(said):
        raise InvalidInput(f"{path.name} is no object of at most {_ENTRIES} named values")
    return said


def _refuser(path: Path, what: str) -> Callable[[str], Any]:
    def refuse(word: str) -> Any:
        raise InvalidInput(f"{path.name} {what.format(word)}")

    return refuse


def _once(path: Path) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def pairs(given: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(given)
        if len(found) < len(given):
            raise InvalidInput(f"{path.name} has one name twice")
        return found

    return pairs
