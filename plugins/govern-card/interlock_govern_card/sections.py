"""The sections that every card has, from the dossier alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from interlock_govern_card.plots import group_plots
from interlock_govern_card.words import NOTHING, code, interval, literal, number, table
from interlock_hookspecs import Approval, CardSection, Check, Dossier

_UNKNOWN = "not said"
_COLUMNS_NAMED = 40


def standard_sections(dossier: Dossier) -> tuple[CardSection, ...]:
    """Summary, intended use, data, training, evaluation, groups, lineage and approvals."""
    return tuple(_sections(dossier))


def _sections(dossier: Dossier) -> Iterator[CardSection]:
    yield CardSection(title="Summary", body=_summary(dossier), order=10)
    yield CardSection(title="Intended use", body=_intended_use(dossier), order=20)
    yield CardSection(title="Data", body=_data(dossier), order=30)
    yield CardSection(title="Training", body=_training(dossier), order=40)
    yield CardSection(title="Evaluation", body=_evaluation(dossier), order=50)
    groups = group_plots(dossier.checks)
    if groups:
        body = (
            "Each mark is one group of the held-out rows, its line the interval. "
            "Groups that were too small to measure have none."
        )
        yield CardSection(title="By group", body=body, order=60, figures=groups)
    yield CardSection(title="Lineage", body=_lineage(dossier), order=80)
    yield CardSection(title="Approvals", body=_approvals(dossier), order=90)


def _list(items: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}:** {value}" for name, value in items.items())


def _said(text: str) -> str:
    return literal(text) or _UNKNOWN


def _summary(dossier: Dossier) -> str:
    facts = dossier.facts
    estimator = code(dossier.estimator) if dossier.estimator else "unknown estimator"
    return _list(
        {
            "Model": f"{literal(dossier.project)}, {estimator}",
            "Owner": _said(facts.owner),
            "Purpose": _said(facts.purpose),
            "Tier": _said(facts.tier),
            "Review by": _said(facts.review_by),
            "Origin": _origin(dossier.origin),
        }
    )


def _origin(origin: str) -> str:
    if origin == "trained":
        return "trained here, in the run that the lineage names"
    return f"{origin}: **its lineage is unknown** here; how it was trained cannot be shown"


def _intended_use(dossier: Dossier) -> str:
    purpose = literal(dossier.facts.purpose)
    signature = dossier.model.signature
    if purpose:
        use = f"{purpose.rstrip('.')}."
    else:
        use = "Nobody has said what this model is for: set `purpose` under `[model]`."
    if signature.kind == "binary" and signature.positive is not None:
        decides = (
            f"It answers {code(signature.positive)} where its score is at least "
            f"{number(dossier.threshold)}; the release carries that threshold."
        )
    elif signature.classes:
        decides = f"It answers one of {len(signature.classes)} classes."
    else:
        decides = f"It answers with a number (task: {literal(signature.kind)})."
    return f"{use}\n\n{decides} Any other use was not reviewed."


def _data(dossier: Dossier) -> str:
    listed = _list(
        {
            "Source": code(dossier.source) if dossier.source else _UNKNOWN,
            "Digest of the rows": code(dossier.data),
            "Rows fitted on": number(dossier.training_rows),
        }
    )
    concerns = [check for check in dossier.checks if check.concern]
    if not concerns:
        return listed
    lines = [f"- {code(check.key)}: {literal(check.concern)}" for check in concerns]
    return f"{listed}\n\nWhat was measured raises these concerns:\n\n" + "\n".join(lines)


def _training(dossier: Dossier) -> str:
    signature = dossier.model.signature
    names = [code(field.name) for field in signature.inputs[:_COLUMNS_NAMED]]
    more = len(signature.inputs) - len(names)
    columns = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    parts = [
        _list(
            {
                "Estimator": code(dossier.estimator) if dossier.estimator else _UNKNOWN,
                f"Inputs ({len(signature.inputs)})": columns or "none",
            }
        )
    ]
    if dossier.parameters:
        rows = [(code(name), code(value)) for name, value in dossier.parameters.items()]
        parts.append("Parameters that differ from the estimator's defaults:")
        parts.append(table(("parameter", "value"), rows))
    if dossier.scores:
        parts.append("Cross-validation on the training rows:")
        parts.append(
            table(
                ("score", "mean", "lowest fold", "highest fold", "folds"),
                [
                    (
                        code(score.name),
                        number(score.mean),
                        number(min(score.folds)),
                        number(max(score.folds)),
                        str(len(score.folds)),
                    )
                    for score in dossier.scores
                    if score.folds
                ],
            )
        )
    return "\n\n".join(parts)


def _evaluation(dossier: Dossier) -> str:
    whole = [check for check in dossier.checks if not check.subject]
    measured = [check for check in whole if check.value is not None]
    missing = [check for check in dossier.checks if check.value is None]
    parts = []
    if measured:
        parts.append(
            "What was measured as a whole, not by column or group. "
            "Measures of the model are of held-out rows, which it has not seen."
        )
        parts.append(checks_table(measured))
    else:
        parts.append("Nothing was measured on the model as a whole.")
    if missing:
        lines = [f"- {code(check.key)}: {literal(check.reason)}" for check in missing]
        parts.append("Could not be measured:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def checks_table(checks: list[Check]) -> str:
    """Checks with value, interval, rows and method."""
    return table(
        ("check", "value", "interval", "rows", "method"),
        [
            (
                code(check.key),
                number(check.value),
                interval(check.low, check.high),
                number(check.n),
                literal(check.method) or NOTHING,
            )
            for check in checks
        ],
    )


def _lineage(dossier: Dossier) -> str:
    model = dossier.model
    rows = [
        ("run", code(dossier.run)),
        ("stack", code(dossier.stack)),
        ("model", code(model.digest)),
        ("format", code(model.format)),
        ("data", code(dossier.data)),
        ("code", code(dossier.code)),
        ("in use before", code(dossier.champion) if dossier.champion else "nothing"),
    ]
    if dossier.packaged is not None:
        served = dossier.packaged
        rows.append(("served as", f"{code(served.format)}, {code(served.digest)}"))
    if model.requirements:
        rows.append(("opened with", ", ".join(code(name) for name in model.requirements)))
    rows += [(literal(name), code(value)) for name, value in dossier.lineage.items()]
    return table(("what", "which"), rows)


def _approvals(dossier: Dossier) -> str:
    needed = dossier.policy.approvals
    asks = f"The policy asks for {needed} approval{'' if needed == 1 else 's'}."
    if not dossier.approvals:
        return f"{asks} Nobody has approved or rejected this dossier."
    rows = [
        (
            f"**{approval.decision}**",
            literal(approval.actor),
            literal(approval.verified),
            f"{approval.at:%Y-%m-%d %H:%M} UTC",
            literal(approval.reason),
            _notes(approval, dossier.digest),
        )
        for approval in dossier.approvals
    ]
    return f"{asks}\n\n" + table(
        ("decision", "who", "how we know", "when", "reason", "notes"), rows
    )


def _notes(approval: Approval, digest: str) -> str:
    notes = []
    if approval.self_approved:
        notes.append("self-approval: this person started the run")
    if approval.expires is not None:
        notes.append(f"until {approval.expires:%Y-%m-%d %H:%M} UTC")
    if approval.dossier != digest:
        notes.append("void: given to another dossier")
    return "; ".join(notes) or NOTHING
