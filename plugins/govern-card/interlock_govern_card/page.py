"""The card as one HTML file: style and plots inside, no script, nothing fetched."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

from interlock_govern_card.figures import safe_figure
from interlock_govern_card.judgements import ORDER, Judgement, headline
from interlock_govern_card.plots import bounds_plot
from interlock_govern_card.words import NOTHING, interval, number, plain, short_digest
from interlock_hookspecs import CardSection, Dossier

if TYPE_CHECKING:
    from jinja2 import Template
    from markdown_it.token import Token
    from markupsafe import Markup

_LINKS = ("https://", "http://", "mailto:", "#")
_BELOW_SECTION = 2
_DEEPEST_HEADING = 6


def html_card(
    dossier: Dossier, sections: tuple[CardSection, ...], judgements: tuple[Judgement, ...]
) -> str:
    """The page. It depends on its arguments only: no clock, no host, no random id."""
    from markupsafe import Markup

    decision, sentence = headline(judgements)
    counts = [(word, sum(item.verdict.decision == word for item in judgements)) for word in ORDER]
    return template().render(
        style=Markup(_read("card.css")),  # noqa: S704  (our own file)
        dossier=dossier,
        judgements=judgements,
        decision=decision,
        sentence=sentence,
        counts=counts,
        interval=interval,
        nothing=NOTHING,
        plot=Markup(bounds_plot(dossier.checks, dossier.policy.bounds) or ""),  # noqa: S704  (every text in it is escaped)
        sections=[(section, *_figures(section)) for section in sections],
    )


@functools.cache
def template() -> Template:
    """What the page is made from, compiled once a process."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
    )
    environment.filters.update(number=number, short=short_digest, paragraphs=_html)
    return environment.from_string(_read("card.html.j2"))


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _figures(section: CardSection) -> tuple[list[Markup], int]:
    """The figures of a section that are drawings, and how many were not."""
    from markupsafe import Markup

    drawn = [safe_figure(figure) for figure in section.figures]
    kept = [Markup(figure) for figure in drawn if figure]  # noqa: S704  (made of allowed elements)
    return kept, len(drawn) - len(kept)


def _html(body: str) -> Markup:
    """Markdown to HTML; tags in it are text, images stay out, headings go below the section's."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = reader.parse(body)
    for token in tokens:
        _tame(token)
    html: str = reader.renderer.render(tokens, reader.options, {})
    framed = html.replace("<table>", '<div class="wide" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )
    return Markup(framed)  # noqa: S704  (markdown-it escapes what is not its own)


def _tame(token: Token) -> None:
    if token.type in ("heading_open", "heading_close"):
        level = min(_DEEPEST_HEADING, int(token.tag[1:]) + _BELOW_SECTION)
        token.tag = f"h{level}"
    if token.type == "link_open":
        href = str(token.attrs.get("href", ""))
        token.attrs = {"href": href if href.lower().startswith(_LINKS) else "#"}
        token.attrSet("rel", "noopener noreferrer")
    for child in token.children or ():
        _tame(child)
