"""The record verified: events against tables, and, when asked, artifacts against digests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.session import Session
