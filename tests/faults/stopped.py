"""Run in the process of a command before the command: it stops for good where STOP says.

STOP is the kind of an event; the process sleeps once it has written one, until it is killed.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from interlock.ledger import Ledger


def tell(self: Ledger, written: Any) -> None:
    """Tell the observers."""
    if any(event.kind == os.environ["STOP"] for event in written):
        while True:
            signal.pause()
    _tell(self, written)


_tell, Ledger.tell = Ledger.tell, tell
