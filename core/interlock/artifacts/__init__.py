"""Artifacts: content-addressed bytes, and the workspace that plugins reach them through."""

from interlock.artifacts.store import ArtifactStore, open_store

__all__ = ["ArtifactStore", "open_store"]
