"""Bounds of a policy and a rollout on what nobody measures, as far as it can be told beforehand.

The word in front of a bound's key is held against the stack's plugins, and the rest against the
measures that these state. What a plugin does not state is held against what it measured in the
latest runs: that is a doubt, and no mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from interlock.errors import InterlockError, StackError
from interlock.stack.problems import nearest
from interlock_hookspecs import measures_of

if TYPE_CHECKING:
    from interlock.ledger import Ledger
    from interlock.session import Session
    from interlock_hookspecs import Bound, Maker

_LOOKED_AT = 5
_WINDOWS = 20


def refuse_unmeasurable(session: Session, *, deployed: bool = True) -> None:
    """Before anything is trained that a gate would refuse for a name.

    Args:
        session: the opened stack.
        deployed: whether bounds of the rollout are looked at, too.

    Raises:
        StackError: bounds are on what nobody in the stack measures, whatever the rows.
    """
    makers = _measuring(session)
    found = []
    for bound in session.stack.policy.bounds:
        wrong = _of_nobody(bound, makers) or _never(session, bound.key, makers)
        if wrong:
            found.append(f"{_place(session, f'policy.bounds.{bound.key}')}: {bound.key}: {wrong}")
    if deployed and session.stack.rollout.bounds:
        watching = {maker.word: maker for maker in _monitoring(session)}
        for watched in session.stack.rollout.bounds:
            wrong = _never(session, watched.key, watching)
            if wrong:
                found.append(f"{_rollout_place(session, watched.key)}: {watched.key}: {wrong}")
    if found:
        raise StackError(tuple(found))


def unmeasured(session: Session) -> Iterator[str]:
    """What bounds name that nobody measured so far, each in a line, with the nearest that one did.

    Without a ledger there is nothing to tell by; nothing is made and nothing is warned of.
    """
    makers = _measuring(session)
    known: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    if ledger := _ledger(session):
        with ledger:
            known = _checks(session, ledger, makers)
            found = _findings(session, ledger) if session.stack.rollout.bounds else {}
    for bound in session.stack.policy.bounds:
        wrong = _of_nothing(bound.key, known)
        if wrong:
            yield f"{_place(session, f'policy.bounds.{bound.key}')}: {bound.key}: {wrong}"
    for watched in session.stack.rollout.bounds:
        # A monitor may have found nothing of a kind yet: only what reads as a slip is told.
        wrong = _of_nothing(watched.key, found)
        if "did you mean" in wrong:
            yield f"{_rollout_place(session, watched.key)}: {watched.key}: {wrong}"


def _place(session: Session, key: str) -> str:
    return str(session.stack.origins.get(key, session.stack.file.name))


def _rollout_place(session: Session, key: str) -> str:
    return _place(session, f"stack.{session.stack.name}.rollout.bounds.{key}")


def _measuring(session: Session) -> dict[str, Maker]:
    """Who may measure a candidate, by the word that a bound calls it."""
    funnel = session.funnel
    made = [maker for hook in ("check_data", "check_model") for maker in funnel.makers(hook)]
    if session.stack.package:
        made.append(funnel.member(f"model-{session.stack.package}").maker)
    return {maker.word: maker for maker in made}


def _of_nobody(bound: Bound, makers: Mapping[str, Maker]) -> str:
    word = bound.key.partition(".")[0]
    maker = makers.get(word)
    if maker is None:
        names = ", ".join(makers) or "nobody"
        close = nearest(word, makers) or f"; measuring here: {names}"
        return f"nobody in this stack measures as {word!r}{close}"
    if bound.included and maker.plugin != f"validate-{word}":
        return f"an included bound counts validate-{word} alone, and here {maker.plugin} measures"
    return ""


def _stated(session: Session, key: str, makers: Mapping[str, Maker]) -> frozenset[str] | None:
    """The names that whoever a bound is on states; None where nothing is stated."""
    maker = makers.get(key.partition(".")[0])
    # A project's module is no class, and an opener measures what core has it compare.
    members = [member for member in session.funnel.members if member.maker == maker]
    task = session.stack.task
    kind = task.kind if task else None
    return measures_of(type(members[0].plugin), kind) if members else None


def _never(session: Session, key: str, makers: Mapping[str, Maker]) -> str:
    word, _, label = key.partition(".")
    name, stated = label.partition("[")[0], _stated(session, key, makers)
    if stated is None or name in stated:
        return ""
    kind = f" of a {session.stack.task.kind} task" if session.stack.task else ""
    close = nearest(name, sorted(stated)) or f"; it measures {', '.join(sorted(stated))}"
    return f"{word} measures no {name!r}{kind}{close}"


def _of_nothing(key: str, known: Mapping[str, set[str]]) -> str:
    word, _, label = key.partition(".")
    labels = known.get(word)
    if not labels or label in labels:
        return ""
    return f"{word} has measured no {label!r} so far{nearest(label, sorted(labels))}"


def _ledger(session: Session) -> Ledger | None:
    """The ledger where there is one, and it answers: a stack is checked without it, too."""
    from interlock.ledger import Ledger

    try:
        return Ledger.open(session.stack.address("ledger"), actor=session.actor, create=False)
    except InterlockError:
        return None


def _checks(session: Session, ledger: Ledger, makers: Mapping[str, Maker]) -> dict[str, set[str]]:
    """What each of them measured in the latest runs of such a task, by word: labels."""
    found: dict[str, set[str]] = {}
    kind = session.stack.task.kind if session.stack.task else None
    for run in ledger.reads.runs(project=session.project, limit=_LOOKED_AT):
        validated = ledger.reads.finished_stage(run["id"], "validate")
        # Before that only rows were measured, and what a run reuses stands with the other.
        if _kind(run) != kind or validated is None or validated["status"] != "finished":
            continue
        for row in ledger.reads.checks(run["id"]):
            word, _, label = str(row["key"]).partition(".")
            # Another version, or the project's module as it was, may have measured otherwise.
            if word in makers and row["maker"] == str(makers[word]):
                found.setdefault(word, set()).add(label)
    return found


def _kind(run: Mapping[str, Any]) -> str | None:
    task = run["body"].get("task")
    return task["kind"] if task else None


def _findings(session: Session, ledger: Ledger) -> dict[str, set[str]]:
    """What the stack's monitors found in the latest windows, by word: labels."""
    makers = {str(maker): maker.word for maker in _monitoring(session)}
    found: dict[str, set[str]] = {}
    for window in ledger.reads.windows(project=session.project, limit=_WINDOWS):
        for row in ledger.reads.findings(session.project, window=window["id"], limit=None):
            if row["maker"] in makers:
                label = f"{row['name']}[{row['subject']}]" if row["subject"] else row["name"]
                found.setdefault(makers[row["maker"]], set()).add(label)
    return found


def _monitoring(session: Session) -> tuple[Maker, ...]:
    funnel = session.funnel
    return (*funnel.makers("build_profile"), *funnel.makers("measure_performance"))
