"""The steps of a strategy, and what an endpoint is to serve in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import Target

if TYPE_CHECKING:
    from interlock.stack.rollout import RolloutPlan


@attrs.frozen
class Step:
    """One step of a rollout.

    Attributes:
        weight: the new release's share of the requests; the champion has the rest.
        mirror: whether it gets copies instead, and its answers go nowhere.
    """

    weight: float
    mirror: bool = False

    @property
    def text(self) -> str:
        """The step in words."""
        return (
            "a copy of each request"
            if self.mirror
            else f"{100 * self.weight:.4g} % of the requests"
        )

    def targets(self, champion: Target, challenger: Target) -> tuple[Target, ...]:
        """What the endpoint serves in this step, the one that is live first.

        Below the whole the champion comes first, so that a key that was with the challenger
        stays there as its share grows. With the whole the champion stands by, opened.
        """
        if self.mirror:
            return (
                attrs.evolve(champion, weight=1.0, mirror=False),
                attrs.evolve(challenger, weight=0.0, mirror=True),
            )
        kept = attrs.evolve(champion, weight=1.0 - self.weight, mirror=False)
        new = attrs.evolve(challenger, weight=self.weight, mirror=False)
        return (new, kept) if self.takes_over else (kept, new)

    @property
    def takes_over(self) -> bool:
        """Whether the new release is live in this step."""
        return self.weight >= 1.0


def steps_of(plan: RolloutPlan) -> tuple[Step, ...]:
    """The steps that are watched; after the last the champion is left out.

    >>> from interlock.stack.rollout import RolloutPlan
    >>> [step.weight for step in steps_of(RolloutPlan(strategy="canary", steps=(0.1, 0.5)))]
    [0.1, 0.5]
    >>> steps_of(RolloutPlan(strategy="shadow"))
    (Step(weight=0.0, mirror=True),)
    """
    if plan.strategy == "shadow":
        return (Step(0.0, mirror=True),)
    if plan.strategy == "blue-green":
        return (Step(1.0),)
    return tuple(Step(share) for share in plan.steps)
