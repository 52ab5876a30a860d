"""What is seen of a new release in a step: counts of its server, pairs with the champion, findings.

Only what a bound names is measured. Counts are of the step alone: those of its beginning are
taken off. Rows are what was captured since then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock.lifecycle.labels import all_labels, with_labels
from interlock.lifecycle.monitoring import findings_of, window_of
from interlock.lifecycle.rollouts.judge import SURE, Evidence, Seen
from interlock.lifecycle.rollouts.pairs import Pairs, pairs_of
from interlock.lifecycle.windows import captured_since, named_as_sent
from interlock_hookspecs import Deployment, Finding, Traffic
from interlock_hookspecs.measures import mean_interval, wilson

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.lifecycle.rollouts.state import Rollout
    from interlock.session import Session

_SHARES = {"error_rate": "failed", "refusal_rate": "refused"}
_LATENCIES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
_PAIRED = ("agreement", "difference", "score_psi")


def gather(
    session: Session,
    workspace: CoreWorkspace,
    rollout: Rollout,
    deployment: Deployment,
) -> Seen:
    """Measure what the bounds of a rollout name, in its present step.

    Raises:
        HookFailed: the endpoint does not tell its counts.
    """
    now = datetime.now(UTC)
    traffic = traffic_of(session, deployment, rollout)
    keys = [bound.key for bound in rollout.plan.bounds]
    found = {key: _counted(key, traffic) for key in keys if is_counted(key)}
    wanted = [key for key in keys if key not in found]
    if wanted:
        captures = captured_since(session, deployment, rollout.entered, now)
        found |= _from_captures(session, workspace, rollout, captures, wanted, now)
    return Seen(
        seconds=(now - rollout.entered).total_seconds(),
        requests=traffic.requests if traffic else 0,
        evidence=found,
    )


def is_counted(key: str) -> bool:
    """Whether a measure is of the counts of a server, and of no rows that it answered."""
    return _name(key) in _SHARES | _LATENCIES


def counts_of(session: Session, deployment: Deployment) -> tuple[Traffic, ...]:
    """What an endpoint tells of each release that it has.

    Raises:
        HookFailed: it does not answer.
    """
    counts: tuple[Traffic, ...] = session.funnel.owner(
        "read_traffic", deployment.maker or "", deployment=deployment
    )
    return counts


def traffic_of(session: Session, deployment: Deployment, rollout: Rollout) -> Traffic | None:
    """What the new release was asked since the step was entered; None where it is not served."""
    for one in counts_of(session, deployment):
        if one.release == rollout.release and one.mirror == rollout.step.mirror:
            same = (
                before
                for before in rollout.baseline
                if (before.release, before.mirror) == (one.release, one.mirror)
            )
            return one.minus(next(same, None))
    return None


def _name(key: str) -> str:
    """The measure of core's own that a key names; empty for a finding of a plugin."""
    word, _, label = key.partition(".")
    return label.partition("[")[0] if word == "rollout" else ""


def _counted(key: str, traffic: Traffic | None) -> Evidence:
    if traffic is None or not traffic.requests:
        return Evidence(key=key, reason="it was asked nothing")
    name = _name(key)
    if name in _SHARES:
        count = getattr(traffic, _SHARES[name])
        low, high = wilson(count, traffic.requests, SURE) or (None, None)
        value = count / traffic.requests
        return Evidence(key=key, value=value, n=traffic.requests, low=low, high=high)
    if not traffic.answered:
        return Evidence(key=key, reason="it answered nothing")
    if not traffic.latencies:
        return Evidence(key=key, reason="its server does not tell how long each release takes")
    seconds = traffic.latency(_LATENCIES[name])
    # Slower than every cell is slower than any bound.
    value = 86_400.0 if seconds is None else seconds
    return Evidence(key=key, value=value, n=traffic.answered)


def _from_captures(
    session: Session,
    workspace: CoreWorkspace,
    rollout: Rollout,
    captures: pa.Table,
    wanted: list[str],
    now: datetime,
) -> dict[str, Evidence]:
    found: dict[str, Evidence] = {}
    paired = [key for key in wanted if _name(key) in _PAIRED]
    if paired:
        pairs = pairs_of(session, workspace, rollout, captures)
        found |= {key: _compared(key, pairs) for key in paired}
    named = [key for key in wanted if key not in found]
    if named:
        findings = _findings(session, workspace, rollout, captures, now)
        found |= {key: _noticed(key, findings) for key in named}
    return found


def _compared(key: str, pairs: Pairs) -> Evidence:
    if pairs.reason:
        return Evidence(key=key, reason=pairs.reason)
    name, subject = _name(key), key.partition("[")[2].rstrip("]")
    if name == "agreement":
        if not pairs.decides:
            reason = 'its predictions are numbers: bound "rollout.difference[prediction]" instead'
            return Evidence(key=key, reason=reason)
        same = pairs.agreeing()
        low, high = wilson(same, pairs.n, SURE) or (None, None)
        return Evidence(key=key, value=same / pairs.n, n=pairs.n, low=low, high=high)
    both = pairs.numbers(subject)
    if both is None:
        return Evidence(key=key, reason=f"{subject!r} is no number that both releases give")
    mine, champions = both
    if name == "score_psi":
        return Evidence(key=key, value=_psi(mine, champions), n=pairs.n)
    distances = abs(mine - champions)
    low, high = mean_interval(distances, SURE) or (None, None)
    return Evidence(key=key, value=float(distances.mean()), n=pairs.n, low=low, high=high)


def _psi(values: Any, reference: Any, cells: int = 10) -> float:
    """The population stability index of values against a reference, over its deciles.

    Source: N. Siddiqi, "Credit Risk Scorecards" (2006). An empty cell counts as half a row, so
    that the index stays finite.
    """
    import numpy as np

    edges = np.unique(np.quantile(reference, np.linspace(0, 1, cells + 1)[1:-1]))
    shares = []
    for side in (values, reference):
        counts = np.bincount(np.searchsorted(edges, side, side="right"), minlength=len(edges) + 1)
        filled = np.maximum(counts, 0.5)
        shares.append(filled / filled.sum())
    ours, theirs = shares
    return float(((ours - theirs) * np.log(ours / theirs)).sum())


def _findings(
    session: Session,
    workspace: CoreWorkspace,
    rollout: Rollout,
    captures: pa.Table,
    now: datetime,
) -> dict[str, Finding]:
    """What the stack's monitors find in the rows that the new release answered."""
    import pyarrow.compute as pc

    mine = captures.filter(pc.equal(captures["release"], rollout.release))
    if not mine.num_rows:
        return {}
    task = session.task
    labelled = with_labels(named_as_sent(mine), all_labels(session, task), task)
    window, profiles = window_of(
        session, rollout.release, labelled, start=rollout.entered, end=now, as_of=now
    )
    found = findings_of(session, workspace, window, profiles, task)
    return {f"{one.maker.word}.{one.label}": one for one in found if one.maker is not None}


def _noticed(key: str, findings: Mapping[str, Finding]) -> Evidence:
    found = findings.get(key)
    if found is None:
        known = ", ".join(sorted(findings)) or "nothing"
        return Evidence(key=key, reason=f"the monitors found {known}")
    if found.status in ("immature", "unmeasured") or found.value is None:
        return Evidence(key=key, n=found.n, reason=found.reason or f"it is {found.status}")
    # Its interval is of one look, and this is looked at again and again: it makes nothing sure.
    return Evidence(key=key, value=float(found.value), n=found.n)
