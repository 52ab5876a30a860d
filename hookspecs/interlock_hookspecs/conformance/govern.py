"""A gate's and a card's promises: nothing passes unmeasured, nothing breaks, nothing smuggles."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest

from interlock_hookspecs import Bound, CardSection, Check, Dossier, Verdict, Workspace
from interlock_hookspecs.conformance.dossiers import (
    approved_at,
    bound_of,
    check_of,
    dossier_of,
    hard_dossiers,
)
from interlock_hookspecs.conformance.suite import Suite, another, ask, has, needs
from interlock_hookspecs.conformance.together import at_once
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_hookspecs.conformance.zones import AHEAD, BEHIND, in_zone

_OUTWARD = re.compile(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//|@import|url\(\s*["']?https?:""")


def said(plugin: Any, dossier: Dossier) -> tuple[Verdict | CardSection, ...]:
    """All that a plugin says of a dossier: verdicts and sections of its card."""
    found: tuple[Verdict | CardSection, ...] = ()
    for hook in ("review", "describe_model"):
        if has(plugin, hook):
            found += ask(plugin, hook, dossier=dossier)
    return found


def judged(plugin: Any, bound: Bound, *checks: Check) -> list[str]:
    """The decisions on one bound, with what was measured."""
    dossier = dossier_of(checks=checks, bounds=(bound,))
    verdicts = ask(plugin, "review", dossier=dossier)
    return [verdict.decision for verdict in verdicts if verdict.subject == bound.key]


def judges_bounds(plugin: Any) -> None:
    """Leave a test, saying so, where the plugin gives no verdict on the bounds of a policy."""
    needs(plugin, "review")
    if not judged(plugin, bound_of("auc"), check_of("auc", 0.9)):
        pytest.skip("optional: the plugin judges no bounds of the policy")


