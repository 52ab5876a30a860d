"""What a plugin's author tests with: a workspace of one's own, and the suites to subclass."""

from interlock_hookspecs.conformance.workspace import LocalWorkspace

__all__ = ["LocalWorkspace"]
