"""The fairness section of a model card."""

from __future__ import annotations

from collections.abc import Mapping

from interlock_hookspecs import CardSection, Check, Dossier

_ORDER = 60
_TITLES = {
    "selection_rate": "selected",
    "tpr": "true positives",
    "fpr": "false positives",
    "mean_prediction": "mean prediction",
    "mean_error": "mean error",
    "mae": "mean absolute error",
}


def section(dossier: Dossier) -> tuple[CardSection, ...]:
    """One section with a table of groups for each column; none where nothing was compared."""
    own = [check for check in dossier.checks if check.maker and check.maker.word == "fairness"]
    columns = dict.fromkeys(check.subject for check in own if "=" not in check.subject)
    if not columns:
        return ()
    body = "\n\n".join(_of_column(column, own) for column in columns)
    return (CardSection(title="Groups", body=body, order=_ORDER),)


def _of_column(column: str, checks: list[Check]) -> str:
    of_groups = [check for check in checks if "=" in check.subject and _column(check) == column]
    summaries = [check for check in checks if check.subject == column]
    lines = [f"**{_escaped(column)}**", ""]
    if of_groups:
        lines += [*_table(of_groups), ""]
    lines += [f"- {check.name.replace('_', ' ')}: {_cell(check)}" for check in summaries]
    return "\n".join(lines)


def _column(check: Check) -> str:
    """The column of a group's check: of ``SEX=1&RAC1P=2``, ``SEX&RAC1P``."""
    return "&".join(part.partition("=")[0] for part in check.subject.split("&"))


def _table(checks: list[Check]) -> list[str]:
    names = list(dict.fromkeys(check.name for check in checks))
    rows: dict[str, dict[str, Check]] = {}
    for check in checks:
        rows.setdefault(check.subject, {})[check.name] = check
    head = ["group", "rows", *(_TITLES.get(name, name) for name in names)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [
        [_escaped(group), _rows(found), *(_cell(found.get(name)) for name in names)]
        for group, found in rows.items()
    ]
    return [f"| {' | '.join(line)} |" for line in lines]


def _rows(found: Mapping[str, Check]) -> str:
    # Rates among some of the rows rest on fewer.
    return str(max(check.n or 0 for check in found.values()))


def _cell(check: Check | None) -> str:
    if check is None:
        return ""
    if check.value is None:
        return _escaped(check.reason)
    if check.low is None or check.high is None:
        return f"{check.value:.3f}"
    return f"{check.value:.3f} ({check.low:.3f} to {check.high:.3f})"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
