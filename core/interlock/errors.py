"""What core raises, each with the exit code that the command line ends with.

A message says what was found, where it came from and what to write or type instead, in one or
two lines. It never carries a secret.
"""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
REFUSED = 3
WAITING = 4
FOUND = 5
INTERRUPTED = 130


class InterlockError(Exception):
    """Something failed, and we know what it was.

    Attributes:
        hint: the next command to type, or the words to write instead; empty where there are none.
    """

    exit_code = FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(InterlockError):
    """A command, a stack file or a plugin is wrong as it is written; nothing was changed."""

    exit_code = USAGE


class StackError(UsageError):
    """The stack file has mistakes.

    Attributes:
        problems: every mistake found, one line each, with file and key.
    """

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class UnsetError(StackError):
    """The environment lacks variables of the stack file, and nothing else is wrong."""


class PluginLoadError(UsageError):
    """A plugin that the stack names cannot be loaded."""


class HookFailed(InterlockError):  # noqa: N818  (read as a sentence)
    """A plugin failed in a hook.

    Attributes:
        plugin: its name and version.
        hook: the hook it was asked.
    """

    def __init__(self, message: str, *, plugin: str, hook: str, hint: str = "") -> None:
        super().__init__(f"plugin {plugin}, hook {hook}: {message}", hint=hint)
        self.plugin = plugin
        self.hook = hook


class GateRefused(InterlockError):  # noqa: N818  (read as a sentence)
    """A gate stays shut."""

    exit_code = REFUSED


class ApprovalNeeded(InterlockError):  # noqa: N818  (read as a sentence)
    """A person has to decide first."""

    exit_code = WAITING


class LedgerError(InterlockError):
    """The ledger cannot be read or written, or its version does not fit."""


class Tampered(LedgerError):  # noqa: N818  (read as a sentence)
    """The ledger or an artifact is not what was recorded."""


class ArtifactError(InterlockError):
    """An artifact is missing or its bytes are others."""


class StoreFailed(ArtifactError):  # noqa: N818  (read as a sentence)
    """The artifact store does not answer, or lets nobody in: nothing is known of what it holds."""
