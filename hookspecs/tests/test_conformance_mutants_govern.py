"""The govern suite catches every gate and card that breaks a promise, and says which."""

import itertools
import os
import time
import types

import attrs
from wrong_plugins import catches, each, unclaimed

from interlock_govern_acme import AcmeGate, judge
from interlock_hookspecs import Check, Maker, Verdict, hookimpl
from interlock_hookspecs.conformance.dossiers import bound_of, check_of
from interlock_hookspecs.conformance.govern import GovernSuite


def bounds_judged(rule):
    """A gate that judges bounds by another rule; the purpose as before."""

    def body(namespace):
        @hookimpl
        def review(self, dossier):
            found = [rule(bound, dossier.checks) for bound in dossier.policy.bounds]
            return [
                *(verdict for verdict in found if verdict),
                self._purpose(dossier.facts.purpose),
            ]

        namespace["review"] = review

    return types.new_class(rule.__name__, (AcmeGate,), exec_body=body)


def verdict(decision, bound):
    return Verdict(decision=decision, subject=bound.key, reason="by another rule")


@bounds_judged
def approves_what_nobody_measured(bound, checks):
    return judge(bound, checks) if any(one.key == bound.key for one in checks) else verdict(
        "approve", bound
    )  # fmt: skip


@bounds_judged
def keeps_silent_on_what_nobody_measured(bound, checks):
    return judge(bound, checks) if any(one.key == bound.key for one in checks) else None


@bounds_judged
def explains_what_nobody_measured(bound, checks):
    judged = judge(bound, checks)
    return verdict(bound.severity, bound) if judged.decision == "refuse" else judged


@bounds_judged
def approves_a_missing_value(bound, checks):
    return judge(bound, [attrs.evolve(one, value=1.0) if one.value is None else one
                         for one in checks])  # fmt: skip


@bounds_judged
def takes_a_check_of_nobody(bound, checks):
    return judge(bound, [one if one.maker else check_of(one.name, one.value) for one in checks])


@bounds_judged
def takes_a_subject_for_the_whole(bound, checks):
    return judge(bound, [attrs.evolve(one, subject="") for one in checks])


@bounds_judged
def shuts_the_limit_out(bound, checks):
    strict = {">=": ">", "<=": "<"}.get(bound.op, bound.op)
    return judge(attrs.evolve(bound, op=strict), checks)


@bounds_judged
def lets_the_limit_in(bound, checks):
    loose = {">": ">=", "<": "<="}.get(bound.op, bound.op)
    return judge(attrs.evolve(bound, op=loose), checks)


@bounds_judged
def forgets_the_severity(bound, checks):
    return judge(attrs.evolve(bound, severity="refuse"), checks)


@bounds_judged
def takes_the_first_check(bound, checks):
    return judge(bound, [one for one in checks if one.key == bound.key][:1])


@bounds_judged
def takes_the_best_check(bound, checks):
    found = [one for one in checks if one.key == bound.key and one.value is not None]
    return judge(bound, sorted(found, key=lambda one: one.value)[-1:])


@bounds_judged
def forgets_the_interval(bound, checks):
    return judge(attrs.evolve(bound, on="value"), checks)


@bounds_judged
def looks_at_the_better_end(bound, checks):
    turned = [attrs.evolve(one, low=one.high, high=one.low) for one in checks]
    return judge(bound, turned)


class JudgesTenBounds(AcmeGate):
    @hookimpl
    def review(self, dossier):
        return super().review(dossier)[:10]


class SaysNothing(AcmeGate):
    @hookimpl
    def review(self, dossier):
        return ()

    @hookimpl
    def describe_model(self, dossier):
        return ()


class NeedsACheck(AcmeGate):
    @hookimpl
    def review(self, dossier):
        first = dossier.checks[0]
        return [Verdict(decision="approve", subject="first", reason=first.label)]


class CountsItsReviews(AcmeGate):
    counter = itertools.count()

    @hookimpl
    def review(self, dossier):
        reason = f"review number {next(self.counter)}"
        return [Verdict(decision="approve", subject="acme", reason=reason)]


class TellsAStory(AcmeGate):
    @hookimpl
    def review(self, dossier):
        return [Verdict(decision="approve", subject="acme", reason="one\ntwo\nthree")]


class StampsItself(AcmeGate):
    @hookimpl
    def review(self, dossier):
        maker = Maker(plugin="govern-policy", version="9")
        return [attrs.evolve(one, maker=maker) for one in super().review(dossier)]


class GivesADecisionInWords(AcmeGate):
    @hookimpl
    def review(self, dossier):
        return ["approve"]


class HasOneHeadingTwice(AcmeGate):
    @hookimpl
    def describe_model(self, dossier):
        return super().describe_model(dossier) * 2


def drawing(name, figure):
    """A gate whose section has a figure."""

    class Draws(AcmeGate):
        @hookimpl
        def describe_model(self, dossier):
            text = figure.format(owner=dossier.facts.owner)
            return [attrs.evolve(one, figures=(text,)) for one in super().describe_model(dossier)]

    Draws.__name__ = name
    return Draws


SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'
DrawsTextUnescaped = drawing("DrawsTextUnescaped", SVG.format("<text>{owner}</text>"))
DrawsAScript = drawing("DrawsAScript", SVG.format("<script>1</script>"))
DrawsAHandler = drawing("DrawsAHandler", SVG.format('<rect onload="x()"/>'))
DrawsFromElsewhere = drawing("DrawsFromElsewhere", SVG.format('<use href="https://e.org/a"/>'))
DrawsHtml = drawing("DrawsHtml", "<p>a figure</p>")


