"""The classes of a task, as its models know them, and labels that are none of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from interlock.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.session import Session
    from interlock_hookspecs import Task

_LOOKED_AT = 20
_NAMED = 5
_SHOWN = 20


def known_classes(session: Session, task: Task) -> tuple[Any, ...]:
    """Every class that a model of the latest runs was fitted to; none for a regression."""
    reads = session.ledger.reads
    found: dict[Any, None] = {}
    for run in reads.runs(project=session.project, limit=_LOOKED_AT):
        if (run["body"]["task"] or {}).get("target") != task.target:
            # Of a task that was another one then.
            continue
        outputs = reads.stage_outputs(run["id"], "train")
        if outputs:
            signature = outputs["candidate"]["model"]["signature"]
            found |= dict.fromkeys(signature["classes"])
    return tuple(found)


def refuse_unknown(labels: pa.ChunkedArray, classes: Collection[Any], where: str) -> None:
    """Refuse labels that are no class. One that is null is no label, and no mistake.

    Args:
        labels: as they came, n of them.
        classes: those that are known; where there are none, any label may be one.
        where: what a message calls the column.

    Raises:
        UsageError: there are some; their rows are told, and no value of a row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not classes:
        return
    # "1" is the class 1: a type that fits was asked for before.
    names = {str(known) for known in classes}
    strange = [
        one
        for one in labels.unique()
        if one.is_valid and not _is_class(one.as_py(), classes, names)
    ]
    if not strange:
        return
    wrong = pc.is_in(labels, value_set=pa.array(strange, labels.type))
    rows = [index.as_py() + 1 for index in pc.indices_nonzero(wrong)[:_NAMED]]
    count = pc.sum(wrong).as_py()
    more = f" and {count - len(rows):,} more" if count > len(rows) else ""
    told = f"row{'s' if count > 1 else ''} {', '.join(map(str, rows))}{more}"
    msg = f"{where} is no class in {told}; classes: {_listed(classes)}"
    hint = (
        "nothing was kept: correct them and add all again; a new class is known once interlock run "
        "has trained on it"
    )
    raise UsageError(msg, hint=hint)


def _is_class(label: Any, classes: Collection[Any], names: Collection[str]) -> bool:
    return label in classes or str(label) in names


def _listed(classes: Collection[Any]) -> str:
    first = [repr(known) for known in classes][:_SHOWN]
    more = f" and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
    return ", ".join(first) + more
