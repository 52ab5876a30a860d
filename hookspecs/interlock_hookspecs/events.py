"""Events: what happened, told to whoever wants to hear of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import observe

if TYPE_CHECKING:
    from interlock_hookspecs.happened import Event
    from interlock_hookspecs.workspace import Workspace


@observe("track", "events")
def on_event(event: Event, ws: Workspace) -> None:
    """Hear what happened, after it was written to the ledger.

    Asked: all plugins; nothing comes back, and one that fails silences no other.

    It is told by the command that wrote the event, which waits for it: an observer is quick, and
    what it raises is shown as a warning. It changes nothing of what it hears. New kinds of event
    come without a new version of the contract, so one that is unknown is passed over or passed
    on. A command that is killed between writing and telling tells nobody, and resumed it does not
    tell again: whoever must have all reads the ledger, by `Event.sequence`.

    Args:
        event: what was written.
        ws: locates the artifacts that the payload names: a card, a profile. Made only where an
            implementation asks for it.

    Raises:
        Unavailable: what it tells cannot be reached now.

    Example:
        >>> class Print:
        ...     @hookimpl
        ...     def on_event(self, event, ws):
        ...         print(event.kind)
        >>> Print().on_event.__name__
        'on_event'
    """
