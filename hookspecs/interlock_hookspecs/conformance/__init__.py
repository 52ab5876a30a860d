"""What a plugin's author tests with: a workspace of one's own, and the suites to subclass.

The workspace needs the contract only. The suites are imported from their modules,
``interlock_hookspecs.conformance.registry`` and its neighbours, and need the extra:
``pip install "interlock-hookspecs[conformance]"``.
"""

from interlock_hookspecs.conformance.workspace import LocalWorkspace

__all__ = ["LocalWorkspace"]