class GovernSuite(Suite):
    """What core relies on in ``review`` and ``describe_model``; ``render_card`` is optional."""

    role = "govern"

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (neither judging nor describing has one)
        """Judge and describe a sound dossier."""
        said(plugin, dossier_of())

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (likewise)
        """Judge and describe dossiers that are hard."""
        for dossier in hard_dossiers().values():
            said(plugin, dossier)

    def test_it_speaks(self, plugin: Any, ws: Workspace) -> None:
        """Of a sound dossier it gives a verdict, a section, or a card."""
        if not (has(plugin, "review") or has(plugin, "render_card")):
            # It adds a section on what it has measured itself, and this dossier has none of that.
            pytest.skip("optional: the plugin neither judges nor renders a card")
        if has(plugin, "review") or has(plugin, "describe_model"):
            assert said(plugin, dossier_of()), "nothing is said of a sound dossier"
        else:
            rendered(plugin, dossier_of(), ws)

    def test_nothing_breaks_it(self, plugin: Any) -> None:
        """A valid dossier is judged and described, however odd: a gate that breaks is shut."""
        for what, dossier in hard_dossiers().items():
            try:
                said(plugin, dossier)
            except Exception as error:
                msg = f"{what} breaks it: {type(error).__name__}: {error}"
                raise AssertionError(msg) from error

    def test_the_same_dossier_is_judged_the_same(self, plugin: Any) -> None:
        """Asked again, also after another dossier or by another process, it says the same."""
        once = said(plugin, dossier_of())
        for dossier in hard_dossiers().values():
            said(plugin, dossier)
        assert said(plugin, dossier_of()) == once, "asked again, it says something else"
        assert said(another(plugin), dossier_of()) == once, "another instance says something else"

    def test_many_judge_at_once(self, plugin: Any) -> None:
        """Several threads that judge at once have each what is said of its own dossier."""
        acts = [partial(said, plugin, dossier) for dossier in hard_dossiers().values()]
        alone = [act() for act in acts]
        assert at_once(acts) == alone, "judged at once with others, a dossier is judged as another"

    def test_a_time_is_said_alike_in_every_zone(self, plugin: Any, ws: Workspace) -> None:
        """Verdicts, sections and cards do not depend on the time zone of the process."""
        dossier = approved_at(datetime(2026, 1, 1, tzinfo=UTC))
        seen = []
        for zone in (AHEAD, BEHIND):
            with in_zone(zone):
                card = _card(plugin, dossier, ws).digest if has(plugin, "render_card") else ""
                seen.append((said(plugin, dossier), card))
        assert seen[0][0] == seen[1][0], "in another time zone, it says something else"
        assert seen[0][1] == seen[1][1], "in another time zone, a card has other bytes"

    def test_the_order_of_checks_makes_no_difference(self, plugin: Any) -> None:
        """What was measured first or last, the verdicts are the same."""
        needs(plugin, "review")
        checks = (check_of("auc", 0.7), check_of("auc", 0.9), check_of("f1", 0.9))
        bounds = (bound_of("auc"), bound_of("f1"), bound_of("recall"))
        seen = []
        for order in (checks, checks[::-1]):
            verdicts = ask(plugin, "review", dossier=dossier_of(checks=order, bounds=bounds))
            seen.append(Counter((verdict.subject, verdict.decision) for verdict in verdicts))
        assert seen[0] == seen[1], "the order of the checks changes a verdict"

    def test_a_verdict_is_a_sentence(self, plugin: Any) -> None:
        """A verdict's reason and what would change it are one line each."""
        needs(plugin, "review")
        for what, dossier in {"a sound one": dossier_of(), **hard_dossiers()}.items():
            for verdict in ask(plugin, "review", dossier=dossier):
                lines = verdict.reason.splitlines() + verdict.change.splitlines()
                assert len(lines) <= 2, f"a verdict on {what} explains itself in several lines"

    def test_the_stamp_is_left_to_core(self, plugin: Any) -> None:
        """What is said comes without a maker: who said it is core's to say."""
        for record in said(plugin, dossier_of()):
            assert record.maker is None, "a record says itself who made it"

    def test_a_bound_that_holds_is_not_refused(self, plugin: Any) -> None:
        """A bound whose check is inside, its limit included, is approved."""
        judges_bounds(plugin)
        for op, limit, value in ((">=", 0.8, 0.8), ("<=", 0.1, 0.1), (">", 0.5, 0.6), ("<", 1, 0)):
            found = judged(plugin, bound_of("auc", op, limit), check_of("auc", value))
            assert found == ["approve"], f"{value} is not approved under {op} {limit}"

    def test_a_bound_that_is_broken_is_not_approved(self, plugin: Any) -> None:
        """A check outside of its bound is refused, or explained where the policy says so."""
        judges_bounds(plugin)
        for op, limit, value in ((">=", 0.8, 0.79), ("<=", 0.1, 0.2), (">", 0.5, 0.5), ("<", 1, 1)):
            for severity in ("refuse", "explain"):
                bound = bound_of("auc", op, limit, severity=severity)
                found = judged(plugin, bound, check_of("auc", value))
                assert "approve" not in found, f"{value} is approved under {op} {limit}"
                assert severity in found, f"a broken bound of severity {severity} is {found}"

    def test_what_was_not_measured_does_not_pass(self, plugin: Any) -> None:
        """A bound whose check is missing, or has no value, is refused."""
        judges_bounds(plugin)
        near = check_of("auc", 0.9, subject="sex=1")
        other = check_of("auc", 0.9, maker=None)
        for what, checks in {
            "without any check": (),
            "with a check of another subject": (near,),
            "with a check that nobody is the maker of": (other,),
            "with a check that has no value": (check_of("auc", None),),
        }.items():
            for severity in ("refuse", "explain"):
                found = judged(plugin, bound_of("auc", severity=severity), *checks)
                assert found, f"a bound {what} gets no verdict"
                assert set(found) == {"refuse"}, f"a bound {what} is not refused but {found[0]}"

    def test_a_bound_is_answered_by_its_own_check(self, plugin: Any) -> None:
        """A check whose subject differs in case, accents or spaces answers no bound on another."""
        judges_bounds(plugin)
        bound = bound_of("auc[größe=Ä]")
        found = judged(plugin, bound, check_of("auc", 0.9, subject="größe=Ä"))
        assert found == ["approve"], "a check of a subject with accents does not answer its bound"
        for subject in ("größe=A\u0308", "größe=ä", "größe= Ä", "größe=Ä ", "Größe=Ä", "größe"):
            found = judged(plugin, bound, check_of("auc", 0.9, subject=subject))
            assert found == ["refuse"], f"a check of {subject!r} answers a bound on 'größe=Ä'"

    def test_the_worst_of_several_checks_counts(self, plugin: Any) -> None:
        """A bound that one of two checks under its name breaks is not approved."""
        judges_bounds(plugin)
        for values in ((0.7, 0.9), (0.9, 0.7)):
            found = judged(plugin, bound_of("auc"), *(check_of("auc", value) for value in values))
            assert "refuse" in found, "a good check hides a bad one of the same name"

    def test_a_bound_on_the_interval_looks_at_its_worse_end(self, plugin: Any) -> None:
        """A bound on an interval holds where its worse end does; without one it is refused."""
        judges_bounds(plugin)
        bound = bound_of("auc", on="interval")
        inside, across = (check_of("auc", 0.9, low=low, high=0.95) for low in (0.85, 0.75))
        assert judged(plugin, bound, inside) == ["approve"], "an interval inside is not approved"
        assert judged(plugin, bound, across) == ["refuse"], "an interval across is not refused"
        without = judged(plugin, bound, check_of("auc", 0.9))
        assert without == ["refuse"], "a bound on an interval that there is not is not refused"

    def test_every_bound_gets_a_verdict(self, plugin: Any) -> None:
        """A plugin that judges bounds judges each of them."""
        judges_bounds(plugin)
        bounds = tuple(bound_of(f"m{place}") for place in range(30))
        checks = tuple(check_of(f"m{place}", 0.9) for place in range(0, 30, 2))
        dossier = dossier_of(checks=checks, bounds=bounds)
        found = {verdict.subject for verdict in ask(plugin, "review", dossier=dossier)}
        missed = {bound.key for bound in bounds} - found
        assert not missed, f"{min(missed, default='')} is bounded and gets no verdict"

    def test_sections_are_apart(self, plugin: Any) -> None:
        """Each section of a card has a heading of its own, in one line."""
        needs(plugin, "describe_model")
        for dossier in (dossier_of(), *hard_dossiers().values()):
            titles = [section.title for section in ask(plugin, "describe_model", dossier=dossier)]
            assert len(set(titles)) == len(titles), "two sections have one heading"
            assert not any("\n" in title for title in titles), "a heading has several lines"

    def test_a_figure_is_a_picture(self, plugin: Any) -> None:
        """A figure is one SVG document that runs nothing and loads nothing."""
        needs(plugin, "describe_model")
        for dossier in (dossier_of(), *hard_dossiers().values()):
            for section in ask(plugin, "describe_model", dossier=dossier):
                for figure in section.figures:
                    harmless(figure)

    def test_a_card_opens_anywhere(self, plugin: Any, ws: Workspace) -> None:
        """A rendered card is a folder of files that load nothing, and run no text of a dossier."""
        needs(plugin, "render_card")
        for dossier in (dossier_of(), *hard_dossiers().values()):
            for name, text in rendered(plugin, dossier, ws).items():
                assert not _OUTWARD.search(text), f"{name} of a card loads something from elsewhere"
                if name.endswith((".html", ".svg")):
                    assert "<script>alert(" not in text, f"{name} of a card runs text of a dossier"

    def test_the_same_card_is_the_same_bytes(self, plugin: Any, ws: Workspace) -> None:
        """A dossier's card, rendered again, has the same digest."""
        needs(plugin, "render_card")
        digests = {_card(one, dossier_of(), ws).digest for one in (plugin, plugin, another(plugin))}
        assert len(digests) == 1, "a card rendered again has other bytes"


