# ruff: noqa: INP001, S101  (tests are no packages: pytest has this folder on its path)
"""How the suites are tried on plugins that are wrong on purpose: what those tests share."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.suite import Outcome, Suite, run
from interlock_train_acme import FORMAT, AcmeFormat

Make = Callable[[Path], Any]


def each(mutants: Iterable[tuple[type[Any], str, str]]) -> pytest.MarkDecorator:
    """Ask a test for each mutant, the promise that it breaks, and what is said of it."""
    listed = list(mutants)
    return pytest.mark.parametrize(
        ("mutant", "test", "sentence"), listed, ids=[mutant.__name__ for mutant, _, _ in listed]
    )


def catches(suite: type[Suite], make: Make, test: str, sentence: str, **fixtures: Make) -> None:
    """Hold a suite to it that a plugin fails the test of one promise, in words that say it.

    Args:
        suite: of which role.
        make: makes the plugin in a folder.
        test: the name of the promise's test, without ``test_``.
        sentence: a part of what is said.
        fixtures: what the test asks for beside the plugin; see `run`.
    """
    (outcome,) = run(suite, make, only=[f"test_{test}"], fixtures=fixtures)
    assert outcome.status == "broken"
    assert sentence in outcome.why


def unclaimed(suite: type[Suite], make: Make, **fixtures: Make) -> list[Outcome]:
    """Hold a plugin to every promise of a suite; what it leaves as optional is given back."""
    outcomes = list(run(suite, make, fixtures=fixtures))
    left = [one for one in outcomes if one.status == "unclaimed"]
    assert outcomes
    assert [one for one in outcomes if one not in left and one.status != "held"] == []
    return left


def opening(folder: Path) -> LocalWorkspace:
    """A workspace that opens what Acme's trainer writes."""
    return LocalWorkspace(folder, openers={FORMAT: AcmeFormat()})
