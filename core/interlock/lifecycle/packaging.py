"""The form that a model is served in, where the stack asks for another than it was made in.

What is judged is the model; what is served answers as it does on the held-out rows, or is not
served. Both are on record: the gap as checks, the packaged file in the dossier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock.errors import HookFailed, UsageError
from interlock_hookspecs import PREDICTION, Check, Maker, Model, Unsupported, decide, score_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from interlock.lifecycle.context import Context
    from interlock.session import Session
    from interlock_hookspecs import Predictor, Signature

GAP = 1e-4
"""How far a score, or a prediction relative to the largest, may be from the model's own. A file
of single-precision floats keeps some six digits; a wrong one differs by a whole leaf."""


@attrs.frozen(kw_only=True)
class Packaged:
    """What came of packaging a model.

    Attributes:
        model: what is to be served; None where the model itself is.
        checks: how far its answers are from the model's.
        reason: why there is none; empty where there is one, or none was asked for.
    """

    model: Model | None = None
    checks: tuple[Check, ...] = ()
    reason: str = ""


def packager(session: Session) -> Maker | None:
    """Who packages the models of a stack; None where they are served as they are.

    Raises:
        UsageError: no plugin of that format is installed, or it packages nothing.
    """
    word = session.stack.package
    if not word:
        return None
    member = session.funnel.member(f"model-{word}")
    if not hasattr(member.plugin, "package_model"):
        msg = f"package = {word!r}: {member.maker} converts no model of another format"
        raise UsageError(msg, hint="interlock plugins hooks package_model")
    return member.maker


def packager_of(context: Context) -> Maker | None:
    """Who packages the candidate of a run; None where it is served as it is."""
    if context.session.stack.package == context.candidate.model.format:
        return None
    return packager(context.session)


def package(context: Context, predictor: Predictor) -> Packaged:
    """Convert the candidate, and compare both on the held-out rows.

    Args:
        context: a run with a candidate and held-out rows.
        predictor: the candidate, opened.

    Raises:
        HookFailed: the conversion broke; that a model does not convert is an answer.
    """
    maker = packager_of(context)
    if maker is None:
        return Packaged()
    ws, model = context.workspace, context.candidate.model
    try:
        made = ws.package_model(context.session.stack.package, model, context.heldout)
        answers = ws.open_model(made).predict(context.heldout)
    except HookFailed as error:
        if not isinstance(error.__cause__, Unsupported):
            raise
        return Packaged(reason=str(error.__cause__))
    own = predictor.predict(context.heldout)
    checks, alike = compare(answers, own, predictor.signature, context.task.threshold)
    checks = tuple(attrs.evolve(check, maker=maker) for check in checks)
    if not alike:
        said = ", ".join(f"{check.label} {check.value:.6g}" for check in checks)
        return Packaged(checks=checks, reason=f"it does not answer as the model does: {said}")
    return Packaged(model=made, checks=checks)


def compare(
    answers: pa.Table, own: pa.Table, signature: Signature, threshold: float
) -> tuple[tuple[Check, ...], bool]:
    """How far the answers of a packaged model are from the model's own, on the same n rows.

    Returns:
        The checks ``score_gap`` (the largest absolute difference of a score; of a regression,
        relative to the largest prediction or 1) and, of a classifier, ``label_agreement`` (the
        share of equal labels); and whether the packaged one may stand for the model: every label
        equal, and no gap over `GAP`.
    """
    n = own.num_rows
    classifies = signature.kind in ("binary", "multiclass")
    names = score_columns(signature) if classifies else (PREDICTION,)
    there, here = _matrix(answers, names), _matrix(own, names)
    scale = 1.0 if classifies or not n else max(1.0, float(abs(here).max()))
    gap = float(abs(there - here).max()) / scale if n else 0.0
    checks = [Check(name="score_gap", value=gap, n=n, method="largest absolute difference")]
    agreement = 1.0
    if classifies:
        labels = [decide(table, signature, threshold)[PREDICTION] for table in (answers, own)]
        agreement = _share_equal(*labels) if n else 1.0
        checks.append(Check(name="label_agreement", value=agreement, n=n, method="share of equal"))
    return tuple(checks), agreement == 1.0 and gap <= GAP


def _matrix(table: pa.Table, names: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """The columns side by side, [n, names], in doubles."""
    import numpy as np

    return np.column_stack([np.asarray(table[name].to_numpy(), np.float64) for name in names])


def _share_equal(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> float:
    import pyarrow.compute as pc

    return float(pc.mean(pc.equal(ours, theirs)).as_py())
