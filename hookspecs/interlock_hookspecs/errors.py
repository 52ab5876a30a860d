"""What a plugin raises so that core can tell a user what happened, and decide what to do next.

Any other exception is a fault of the plugin: core reports it with the plugin's name, its version
and the hook, and keeps the traceback for ``--debug``.
"""

from __future__ import annotations


class PluginError(Exception):
    """A failure that the plugin understands and explains in one or two lines.

    The message says what was found and what to write or do instead. It never carries a secret
    or a value of a data row.

    >>> raise PluginError("2015.csv has no column 'employed': set [task] target")
    Traceback (most recent call last):
    interlock_hookspecs.errors.PluginError: 2015.csv has no column 'employed': set [task] target
    """


class InvalidInput(PluginError):  # noqa: N818  (read as a sentence: raise InvalidInput("..."))
    """The data, the task or a setting does not fit; asking again changes nothing."""


class NotFound(PluginError):  # noqa: N818
    """The named thing does not exist in the backend."""


class Conflict(PluginError):  # noqa: N818
    """Somebody else changed it meanwhile.

    Attributes:
        expected: what the caller believed to be there.
        found: what is there.

    >>> error = Conflict("champion moved", expected="3", found="4")
    >>> error.expected, error.found
    ('3', '4')
    """

    def __init__(self, message: str, *, expected: str | None, found: str | None) -> None:
        super().__init__(message)
        self.expected = expected
        self.found = found


class Unavailable(PluginError):  # noqa: N818
    """The backend cannot be reached now; the same call may succeed later."""


class Unsupported(PluginError):  # noqa: N818
    """The backend cannot do what was asked, now or later."""
