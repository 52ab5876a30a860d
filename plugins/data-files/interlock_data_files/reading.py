"""How files are read, whatever their format, and what is said where one cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from interlock_hookspecs import InvalidInput, NotFound, Unavailable


class Reading(NamedTuple):
    """How files are read, from the plugin's settings, secrets revealed."""

    format: str
    delimiter: str
    null_values: tuple[str, ...]
    batch_rows: int
    storage: Mapping[str, Any]


@contextmanager
def reading(name: str, format_: str) -> Iterator[None]:
    """What goes wrong while a file is read, as errors that name the file and no value in it."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        msg = f"{name}: nothing is there"
        raise NotFound(msg) from None
    except PermissionError:
        msg = f"{name}: this account may not read it"
        raise Unavailable(msg) from None
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        said = "empty" if _is_empty(name) else "truncated, damaged or in another format"
        msg = f"{name} cannot be read as {format_}: it is {said} ({type(error).__name__})"
        raise InvalidInput(msg) from None


def _is_empty(name: str) -> bool:
    path = Path(name)
    return path.is_file() and path.stat().st_size == 0