def harmless(figure: str) -> None:
    """Hold a figure to being an SVG document without scripts and without addresses."""
    try:
        root = ET.fromstring(figure)  # noqa: S314  (the plugin's own text, under test)
    except ET.ParseError as error:
        msg = f"a figure is no XML: {error}"
        raise AssertionError(msg) from error
    assert root.tag.endswith("svg"), f"a figure is {root.tag}, and no svg"
    for element in root.iter():
        tag = str(element.tag).rpartition("}")[2]
        assert tag not in {"script", "foreignObject", "image"}, f"a figure holds <{tag}>"
        handlers = [name for name in element.attrib if name.startswith("on")]
        assert not handlers, f"a figure holds a handler {handlers}"
    assert not _OUTWARD.search(figure), "a figure loads something from elsewhere"


def rendered(plugin: Any, dossier: Dossier, ws: Workspace) -> dict[str, str]:
    """The files of a card, by name."""
    artifact = _card(plugin, dossier, ws)
    assert artifact.folder, "a card is no folder"
    folder = ws.locate(artifact)
    found = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found, "a card has no file"
    return found


def _card(plugin: Any, dossier: Dossier, ws: Workspace) -> Any:
    own = ask(plugin, "describe_model", dossier=dossier) if has(plugin, "describe_model") else ()
    sections = (*own, CardSection(title="Contact", body=dossier.facts.owner))
    verdicts = (Verdict(decision="refuse", subject="conformance", reason=dossier.estimator or "-"),)
    return ask(
        plugin,
        "render_card",
        dossier=attrs.evolve(dossier),
        sections=sections,
        verdicts=verdicts,
        ws=ws,
    )
