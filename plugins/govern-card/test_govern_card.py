"""The card as a reader, a browser's parser and an attacker see it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_govern_card import ModelCard
from interlock_govern_card.figures import safe_figure
from interlock_govern_card.page import _html
from interlock_govern_card.plots import bounds_plot, group_plots
from interlock_govern_card.words import code, literal, number, plain, table
from interlock_hookspecs import (
    Approval,
    Artifact,
    Bound,
    CardSection,
    Check,
    Dossier,
    Facts,
    Field,
    Maker,
    Model,
    ModelFacts,
    Policy,
    Score,
    Signature,
    Verdict,
    bytes_digest,
)
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.govern import GovernSuite

DIGEST = bytes_digest(b"")
PATH = "{http://www.w3.org/2000/svg}path"
METRICS = Maker(plugin="validate-metrics", version="0.1.0")
POLICY = Maker(plugin="govern-policy", version="0.1.0")
HOSTILE = "<script>alert(1)</script> **x** | [y](javascript:z) ![i](http://t/p.png) \u202e`a\n# b"
AUC = Check(
    name="roc_auc", value=0.905, n=17196, low=0.9, high=0.91, method="delong", maker=METRICS
)
DOSSIER = Dossier(
    digest=DIGEST,
    run="run-1",
    project="employment",
    stack="dev",
    model=Model(
        format="skops",
        artifact=Artifact(digest=DIGEST, size=9, name="model.skops"),
        signature=Signature(
            kind="binary",
            inputs=(Field(name="AGEP", type="int64"),),
            outputs=(Field(name="score", type="double"),),
            classes=(0, 1),
            positive=1,
        ),
    ),
    data=DIGEST,
    code=DIGEST,
    threshold=0.5,
    checks=(
        AUC,
        Check(name="gap", reason="one fold only", maker=METRICS),
        Check(name="rate", subject="SEX=1", value=0.5, n=900, low=0.47, high=0.53, maker=METRICS),
    ),
    policy=Policy(
        approvals=1,
        bounds=(
            Bound(key="metrics.roc_auc", op=">=", limit=0.85),
            Bound(key="metrics.roc_auc", op=">=", limit=0.95, included=True),
        ),
    ),
    facts=ModelFacts(owner="labour-insights", purpose="programme planning"),
    estimator="sklearn.tree.DecisionTreeClassifier",
    parameters=Facts({"max_depth": 3}),
    scores=(Score(name="roc_auc", folds=(0.9, 0.8)),),
    training_rows=51589,
    source="data/2015.parquet",
    lineage=Facts({"git.commit": "2eef513", "seed": 0}),
)


def verdict_of(decision: str, reason: str = "0.905 is well", **others: str) -> Verdict:
    settings = {"subject": "metrics.roc_auc", "check": "metrics.roc_auc"} | others
    return Verdict(decision=decision, reason=reason, maker=POLICY, **settings)


VERDICTS = (verdict_of("approve"), verdict_of("refuse", "0.905 is under 0.95"))


def card_of(
    folder: Path,
    dossier: Dossier = DOSSIER,
    verdicts: tuple[Verdict, ...] = VERDICTS,
    more: tuple[CardSection, ...] = (),
) -> tuple[str, str, Artifact]:
    """The Markdown, the HTML and the artifact of a card."""
    workspace = LocalWorkspace(folder)
    card = ModelCard()
    kept = card.render_card(dossier, (*card.describe_model(dossier), *more), verdicts, workspace)
    place = workspace.locate(kept)
    return (place / "card.md").read_text(), (place / "card.html").read_text(), kept


class Page(HTMLParser):
    """Elements, attributes and text, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_sections_in_order() -> None:
    """Every card has the standard sections, in the order a reader asks for them."""
    sections = ModelCard().describe_model(DOSSIER)
    assert [section.title for section in sections] == [
        "Summary",
        "Intended use",
        "Data",
        "Training",
        "Evaluation",
        "By group",
        "Lineage",
        "Approvals",
    ]
    orders = [section.order for section in sections]
    assert orders == sorted(orders)


def test_card_says_what_the_dossier_says(tmp_path: Path) -> None:
    """Both files hold the owner, the numbers, the reasons, the parameters and the digest."""
    for text in card_of(tmp_path)[:2]:
        for told in (
            "labour-insights",
            "programme planning",
            "0.905",
            "0.900 to 0.910",
            "0.905 is under 0.95",
            "max_depth",
            "51,589",
            "one fold only",
            "2eef513",
            "govern-policy 0.1.0",
            DIGEST,
        ):
            assert told in text, told


