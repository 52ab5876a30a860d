"""Monitor: the last stage of a run looks at the traffic since it was last looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.monitoring import monitor_endpoint
from interlock.lifecycle.windows import keeps_no_captures


def inputs(context: Context) -> Mapping[str, Any] | None:
    """None: traffic goes on."""


def perform(context: Context) -> Result:
    """Compare the traffic since the last window; no traffic yet is no failure, nor is none kept."""
    unkept = keeps_no_captures(context.session)
    if unkept:
        text = f"not watched: {unkept} does not read back what it answered (read_captures)"
        return Result(outputs={"alerts": 0}, text=text, anew=False)
    seen = monitor_endpoint(context.session, workspace=context.workspace)
    alerts = sum(finding.status == "alert" for window in seen for finding in window.findings)
    rows = sum(window.rows for window in seen)
    text = f"{rows:,} rows in {len(seen)} windows, {alerts} alerts" if seen else "no traffic yet"
    return Result(outputs={"alerts": alerts}, text=text, anew=False)
