"""What goes wrong between two processes, and how an exception crosses from one to the other."""

from __future__ import annotations

import builtins
import traceback
from typing import Any

import interlock_hookspecs
from interlock_hookspecs import Conflict, PluginError

_PLAIN = (str, int, float, bool, type(None))
_LONGEST = 20_000
"""Characters of a traceback or a message that cross; its end is what tells."""


class WorkerFailed(Exception):  # noqa: N818  (read as a sentence)
    """A worker cannot be started, crashed, or gave no answer.

    Attributes:
        hint: what to do about it, in one line; empty where the message says it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class WorkerEnded(WorkerFailed):
    """The worker's process is gone; what it was asked may be asked again."""


class LineLost(Exception):  # noqa: N818  (read as a sentence)
    """The other end of a line is gone. Never what a plugin raised: that crosses as itself."""


class LineLate(Exception):  # noqa: N818  (read as a sentence)
    """Nothing came over a line in time."""


class RemoteError(Exception):
    """An exception of a class that this process does not know; a subclass carries its name."""


class RemoteExit(BaseException):
    """As `RemoteError`, of one that is no `Exception`: what handles errors is to let it by."""


def error_text(error: BaseException) -> dict[str, Any]:
    """An exception as JSON values, with its traceback.

    One that came from the process which is told has its number there under ``yours``: it is that
    very exception, on its way back.
    """
    known = [cls.__name__ for cls in type(error).__mro__ if cls.__module__ == _CONTRACT]
    trace = "".join(traceback.format_exception(error))
    found: dict[str, Any] = {
        "type": type(error).__name__,
        "exits": not isinstance(error, Exception),
        "text": _said(error),
        "trace": trace[-_LONGEST:],
        "ours": type(error) is WorkerFailed,
        "contract": known[0] if isinstance(error, PluginError) else None,
    }
    if hasattr(error, _RAISED):
        found["yours"] = getattr(error, _RAISED)
    if isinstance(error, Conflict):
        found |= {"expected": error.expected, "found": error.found}
    if type(error).__module__ == "builtins" and all(type(arg) in _PLAIN for arg in error.args):
        found["args"] = list(error.args)
    return found


_CONTRACT = PluginError.__module__
_RAISED = "_interlock_raised"


def _said(error: BaseException) -> str:
    try:
        return str(error)[-_LONGEST:]
    except Exception as another:  # noqa: BLE001  (a plugin's __str__ may raise anything)
        return f"(its message cannot be read: {type(another).__name__})"


def error_from(found: dict[str, Any], where: str) -> BaseException:
    """The exception again: of the contract and of the builtins as itself.

    Args:
        found: what `error_text` gave, and the number of the exception there under ``raised``.
        where: whose traceback is noted on it, for a person who asked for tracebacks.
    """
    error = _rebuilt(found)
    setattr(error, _RAISED, found["raised"])
    error.add_note(f"{where}:\n{found['trace'].rstrip()}")
    return error


def _rebuilt(found: dict[str, Any]) -> BaseException:
    text = found["text"]
    if found["contract"] == "Conflict":
        return Conflict(text, expected=found["expected"], found=found["found"])
    if found["ours"]:
        return WorkerFailed(text)
    if found["contract"]:
        kind: type[PluginError] = getattr(interlock_hookspecs, found["contract"], PluginError)
        return kind(text)
    known = getattr(builtins, found["type"], None)
    if "args" in found and isinstance(known, type) and issubclass(known, Exception | SystemExit):
        try:
            made = known(*found["args"])
        except Exception:  # noqa: BLE001  (not every builtin is made of its own arguments)
            made = None
        if isinstance(made, BaseException):
            return made
    base = RemoteExit if found["exits"] else RemoteError
    unknown: type[BaseException] = type(found["type"], (base,), {})
    return unknown(text)
