"""The card as Markdown: everything but the plots."""

from __future__ import annotations

from interlock_govern_card.judgements import Judgement, headline
from interlock_govern_card.sections import checks_table
from interlock_govern_card.words import NOTHING, code, interval, literal, number, table
from interlock_hookspecs import CardSection, Dossier


def markdown_card(
    dossier: Dossier, sections: tuple[CardSection, ...], judgements: tuple[Judgement, ...]
) -> str:
    """Title, verdicts, the sections as they were written, every check, the digest."""
    _, sentence = headline(judgements)
    parts = [
        f"# Model card: {literal(dossier.project)}",
        f"**{sentence}.** Dossier {code(dossier.digest)}",
        "## Verdicts",
        _verdicts(judgements),
    ]
    for section in sections:
        parts += [f"## {literal(section.title)}", section.body.strip()]
    parts += ["## Every check", checks_table(list(dossier.checks))]
    return "\n\n".join(parts) + "\n"


def _verdicts(judgements: tuple[Judgement, ...]) -> str:
    if not judgements:
        return "No plugin gave a verdict."
    return table(
        ("decision", "what", "bound", "value", "interval", "reason", "what would change it", "by"),
        [
            (
                f"**{item.verdict.decision}**",
                code(item.verdict.subject),
                code(item.bound.text) if item.bound else NOTHING,
                number(item.check.value) if item.check else NOTHING,
                interval(item.check.low, item.check.high) if item.check else NOTHING,
                literal(item.verdict.reason),
                literal(item.verdict.change) or NOTHING,
                literal(item.verdict.maker or "unknown"),
            )
            for item in judgements
        ],
    )
