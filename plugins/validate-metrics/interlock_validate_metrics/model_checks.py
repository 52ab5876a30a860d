"""A candidate on rows it has not seen, on those it was fitted to, and beside the champion."""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Check, InvalidInput, PluginError, Predictor, Task, Unsupported
from interlock_validate_metrics.estimates import (
    LEVEL,
    VERSION,
    Undefined,
    Z,
    check,
    facts,
    ratio_of_means,
    unmeasured,
)
from interlock_validate_metrics.scoring import score, truth_of

if TYPE_CHECKING:
    import pyarrow as pa

NO_CHAMPION = "there is no champion yet: the candidate is compared with nothing"


def check_candidate(
    predictor: Predictor,
    heldout: pa.Table,
    training: pa.Table,
    task: Task,
    champion: Predictor | None,
    *,
    bins: int,
    gap: float,
) -> tuple[Check, ...]:
    """All checks of a candidate; it scores each set of rows once.

    Args:
        predictor: the candidate.
        heldout: rows it has not seen, with the target.
        training: the rows it was fitted to.
        task: kind, target, positive class and threshold.
        champion: the model in use; it scores the held-out rows once.
        bins: of the calibration error.
        gap: the train/held-out gap from which a concern is raised.

    Raises:
        Unsupported: the task is of a kind that is not measured here.
        InvalidInput: there are no rows, no target, or no usable score.
    """
    kind = kind_module(task)
    for rows, which in ((heldout, "held-out"), (training, "training")):
        if rows.num_rows == 0:
            msg = f"there are no {which} rows to measure: [task] holdout or more data"
            raise InvalidInput(msg)
    held = score(predictor, heldout, task, "held-out")
    seen = score(predictor, training, task, "training")
    return (
        *kind.measured(held, bins=bins),
        overfit_gap(kind, seen, held, gap),
        lift_over_baseline(kind, held, training, task),
        *champion_differences(kind, held, champion, heldout, task),
    )


def kind_module(task: Task) -> ModuleType:
    """The module that measures a task's kind.

    Raises:
        Unsupported: there is none.
    """
    from interlock_validate_metrics import binary, multiclass, regression

    kinds = {"binary": binary, "multiclass": multiclass, "regression": regression}
    if task.kind not in kinds:
        msg = f"[task] kind = {task.kind!r} is not measured by metrics: it knows {', '.join(kinds)}"
        raise Unsupported(msg)
    return kinds[task.kind]


def overfit_gap(kind: ModuleType, seen: Any, held: Any, concern_from: float) -> Check:
    """The kind's main metric on the training rows less that on the held-out rows.

    The two sets share no row, so the variances add. It says nothing of how often a larger gap
    would come of another split.
    """
    training, heldout = kind.main(seen), kind.main(held)
    n = len(held.truth)
    for metric in (training, heldout):
        if isinstance(metric, Undefined):
            return unmeasured("overfit_gap", metric.reason, n=n)
    value = training.value - heldout.value
    half = Z * math.hypot(training.error, heldout.error)
    concern = ""
    if value > concern_from:
        concern = (
            f"{kind.MAIN} is {training.value:.3f} on the training rows and {heldout.value:.3f} on "
            "rows not seen: the model remembers more than it learned"
        )
    return Check(
        name="overfit_gap",
        value=value,
        n=n,
        low=value - half,
        high=value + half,
        level=LEVEL,
        method=f"{kind.MAIN}, independent rows",
        version=VERSION,
        concern=concern,
        facts=facts(
            metric=kind.MAIN,
            training=training.value,
            heldout=heldout.value,
            training_rows=len(seen.truth),
        ),
    )


def lift_over_baseline(kind: ModuleType, held: Any, training: pa.Table, task: Task) -> Check:
    """The share of a trivial model's squared error that the candidate takes away.

    The trivial model says the training rows' class shares, or their mean: this is the Brier skill
    score (Murphy 1973, J. Applied Meteorology 12, 215-223), for a regression R2 about the training
    mean. 0 is no better than trivial, 1 is perfect; under 0 is worse than saying the same of all.
    """
    from interlock_validate_metrics.scoring import trivial

    n = len(held.truth)
    trivially = kind.squared_errors(trivial(held, truth_of(training, task, held)))
    metric = ratio_of_means(kind.squared_errors(held), trivially)
    if isinstance(metric, Undefined):
        return unmeasured("lift_over_baseline", "the trivial model is never wrong", n=n)
    lifted = metric._replace(value=1 - metric.value)
    worse = "it is no better than saying the same of every row"
    return check(
        "lift_over_baseline",
        lifted,
        n,
        "delta",
        (-math.inf, 1.0),
        facts=facts(
            squared_error=float(kind.squared_errors(held).mean()), trivial=float(trivially.mean())
        ),
        concern="" if lifted.value > 0 else worse,
    )


def champion_differences(
    kind: ModuleType, held: Any, champion: Predictor | None, heldout: pa.Table, task: Task
) -> list[Check]:
    """Candidate less champion, on the same held-out rows, with the paired interval.

    Without a champion each difference is 0 and says so in ``reason`` and ``facts``: a policy that
    forbids getting worse can then be met by a project's first model. A champion that cannot score
    these rows leaves the differences unmeasured.
    """
    ours = kind.compared(held)
    n = len(held.truth)
    name = "champion_difference"
    if champion is None:
        return [
            Check(
                name=name,
                subject=metric,
                value=0.0,
                n=n,
                method="no champion",
                version=VERSION,
                reason=NO_CHAMPION,
                facts=facts(champion=False),
            )
            for metric in ours
        ]
    try:
        theirs = kind.compared(score(champion, heldout, task, "held-out"))
    except PluginError as error:
        why = f"the champion cannot score the held-out rows: {error}"
        return [unmeasured(name, why, n=n, subject=metric) for metric in ours]
    found = []
    for metric, own in ours.items():
        other = theirs[metric]
        if isinstance(own, Undefined) or isinstance(other, Undefined):
            why = own.reason if isinstance(own, Undefined) else other.reason
            found.append(unmeasured(name, why, n=n, subject=metric))
            continue
        found.append(
            check(
                name,
                own.minus(other),
                n,
                "paired",
                subject=metric,
                facts=facts(champion=True, candidate_value=own.value, champion_value=other.value),
            )
        )
    return found
