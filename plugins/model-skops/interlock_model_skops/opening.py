"""From a file's bytes to a checked object, and from an object to a file's bytes."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from interlock_hookspecs import InvalidInput, Unsupported

#: Held while a file is read or written. numpy reads the header of an array with
#: ``ast.literal_eval``, and until CPython 3.11.8 and 3.12.2 two threads in it at once may both be
#: told "AST constructor recursion depth mismatch" (gh-106905): a sound file would look malformed.
_ONE_AT_A_TIME = threading.Lock()


def read_file(path: Path, max_bytes: int) -> bytes:
    """A file's bytes.

    Raises:
        InvalidInput: it has more than ``max_bytes``; none was read.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise InvalidInput(f"it has {size} bytes, more than max_bytes = {max_bytes}")
    return path.read_bytes()


def load_checked(data: bytes, *, allow: Iterable[str], max_bytes: int) -> Any:
    """Build the object that a skops file holds, after and before every guard.

    Raises:
        InvalidInput: the file was refused; the message says by what.
    """
    # Imported out here, so that a library that is missing is not held against the file.
    import sklearn.ensemble  # noqa: F401  (only to have it)

    from interlock_model_skops.allowed import allowed_types
    from interlock_model_skops.archive import check_archive
    from interlock_model_skops.checks import check_model
    from interlock_model_skops.library import import_skops

    import_skops()
    allowed = allowed_types(allow)
    try:
        with _ONE_AT_A_TIME:
            held = check_archive(data, allowed, max_bytes)
            # skops goes through its list for every node: of the allowed types, those there are.
            fitted = _load(data, sorted(held))
        check_model(fitted)
    except InvalidInput:
        raise
    except Exception as error:
        # Whatever a crafted file provokes, in zipfile, json, numpy, skops or scikit-learn, is the
        # file's fault. The message is the type: the text may repeat what the file says.
        raise InvalidInput(f"it is malformed ({type(error).__name__})") from error
    return fitted


def _load(data: bytes, trusted: list[str]) -> Any:
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings():
        # The plugin compares versions itself, once a model and not once a tree.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return skops.io.loads(data, trusted=trusted)


def dump_checked(fitted: Any, *, allow: Iterable[str], max_bytes: int) -> bytes:
    """The canonical file of a fitted object.

    Raises:
        Unsupported: it holds a type that would not be opened again, or `memory`.
    """
    from interlock_model_skops.allowed import allowed_types
    from interlock_model_skops.archive import check_archive
    from interlock_model_skops.canonical import canonical
    from interlock_model_skops.checks import reachable, refuse_memory
    from interlock_model_skops.library import import_skops

    import_skops()
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        for part in reachable(fitted):
            refuse_memory(part)
        with _ONE_AT_A_TIME:
            data = canonical(skops.io.dumps(fitted))
            check_archive(data, allowed_types(allow), max_bytes)
    except (InvalidInput, UnsupportedTypeException) as error:
        raise Unsupported(f"{type(fitted).__name__} cannot be written as skops: {error}") from error
    return data
