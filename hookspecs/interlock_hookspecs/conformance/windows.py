"""Windows of traffic, and what a monitor finds in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Finding, PluginError, Profile, Window, Workspace
from interlock_hookspecs.conformance.rows import Answers, rows_of, task_of
from interlock_hookspecs.conformance.suite import ask, has

if TYPE_CHECKING:
    import pyarrow as pa

START, END = 2016, 2017


def profiles_of(plugin: Any, kind: str, rows: pa.Table, ws: Workspace) -> tuple[Profile, ...]:
    """The profiles of reference rows and the answers to them."""
    answers = Answers(kind).answers(rows)
    found: tuple[Profile, ...] = ask(
        plugin, "build_profile", rows=rows, predictions=answers, task=task_of(kind), ws=ws
    )
    return found


def window_of(kind: str, rows: pa.Table, **changes: Any) -> Window:
    """Served rows with the answers to them; those with a target are labelled."""
    answers = Answers(kind).answers(rows)
    for name in answers.column_names:
        rows = rows.append_column(name, answers[name])
    labelled = rows.num_rows - rows["y"].null_count if "y" in rows.column_names else 0
    given: dict[str, Any] = {"start": START, "end": END, "as_of": END + 50, "labelled": labelled}
    signature = Answers(kind).signature
    return Window(rows=rows, release="release-1", signature=signature, **{**given, **changes})


def compared(
    plugin: Any, profiles: tuple[Profile, ...], window: Window, ws: Workspace
) -> tuple[Finding, ...]:
    """The findings of a window against each of some profiles."""
    task = task_of(window.signature.kind)
    return tuple(
        finding
        for profile in profiles
        for finding in ask(
            plugin, "compare_window", profile=profile, window=window, task=task, ws=ws
        )
    )


def found_in(
    plugin: Any, window: Window, ws: Workspace, reference: pa.Table | None = None
) -> tuple[Finding, ...]:
    """All that a plugin finds in a window, its profiles made of rows of the same kind."""
    kind = window.signature.kind
    reference = rows_of(kind, 2000) if reference is None else reference
    found: tuple[Finding, ...] = ()
    if has(plugin, "compare_window"):
        found += compared(plugin, profiles_of(plugin, kind, reference, ws), window, ws)
    if has(plugin, "measure_performance"):
        found += ask(plugin, "measure_performance", window=window, task=task_of(kind))
    return found


def alerts(findings: tuple[Finding, ...]) -> list[str]:
    """The labels of those that alert."""
    return [finding.label for finding in findings if finding.status == "alert"]


def moved(rows: pa.Table, by: float) -> pa.Table:
    """The rows, ``x`` moved by so many standard deviations; the target stays."""
    import pyarrow.compute as pc

    return rows.set_column(rows.column_names.index("x"), "x", pc.add(rows["x"], by))


def sound(finding: Finding) -> None:
    """Hold a finding's status against its value, threshold and reason."""
    label, value, threshold = finding.label, finding.value, finding.threshold
    if finding.status == "unmeasured":
        assert finding.reason, f"{label} is unmeasured and does not say why"
    if finding.status == "alert":
        assert value is not None, f"{label} alerts without an effect size"
        assert threshold is not None, f"{label} alerts without a threshold"
    if finding.low is not None and finding.high is not None:
        assert finding.low <= finding.high, f"{label} has its interval upside down"
    if value is None or threshold is None:
        return
    ends = [value, *(end for end in (finding.low, finding.high) if end is not None)]
    past = max(ends) >= threshold if finding.op == ">" else min(ends) <= threshold
    if finding.status == "alert":
        assert past, f"{label} alerts at {value}, which is not past {finding.op} {threshold}"


def performance(plugin: Any, kind: str) -> set[str]:
    """The names of what ``measure_performance`` finds in a labelled window."""
    window = window_of(kind, rows_of(kind, 500, 1))
    found = ask(plugin, "measure_performance", window=window, task=task_of(kind))
    return {finding.name for finding in found}


def unbroken(
    plugin: Any, what: str, window: Window, ws: Workspace, reference: pa.Table | None = None
) -> tuple[Finding, ...]:
    """The findings of a hard window, or of one against hard rows: no error is one."""
    try:
        return found_in(plugin, window, ws, reference)
    except AssertionError:
        raise
    except Exception as error:
        kind = "an error of the contract" if isinstance(error, PluginError) else "a fault"
        msg = f"{what} breaks it: {type(error).__name__}, {kind}: {error}"
        raise AssertionError(msg) from error
