"""The record verified: events against tables, and, when asked, artifacts against digests."""

from __future__ import annotations
