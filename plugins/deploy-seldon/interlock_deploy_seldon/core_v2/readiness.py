"""What the status of an object says: ready, not yet, or never."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import attrs

from interlock_deploy_seldon.core_v2.manifests import Manifest
from interlock_hookspecs import Unavailable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_LOST = ("ModelFailed", "ModelTerminated", "PipelineFailed")
"""The states of Seldon's scheduler that no waiting leads out of, where they are a condition's
reason or message."""


@attrs.frozen(kw_only=True)
class State:
    """How an object is.

    Attributes:
        ready: whether it says so itself.
        lost: whether it will not become so by itself.
        why: in words, where it is not.
    """

    ready: bool
    lost: bool = False
    why: str = ""


def state_of(found: Manifest | None) -> State:
    """How an object is, by its conditions.

    An observed generation, where there is one, has to be that of the object. Seldon Core v2 tells
    none today, so that right after a change its conditions may still be those of before.
    """
    if found is None:
        return State(ready=False, why="it is not there")
    meta, status = found["metadata"], found.get("status") or {}
    if meta.get("deletionTimestamp"):
        return State(ready=False, why="it is being deleted")
    observed = status.get("observedGeneration")
    if observed is not None and observed != meta.get("generation"):
        return State(ready=False, why="its last change was not looked at yet")
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    said = conditions.get("Ready")
    if said is not None and said.get("status") == "True":
        return State(ready=True)
    failing = [each for each in conditions.values() if each.get("status") == "False"]
    words = [
        f"{each['type']}: {' '.join((each.get('reason', ''), each.get('message', ''))).strip()}"
        for each in failing
        if each.get("type") != "Ready" or len(failing) == 1
    ]
    lost = any(
        each.get("reason", "").startswith(_LOST) or each.get("message", "").startswith(_LOST)
        for each in failing
    )
    return State(ready=False, lost=lost, why="; ".join(words) or "it has no conditions yet")


def wait(
    wanted: Sequence[Manifest],
    look: Callable[[Manifest], Manifest | None],
    matches: Callable[[Manifest, Manifest], bool],
    seconds: float,
) -> None:
    """Wait until every object is there as it is wanted, and ready.

    Args:
        wanted: the manifests.
        look: gives the object of a manifest as it is now.
        matches: whether an object is as a manifest says.
        seconds: that all of them may take together.

    Raises:
        Unavailable: one has failed, or is not ready in time; the message names each and why.
    """
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    waiting = list(wanted)
    while True:
        left, whys = [], []
        for manifest in waiting:
            found = look(manifest)
            state = state_of(found)
            named = f"{manifest['kind']} {manifest['metadata']['name']}"
            if found is not None and not matches(found, manifest):
                state = State(ready=False, why="it is not as it was written")
            if state.lost:
                msg = f"{named} has failed: {state.why}"
                raise Unavailable(msg)
            if not state.ready:
                left.append(manifest)
                whys.append(f"{named} ({state.why})")
        if not left:
            return
        if time.monotonic() >= deadline:
            msg = f"after {seconds:g} s not ready: {'; '.join(whys)}"
            raise Unavailable(msg)
        waiting = left
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
