"""A gate of one's own: every bound of the policy, and a sentence on what a model is for."""

from __future__ import annotations

from interlock_hookspecs import (
    Bound,
    CardSection,
    Check,
    Dossier,
    Verdict,
    hookimpl,
    plugin,
    setting,
)


@plugin(contract="1.0")
class AcmeGate:
    """Judges the bounds of the policy, and refuses a model whose purpose nobody says."""

    min_purpose: int = setting(3, doc="how many words [model] purpose has at the least")

    @hookimpl
    def review(self, dossier: Dossier) -> tuple[Verdict, ...]:
        bounds = tuple(judge(bound, dossier.checks) for bound in dossier.policy.bounds)
        return (*bounds, self._purpose(dossier.facts.purpose))

    @hookimpl
    def describe_model(self, dossier: Dossier) -> tuple[CardSection, ...]:
        # A card's body is Markdown: what a person wrote stands in it as code.
        said = " ".join(dossier.facts.purpose.split()).replace("`", "'") or "nobody said it"
        return (CardSection(title="Purpose, by Acme", body=f"`{said}`", order=15),)

    def _purpose(self, text: str) -> Verdict:
        words = len(text.split())
        if words >= self.min_purpose:
            reason = f"the purpose is said in {words} words."
            return Verdict(decision="approve", subject="acme.purpose", reason=reason)
        return Verdict(
            decision="refuse",
            subject="acme.purpose",
            reason=f"the purpose has {words} words, fewer than {self.min_purpose}.",
            change="say in [model] purpose what the model is for.",
        )


def judge(bound: Bound, checks: tuple[Check, ...]) -> Verdict:
    """The verdict on one bound. What was not measured does not pass, whatever the severity."""
    found = [check for check in checks if check.key == bound.key]
    compared = [bound.compared(check) for check in found]
    if not found or None in compared:
        return Verdict(
            decision="refuse",
            subject=bound.key,
            reason=f"{bound.key} was not measured, and is bounded at {bound.text}.",
            change="name the plugin that measures it under validate in the stack.",
        )
    outside = [value for value in compared if not bound.holds(value)]
    if outside:
        reason = f"{bound.key} is {outside[0]:.3g}, outside of {bound.text}."
        return Verdict(decision=bound.severity, subject=bound.key, reason=reason, check=bound.key)
    reason = f"{bound.key} is {compared[0]:.3g}, within {bound.text}."
    return Verdict(decision="approve", subject=bound.key, reason=reason, check=bound.key)
