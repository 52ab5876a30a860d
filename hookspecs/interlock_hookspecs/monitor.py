"""Monitoring: reference rows profiled, and windows of traffic compared with them and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import every, owner

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.tasks import Task
    from interlock_hookspecs.windows import Finding, Profile, Window
    from interlock_hookspecs.workspace import Workspace


@every("monitor")
def build_profile(
    rows: pa.Table, predictions: pa.Table, task: Task, ws: Workspace
) -> tuple[Profile, ...]:
    """Profile the held-out rows and the candidate's answers to them, before review.

    Asked: all plugins; their lists are joined in stack order.

    Args:
        rows: the held-out rows.
        predictions: as many rows: the outputs and ``prediction``.
        task: which columns are features.
        ws: keeps the profiles.

    Example:
        >>> class Count:
        ...     @hookimpl
        ...     def build_profile(self, rows, predictions, task, ws):
        ...         path = ws.scratch() / "count.json"
        ...         path.write_text(str(rows.num_rows))
        ...         return [Profile(name="count", artifact=ws.keep(path), rows=rows.num_rows)]
        >>> Count().build_profile.__name__
        'build_profile'
    """


@owner("monitor", required=False)
def compare_window(
    profile: Profile, window: Window, task: Task, ws: Workspace
) -> tuple[Finding, ...]:
    """Compare a window with a profile that this plugin made.

    Asked: the plugin that the first argument names.

    A finding carries an effect size, its threshold and n; never a bare p-value.

    Args:
        profile: the reference.
        window: the served rows, with answers.
        task: which columns are features.
        ws: locates the profile.

    Example:
        >>> class Count:
        ...     @hookimpl
        ...     def compare_window(self, profile, window, task, ws):
        ...         n = window.rows.num_rows
        ...         return [Finding(name="rows", status="ok", value=n, n=n, served=n,
        ...                         start=window.start, end=window.end)]
        >>> Count().compare_window.__name__
        'compare_window'
    """


@owner("monitor", required=False)
def merge_profiles(profile: Profile, others: tuple[Profile, ...], ws: Workspace) -> Profile:
    """Merge profiles of this plugin, made from disjoint rows, into one.

    Asked: the plugin that the first argument names.

    The result is the profile that all rows together would have given.

    Args:
        profile: the first.
        others: the rest.
        ws: locates them and keeps the result.

    Raises:
        InvalidInput: they were made over other columns or edges.

    Example:
        >>> class Count:
        ...     @hookimpl
        ...     def merge_profiles(self, profile, others, ws):
        ...         rows = profile.rows + sum(other.rows for other in others)
        ...         path = ws.scratch() / "count.json"
        ...         path.write_text(str(rows))
        ...         return Profile(name="count", artifact=ws.keep(path), rows=rows)
        >>> Count().merge_profiles.__name__
        'merge_profiles'
    """


@every("monitor")
def measure_performance(window: Window, task: Task) -> tuple[Finding, ...]:
    """Measure how right the answers of a window were, on the rows whose labels came.

    Asked: all plugins; their lists are joined in stack order.

    A window still waiting for its labels is ``immature`` and raises nothing.

    Args:
        window: served rows with ``prediction`` and the target, null where unlabelled.
        task: names the target and the positive class.

    Example:
        >>> class Labelled:
        ...     @hookimpl
        ...     def measure_performance(self, window, task):
        ...         n = window.rows.num_rows
        ...         return [Finding(name="labelled", status="ok", value=window.labelled / n, n=n,
        ...                         served=n, start=window.start, end=window.end)]
        >>> Labelled().measure_performance.__name__
        'measure_performance'
    """
