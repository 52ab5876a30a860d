"""A plugin that hangs: its hook is ended and named, and nothing is released."""

HANGS = """
import time
from interlock_hookspecs import hookimpl

@hookimpl
def {hook}({arguments}):
    time.sleep(60)
"""


# The others do something in their hooks, on whatever machine this is.
OTHERS = (
    "data-files",
    "train-sklearn",
    "model-skops",
    "validate-metrics",
    "validate-fairness",
    "registry-sql",
    "govern-policy",
)
LIMITS = ("--set", "hook_timeout=4")
LIMITS += tuple(word for name in OTHERS for word in ("--set", f"{name}.hook_timeout='5m'"))


def hanging(project, hook, arguments):
    return project(module=HANGS.format(hook=hook, arguments=arguments))


def test_a_gate_that_hangs_refuses(project):
    """A review without an answer is a refusal: exit 3, on record with the limit, no release."""
    made = hanging(project, "review", "dossier")
    said = made("run", *LIMITS, expect=3)
    (reason,) = [line for line in said.err.splitlines() if "gave no answer in 4 s" in line]
    assert reason.startswith("  - plugin project ")
    assert ", hook review: " in reason
    (held,) = made.events("review.held")
    assert held["outcome"] == "refused"
    assert reason.removeprefix("  - ") in held["reasons"]
    assert made.events("release.made") == []


def test_a_measurement_that_hangs_refuses(project):
    """A run whose checks do not come is refused, says who is at fault, and releases nothing."""
    made = hanging(project, "check_model", "predictor")
    said = made("run", *LIMITS, expect=3)
    assert ", hook check_model: gave no answer in 4 s" in said.err
    assert "next: mend what it waits for, or give it longer: hook_timeout" in said.err
    (failed,) = made.events("stage.refused")
    assert ", hook check_model: gave no answer in 4 s" in failed["message"]
    assert made.events("release.made") == []
