"""``python -m interlock_hookspecs.conformance NAME``: the suites of an installed plugin."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from interlock_hookspecs.conformance.checking import Subject
    from interlock_hookspecs.conformance.suite import Outcome, Suite

HELD, BROKEN, USAGE = 0, 1, 2
_COLOURS = {"held": 32, "broken": 31, "declared": 33, "unclaimed": 36, "error": 31, "next": 36}
_EXTRA = 'pip install "interlock-hookspecs[conformance]"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a plugin as a command line asks; the exit code says whether it keeps its promises."""
    asked = _parser().parse_args(arguments)
    lacking = [
        name for name in ("numpy", "pyarrow", "pytest") if not importlib.util.find_spec(name)
    ]
    if lacking:
        return _fail(f"the suites need {', '.join(lacking)}", USAGE, hint=_EXTRA)
    from interlock_hookspecs.conformance.checking import CannotLoadError, check, find, named
    from interlock_hookspecs.conformance.making import CannotCheckError

    # What a person's shell adds to their own runs of pytest is not meant for this one.
    os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        subject = find(asked.name)
        only = named(subject, asked.only)
        found = list(check(subject, asked.set, only=only, tell=_tell))
    except CannotCheckError as error:
        return _fail(str(error), USAGE)
    except CannotLoadError as error:
        return _fail(str(error), BROKEN)
    if asked.json:
        sys.stdout.write(json.dumps(_as_json(subject, found)) + "\n")
    else:
        _show(subject, found)
    return BROKEN if any(outcome.status == "broken" for _, outcome in found) else HELD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m interlock_hookspecs.conformance",
        description="Hold an installed plugin against every promise that the contract makes of it.",
        epilog="Ends with 0 where every promise is held, 1 where one is broken, 2 for bad usage.",
    )
    parser.add_argument("name", metavar="NAME", help="ROLE-WORD, for example registry-acme")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting, as a stack file writes it; ${NAME} comes from the environment",
    )
    parser.add_argument(
        "--only", metavar="TEST", action="append", default=[], help="only this test; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def _as_json(subject: Subject, found: Sequence[tuple[type[Suite], Outcome]]) -> dict[str, object]:
    return {
        "plugin": subject.name,
        "version": subject.version,
        "distribution": subject.distribution,
        "python": sys.executable,
        "deprecated": list(subject.ending),
        "untried": list(subject.untried),
        "counts": _counts(found),
        "promises": [
            {
                "suite": suite.role,
                "test": outcome.test,
                "promise": outcome.promise,
                "status": outcome.status,
                "why": outcome.why,
            }
            for suite, outcome in found
        ],
    }


def _counts(found: Sequence[tuple[type[Suite], Outcome]]) -> dict[str, int]:
    counted = Counter(outcome.status for _, outcome in found)
    return {status: counted[status] for status in ("held", "broken", "declared", "unclaimed")}


def _show(subject: Subject, found: Sequence[tuple[type[Suite], Outcome]]) -> None:
    print(f"{subject.name} {subject.version}, installed by {subject.distribution}")  # noqa: T201  (a command prints)
    for line in (*subject.ending, *subject.untried):
        print(f"{_coloured('declared', sys.stdout, '!')} {line}")  # noqa: T201  (a command prints)
    role = ""
    for suite, outcome in found:
        if suite.role != role:
            role = suite.role
            print(f"\n{role}")  # noqa: T201  (a command prints)
        word = _coloured(outcome.status, sys.stdout, f"{outcome.status:<9}")
        print(f"  {word}  {outcome.promise}")  # noqa: T201  (a command prints)
        for line in outcome.why.splitlines():
            print(f"             {line}")  # noqa: T201  (a command prints)
    counts = [f"{number} {status}" for status, number in _counts(found).items() if number]
    print(f"\n{', '.join(counts)}")  # noqa: T201  (a command prints)


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\r\033[K" if done == total else ""
        sys.stderr.write(f"\r{done} of {total} promises{end}")
        sys.stderr.flush()


def _fail(text: str, code: int, *, hint: str = "") -> int:
    sys.stderr.write(f"{_coloured('error', sys.stderr)}: {text}\n")
    if hint:
        sys.stderr.write(f"{_coloured('next', sys.stderr)}: {hint}\n")
    return code


def _coloured(word: str, stream: TextIO, text: str = "") -> str:
    text = text or word
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_COLOURS[word]}m{text}\033[0m"


def _leave(code: int) -> NoReturn:
    """End, whether or not a plugin left threads that never do."""
    if "interlock_hookspecs.conformance.state" in sys.modules:
        from interlock_hookspecs.conformance.state import waited_for

        if waited_for():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    _leave(main())
