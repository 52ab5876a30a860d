"""What a validator measures of some rows, and how two answers differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Check, InvalidInput, Unsupported, measures_of
from interlock_hookspecs.conformance.rows import MARKER, Answers, rows_of
from interlock_hookspecs.conformance.suite import ask, has

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs import Task


def undeclared(plugin: Any, kind: str, names: Iterable[str]) -> str:
    """The first of some names that a plugin says it never gives; empty where there is none."""
    declared = measures_of(type(plugin), kind)
    return "" if declared is None else min(set(names) - declared, default="")


def measured(
    plugin: Any,
    task: Task,
    heldout: pa.Table | None = None,
    training: pa.Table | None = None,
    *,
    predictor: Answers | None = None,
    champion: Answers | None = None,
) -> tuple[Check, ...]:
    """All that a plugin measures: the rows, and a candidate on rows that it has not seen."""
    heldout = rows_of(task.kind, seed=1) if heldout is None else heldout
    training = rows_of(task.kind, seed=2) if training is None else training
    found: tuple[Check, ...] = ()
    if has(plugin, "check_data"):
        found += ask(plugin, "check_data", rows=training, task=task, reference=None)
    if has(plugin, "check_model"):
        found += ask(
            plugin,
            "check_model",
            predictor=predictor or Answers(task.kind),
            heldout=heldout,
            training=training,
            task=task,
            champion=champion,
        )
    return found


def answered(plugin: Any, what: str, task: Task, *tables: pa.Table) -> tuple[Check, ...]:
    """The checks of hard rows; a plugin may refuse them, in the contract's words."""
    try:
        return measured(plugin, task, *tables)
    except AssertionError:
        raise
    except Exception as error:
        said = isinstance(error, InvalidInput | Unsupported)
        if said and MARKER not in str(error):
            return ()
        fault = "the error repeats a value of a data row" if said else "no error of the contract"
        msg = f"{what}: {type(error).__name__} is raised: {fault}"
        raise AssertionError(msg) from error


def apart(once: tuple[Check, ...], again: tuple[Check, ...], how: str) -> str:
    """Which check differs between two answers, in a sentence."""
    for one, two in zip(once, again, strict=False):
        if one != two:
            return f"{how} give another {one.label}"
    return f"{how} give {len(again)} checks, not {len(once)}"