def rendering(name, files):
    """A gate that renders a card of its own."""

    class Renders(AcmeGate):
        @hookimpl
        def render_card(self, dossier, sections, ws):
            folder = ws.scratch() / "card"
            folder.mkdir()
            for file, text in files(dossier).items():
                (folder / file).write_text(text, encoding="utf-8")
            return ws.keep(folder)

    Renders.__name__ = name
    return Renders


RendersTextUnescaped = rendering(
    "RendersTextUnescaped", lambda dossier: {"card.html": f"<p>{dossier.facts.owner}</p>"}
)
LoadsAStyle = rendering(
    "LoadsAStyle", lambda dossier: {"card.html": '<link rel=stylesheet href="https://e.org/a">'}
)
RendersNothing = rendering("RendersNothing", lambda dossier: {})
ticks = itertools.count()
RendersTheTime = rendering("RendersTheTime", lambda dossier: {"card.md": f"at {next(ticks)}"})


class HoldsItsDossierOnItself(AcmeGate):
    held = {}  # noqa: RUF012  (what is wrong with it)

    @hookimpl
    def review(self, dossier):
        self.held["dossier"] = dossier
        time.sleep(0.02)
        return super().review(self.held["dossier"])


class SetsTheEnvironment(AcmeGate):
    @hookimpl
    def review(self, dossier):
        os.environ["ACME_RUN"] = dossier.run
        return super().review(dossier)


MUTANTS = [
    (HoldsItsDossierOnItself, "many_judge_at_once", "a dossier is judged as another"),
    (SetsTheEnvironment, "it_leaves_the_process_as_it_was", "a call changes the process"),
    (SaysNothing, "it_speaks", "nothing is said of a sound dossier"),
    (GivesADecisionInWords, "it_speaks", "review gives a list with str in it"),
    (NeedsACheck, "nothing_breaks_it", "a dossier without checks breaks it: IndexError"),
    (CountsItsReviews, "the_same_dossier_is_judged_the_same", "it says something else"),
    (takes_the_first_check, "the_order_of_checks_makes_no_difference",
     "the order of the checks changes a verdict"),
    (TellsAStory, "a_verdict_is_a_sentence", "explains itself in several lines"),
    (StampsItself, "the_stamp_is_left_to_core", "a record says itself who made it"),
    (shuts_the_limit_out, "a_bound_that_holds_is_not_refused", "0.8 is not approved under >= 0.8"),
    (lets_the_limit_in, "a_bound_that_is_broken_is_not_approved", "0.5 is approved under > 0.5"),
    (forgets_the_severity, "a_bound_that_is_broken_is_not_approved",
     "a broken bound of severity explain is ['refuse']"),
    (approves_what_nobody_measured, "what_was_not_measured_does_not_pass",
     "a bound without any check is not refused but approve"),
    (keeps_silent_on_what_nobody_measured, "what_was_not_measured_does_not_pass",
     "a bound without any check gets no verdict"),
    (explains_what_nobody_measured, "what_was_not_measured_does_not_pass",
     "a bound without any check is not refused but explain"),
    (approves_a_missing_value, "what_was_not_measured_does_not_pass",
     "a bound with a check that has no value is not refused but approve"),
    (takes_a_check_of_nobody, "what_was_not_measured_does_not_pass",
     "a bound with a check that nobody is the maker of is not refused but approve"),
    (takes_a_subject_for_the_whole, "what_was_not_measured_does_not_pass",
     "a bound with a check of another subject is not refused but approve"),
    (takes_the_best_check, "the_worst_of_several_checks_counts",
     "a good check hides a bad one of the same name"),
    (forgets_the_interval, "a_bound_on_the_interval_looks_at_its_worse_end",
     "an interval across is not refused"),
    (looks_at_the_better_end, "a_bound_on_the_interval_looks_at_its_worse_end",
     "an interval across is not refused"),
    (JudgesTenBounds, "every_bound_gets_a_verdict", "is bounded and gets no verdict"),
    (HasOneHeadingTwice, "sections_are_apart", "two sections have one heading"),
    (DrawsTextUnescaped, "a_figure_is_a_picture", "a figure"),
    (DrawsAScript, "a_figure_is_a_picture", "a figure holds <script>"),
    (DrawsAHandler, "a_figure_is_a_picture", "a figure holds a handler"),
    (DrawsFromElsewhere, "a_figure_is_a_picture", "a figure loads something from elsewhere"),
    (DrawsHtml, "a_figure_is_a_picture", "a figure is p, and no svg"),
    (RendersTextUnescaped, "a_card_opens_anywhere", "card.html of a card runs text of a dossier"),
    (LoadsAStyle, "a_card_opens_anywhere", "card.html of a card loads something from elsewhere"),
    (RendersNothing, "a_card_opens_anywhere", "a card has no file"),
    (RendersTheTime, "the_same_card_is_the_same_bytes", "a card rendered again has other bytes"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A gate or a card with one broken promise fails that promise's test, in words that say it."""
    catches(GovernSuite, lambda folder: mutant(), test, sentence)


def test_the_gate_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation nothing is broken; only the card that it does not render is unclaimed."""
    left = [one.why for one in unclaimed(GovernSuite, lambda folder: AcmeGate())]
    assert left == ["optional: the plugin does not implement render_card"] * 2


def test_the_made_checks_are_judged_as_core_names_them():
    """The key of a made check is the key of the made bound."""
    assert check_of("auc", 0.9).key == bound_of("auc").key
    assert isinstance(check_of("auc", None), Check)
