"""Words and numbers that the parts of the ledger share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REVISION = "0004"
"""The newest revision of the schema that this version knows. Revisions are numbered in order."""

JSON_COLUMNS = frozenset({"baseline", "body", "end", "outputs", "reasons", "start", "targets"})
"""Columns of projections that hold JSON, whichever table they are in."""

Row = Mapping[str, Any]
"""A row of a ledger: column to value, read-only."""

SCHEMA = "interlock"
"""The schema of a PostgreSQL database that the tables live in, so that others fit beside them."""

PAGE = 20
"""How many rows a listing gives where nobody says."""

DONE = ("finished", "reused", "imported")
"""The statuses of a stage that has a result."""