def test_refusals_come_first_with_their_own_bound(tmp_path: Path) -> None:
    """Verdicts stand worst first, each beside the bound that it judged."""
    text, html, _ = card_of(tmp_path)
    rows = [line for line in text.splitlines() if line.startswith(("| **refuse", "| **approve"))]
    assert "`>= 0.95`" in rows[0]
    assert "`>= 0.85`" in rows[1]
    assert "1 of 2 verdicts refuse this model" in Page(html).text


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ((), "Nobody judged this model"),
        ((verdict_of("approve"),), "The verdict approves"),
        ((verdict_of("approve"), verdict_of("explain")), "1 of 2 verdicts ask a person"),
    ],
)
def test_headline(tmp_path: Path, verdicts: tuple[Verdict, ...], sentence: str) -> None:
    """The first sentence says the gravest thing; no verdict at all is no good news."""
    assert sentence in Page(card_of(tmp_path, verdicts=verdicts)[1]).text


def test_same_dossier_same_bytes(tmp_path: Path) -> None:
    """A card made twice, in two places, is one artifact."""
    assert card_of(tmp_path / "a")[2] == card_of(tmp_path / "b")[2]


def test_page_fetches_and_runs_nothing(tmp_path: Path) -> None:
    """The page has no script, and no element or style that loads anything."""
    _, html, kept = card_of(tmp_path)
    page = Page(html)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object"}
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    assert "src" not in {name for _, found in page.elements for name in found}
    assert "url(" not in html
    assert "@import" not in html
    assert any("default-src 'none'" in str(found.get("content")) for _, found in page.elements)
    assert (kept.folder, kept.name) == (True, "card")


def test_plots_are_in_the_page(tmp_path: Path) -> None:
    """The page draws the bounds and the groups, each plot with a name for who cannot see it."""
    page = Page(card_of(tmp_path)[1])
    labels = [found.get("aria-label") for tag, found in page.elements if tag == "svg"]
    assert labels == ["Measured values against the bounds of the policy", "metrics.rate by group"]


