"""The model card: what a release is for, how it was measured, and who answers for it."""

from __future__ import annotations

from interlock_hookspecs import (
    Artifact,
    CardSection,
    Dossier,
    Verdict,
    Workspace,
    hookimpl,
    plugin,
)


@plugin(contract="1.0")
class ModelCard:
    """Describes what a dossier holds, and puts every plugin's sections into one card."""

    @hookimpl
    def describe_model(self, dossier: Dossier) -> tuple[CardSection, ...]:
        from interlock_govern_card.sections import standard_sections

        return standard_sections(dossier)

    @hookimpl
    def render_card(
        self,
        dossier: Dossier,
        sections: tuple[CardSection, ...],
        verdicts: tuple[Verdict, ...],
        ws: Workspace,
    ) -> Artifact:
        from interlock_govern_card.judgements import judgements_of
        from interlock_govern_card.page import html_card
        from interlock_govern_card.text import markdown_card

        judgements = judgements_of(dossier, verdicts)
        folder = ws.scratch() / "card"
        folder.mkdir()
        for name, content in (
            ("card.md", markdown_card(dossier, sections, judgements)),
            ("card.html", html_card(dossier, sections, judgements)),
        ):
            (folder / name).write_bytes(content.encode("utf-8", "replace"))
        return ws.keep(folder, name="card")
