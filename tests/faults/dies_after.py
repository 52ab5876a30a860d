"""A project's module: something dies after the event that KILL_AFTER names, a kind and which of it.

That is the command itself, or the process that ENDS names; with a minus before it, its group.
"""

import os
import signal

from interlock_hookspecs import Event, hookimpl

kind, nth = os.environ.get("KILL_AFTER", "nothing 0").split()
left = int(nth)


@hookimpl
def on_event(event: Event) -> None:
    """Count down."""
    global left  # noqa: PLW0603  (a process has one death)
    left -= event.kind == kind
    if event.kind == kind and not left:
        os.kill(int(os.environ.get("ENDS", os.getpid())), signal.SIGKILL)
