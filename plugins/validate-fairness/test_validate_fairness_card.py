"""validate-fairness' section of the model card."""

from __future__ import annotations

from interlock_hookspecs import Artifact, Check, Dossier, Maker, Model, Policy, Signature
from interlock_validate_fairness import Fairness

ZERO = "sha256:" + "0" * 64
OURS = Maker(plugin="validate-fairness", version="0.1.0")


def dossier(*checks: Check) -> Dossier:
    """A dossier that holds some checks."""
    return Dossier(
        digest=ZERO,
        run="run-1",
        project="p",
        stack="dev",
        model=Model(
            format="skops",
            artifact=Artifact(digest=ZERO, size=1, name="model.skops"),
            signature=Signature(kind="binary", inputs=(), outputs=()),
        ),
        data=ZERO,
        code=ZERO,
        threshold=0.5,
        checks=checks,
        policy=Policy(),
    )


def test_the_card_shows_the_groups() -> None:
    """Each column has a table of its groups, small ones with why they are empty, and its ratios."""
    (section,) = Fairness().describe_model(
        dossier(
            Check(
                name="selection_rate",
                subject="race=1",
                value=0.5,
                n=400,
                low=0.45,
                high=0.55,
                maker=OURS,
            ),
            Check(name="tpr", subject="race=1", value=0.8, n=200, maker=OURS),
            Check(name="selection_rate", subject="race=2", n=7, reason="n = 7 | small", maker=OURS),
            Check(
                name="selection_rate_ratio",
                subject="race",
                value=0.9,
                low=0.8,
                high=1.0,
                maker=OURS,
            ),
            Check(name="selection_rate", subject="race=1&sex=2", value=0.4, n=90, maker=OURS),
            Check(name="selection_rate_ratio", subject="race&sex", reason="too few", maker=OURS),
        )
    )
    assert section.order == 60
    assert section.body.splitlines() == [
        "**race**",
        "",
        "| group | rows | selected | true positives |",
        "| --- | ---: | ---: | ---: |",
        "| race=1 | 400 | 0.500 (0.450 to 0.550) | 0.800 |",
        "| race=2 | 7 | n = 7 \\| small |  |",
        "",
        "- selection rate ratio: 0.900 (0.800 to 1.000)",
        "",
        "**race&sex**",
        "",
        "| group | rows | selected |",
        "| --- | ---: | ---: |",
        "| race=1&sex=2 | 90 | 0.400 |",
        "",
        "- selection rate ratio: too few",
    ]


def test_the_card_is_silent_where_nothing_was_compared() -> None:
    """Without checks of its own the plugin writes no section, whatever others measured."""
    other = Check(name="roc_auc", value=0.9, maker=Maker(plugin="validate-metrics", version="1"))
    assert Fairness().describe_model(dossier()) == ()
    assert Fairness().describe_model(dossier(other)) == ()