def hostile_dossier() -> Dossier:
    check = attrs.evolve(AUC, subject=HOSTILE, concern=HOSTILE, method=HOSTILE)
    group = attrs.evolve(AUC, subject=f"{HOSTILE}=1")
    approval = Approval(
        id="a",
        dossier=DIGEST,
        decision="approve",
        reason=HOSTILE,
        actor=HOSTILE,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return attrs.evolve(
        DOSSIER,
        project=HOSTILE,
        stack=HOSTILE,
        run=HOSTILE,
        source=HOSTILE,
        estimator=HOSTILE,
        checks=(check, group, attrs.evolve(check, value=None, reason=HOSTILE)),
        facts=ModelFacts(owner=HOSTILE, purpose=HOSTILE, tier=HOSTILE, review_by=HOSTILE),
        parameters=Facts({HOSTILE: HOSTILE}),
        scores=(Score(name=HOSTILE, folds=(0.5,)),),
        lineage=Facts({HOSTILE: HOSTILE}),
        approvals=(approval,),
        policy=Policy(bounds=(Bound(key=check.key, op=">=", limit=0.5),)),
    )


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """Names and reasons that are HTML, Markdown or bidi controls are shown, never obeyed."""
    dossier = hostile_dossier()
    verdict = verdict_of("refuse", HOSTILE, subject=dossier.policy.bounds[0].key, change=HOSTILE)
    text, html, _ = card_of(tmp_path, dossier, (verdict,))
    page = Page(html)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img"}
    links = [found.get("href") for tag, found in page.elements if tag == "a"]
    assert links == ["#verdicts"]
    assert page.text.count("<script>alert(1)</script>") > 20
    assert "\u202e" not in html + text
    assert Page(str(_html(text))).elements.count(("a", {})) == 0
    rendered = {tag for tag, _ in Page(str(_html(text))).elements}
    assert not rendered & {"a", "script", "img", "em"}


def test_other_plugins_sections_are_tamed() -> None:
    """Markdown of another plugin keeps headings below ours; tags are text, images mere links."""
    html = str(_html("# Big\n\n<b>x</b> ![p](http://t/p.png) [js](data:x) [ftp](ftp://a.example)"))
    assert "<h3>Big</h3>" in html
    assert "<b>" not in html
    assert "<img" not in html
    assert re.findall(r'href="([^"]*)"', html) == ["http://t/p.png", "#"]


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<rect onclick="alert(1)"/>',
        '<image href="http://t/p.png"/>',
        '<use href="#a"/>',
        '<rect style="fill:url(http://t/p)"/>',
        '<rect fill="u\\72l(http://t/p)"/>',
        "<style>* { display: none }</style>",
        "<foreignObject><p>x</p></foreignObject>",
        '<a xmlns:x="http://www.w3.org/1999/xlink" x:href="javascript:x"><text>x</text></a>',
        '<p xmlns="http://www.w3.org/1999/xhtml">x</p>',
        "<g>" * 60 + "</g>" * 60,
        "<g>",
    ],
)
def test_figures_that_are_more_than_drawings(inside: str) -> None:
    """A figure with anything but a drawing in it is left out as a whole."""
    assert safe_figure(f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>') is None


def test_figure_with_entities_is_left_out() -> None:
    """A document type, by which a few bytes grow to gigabytes, is not read."""
    assert safe_figure('<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>') is None


def test_left_out_figure_is_said(tmp_path: Path) -> None:
    """The page says that a figure was left out, and keeps the good one."""
    good = '<svg viewBox="0 0 9 9"><circle r="2"/></svg>'
    section = CardSection(title="More", body="x", figures=(good, "<svg><script/></svg>"))
    html = card_of(tmp_path, more=(section,))[1]
    assert '<circle r="2"' in html
    assert "1 figure of this section left out" in Page(html).text


def test_unknown_lineage_is_said() -> None:
    """A model that was not trained here is never described as if it had been."""
    (summary, *_) = ModelCard().describe_model(attrs.evolve(DOSSIER, origin="external"))
    assert "its lineage is unknown" in summary.body


def test_approvals_show_what_they_are_worth() -> None:
    """An approval shows whether the person was verified, ran the model, or judged another."""
    approval = Approval(
        id="a",
        dossier=bytes_digest(b"other"),
        decision="approve",
        reason="small group, reviewed",
        actor="ana",
        at=datetime(2026, 1, 1, 9, 30, tzinfo=UTC),
        self_approved=True,
    )
    *_, section = ModelCard().describe_model(attrs.evolve(DOSSIER, approvals=(approval,)))
    for told in ("ana", "unverified", "2026-01-01 09:30 UTC", "self-approval", "void"):
        assert told in section.body
    *_, section = ModelCard().describe_model(DOSSIER)
    assert "Nobody has approved or rejected" in section.body


@given(st.text())
def test_literal_is_read_as_text(text: str) -> None:
    """Any text, escaped for Markdown, is one paragraph with the same text and no markup."""
    page = Page(str(_html(f"x {literal(text)}")))
    assert {tag for tag, _ in page.elements} == {"p"}
    assert page.text.strip() == plain(f"x {text}")


@given(st.text(), st.text())
def test_table_keeps_its_cells(one: str, two: str) -> None:
    """Any text in a cell, as literal or as code, leaves the table with its columns."""
    page = Page(str(_html(table(("a", "b"), [(literal(one) or "-", code(two))]))))
    assert [tag for tag, _ in page.elements].count("td") == 2


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite, finite, st.sampled_from([">=", "<=", ">", "<", "=="]), st.text(max_size=9))
def test_plots_of_any_numbers(low: float, value: float, limit: float, op: str, who: str) -> None:
    """Whatever was measured, a plot is a drawing that is let in, of finite places."""
    check = Check(name="c", subject=f"{who}=1", value=value, low=low, high=value)
    bound = Bound(key=check.key, op=op, limit=limit)
    for drawn in (bounds_plot([check], [bound]), *group_plots([check])):
        assert drawn is not None
        assert safe_figure(drawn)
        paths = ET.fromstring(drawn).iter(PATH)  # noqa: S314  (drawn here)
        places = [path.get("d", "") for path in paths]
        assert places
        assert not [place for place in places if "nan" in place or "inf" in place]
    assert len(number(value)) < 24


def test_nothing_measured_draws_nothing() -> None:
    """Without a measured check there is no plot, and the card says that nothing was measured."""
    empty = attrs.evolve(DOSSIER, checks=())
    assert bounds_plot((), DOSSIER.policy.bounds) is None
    assert not group_plots(())
    titles = {section.title: section.body for section in ModelCard().describe_model(empty)}
    assert "Nothing was measured" in titles["Evaluation"]
    assert "By group" not in titles


class TestModelCard(GovernSuite):
    """Every promise that the contract makes of governance."""

    @pytest.fixture
    def plugin(self):
        return ModelCard()
