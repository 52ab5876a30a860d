"""What the conformance suites catch, counted in the tests that show it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from role_guides import promises

import interlock_hookspecs as contract

TESTS = Path(__file__).parents[1] / "hookspecs/tests"


def mutants() -> Iterator[str]:
    """A row for each suite: its promises, the plugins that it catches, and one of them."""
    yield "| suite | promises | wrong plugins caught | for example | what is said of it |"
    yield "|---|--:|--:|---|---|"
    for stage in contract.SPEC_MODULES:
        caught = list(caught_by(stage))
        if caught:
            home = importlib.import_module(f"interlock_hookspecs.conformance.{stage}")
            suite = getattr(home, f"{stage.capitalize()}Suite")
            name, _, sentence = caught[len(caught) // 2]
            said = sentence.replace("|", "\\|")
            count = len(list(promises(suite)))
            yield f"| `{suite.__name__}` | {count} | {len(caught)} | {_words(name)} | {said} |"
    yield ""


def caught_by(stage: str) -> Iterator[tuple[str, str, str]]:
    """The wrong plugins that a suite is shown to catch: name, test, and a part of what is said."""
    for path in sorted(TESTS.glob(f"test_conformance_mutants_{stage}*.py")):
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MUTANTS":
                for row in node.value.elts:  # type: ignore[attr-defined]  # a list, in these files
                    mutant, test, sentence = row.elts
                    yield ast.unparse(mutant), ast.literal_eval(test), ast.literal_eval(sentence)


def _words(name: str) -> str:
    """``NeverSaysExisting`` and ``never_says_existing`` as words."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", " ").strip()
