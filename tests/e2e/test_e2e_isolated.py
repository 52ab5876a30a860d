"""A model's whole life with every plugin in a process of its own: the same model, the same say."""

import sys

PYTHON = f'python = "{sys.executable}"'
PLUGINS = (
    "data-files",
    "model-skops",
    "validate-metrics",
    "validate-fairness",
    "registry-sql",
    "govern-policy",
    "deploy-local",
    "monitor-drift",
    "monitor-performance",
)


def decided(project):
    """What the latest run decided: the model, what was measured of it, and what was said."""
    model = project.events("candidate.made")[-1]["model"]
    checks = project.events("checks.measured")[-2:]
    measured = {
        (check["maker"]["plugin"], check["name"], check["subject"]): check["value"]
        for event in checks
        for check in event["checks"]
    }
    held = project.events("review.held")[-1]
    return model, measured, held["outcome"], len(held["verdicts"])


def test_a_life_in_workers_is_the_same_life(project):
    """Fitted, measured, judged and served there: same model digest, same checks, same verdicts."""
    made = project()
    made("run")
    here = decided(made)
    tables = "".join(f"[stack.dev.{name}]\n{PYTHON}\n\n" for name in PLUGINS)
    made.edit("[stack.prod]", f"{tables}[stack.prod]")
    made.edit("[stack.dev.train-sklearn]", f"[stack.dev.train-sklearn]\n{PYTHON}")
    made("run", "--again")
    assert len(made.events("candidate.made")) == 2
    there = decided(made)
    # The second run has a champion to compare with, and measures more.
    measured = {key: value for key, value in there[1].items() if key in here[1]}
    assert (there[0], measured, *there[2:]) == here
    assert made.endpoint["now"] == "answers"
