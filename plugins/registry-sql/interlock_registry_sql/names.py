"""Names and numbers: what a database can store, and the lock that makes numbers distinct."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import select

from interlock_hookspecs import InvalidInput, Misfit
from interlock_registry_sql.schema import names

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST = {"name": 500, "alias": 100, "id": 200}
"""Characters. PostgreSQL indexes keys of up to 2,700 bytes; a character takes up to four."""

_GREATEST = 2**63 - 1
_SHOWN = 40


def is_storable(text: str) -> bool:
    """Whether both databases store a text: SQLite and PostgreSQL take UTF-8 without NUL."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def unfit(text: str, what: str) -> str:
    """Why a name, alias or id cannot be stored as it is; empty where it can."""
    if not text or len(text) > LONGEST[what]:
        return f"has {len(text)} characters: expected 1 to {LONGEST[what]}"
    if not is_storable(text):
        return "holds a character that no database stores: leave it out"
    return ""


def storable(text: str, what: str) -> None:
    """Refuse a name, alias or id that cannot be stored as it is.

    Raises:
        InvalidInput: it is empty, too long, or holds a NUL or half a surrogate pair.
    """
    why = unfit(text, what)
    if why:
        msg = f"the {what} {_short(text)!r} {why}"
        raise InvalidInput(msg)


def misfits(text: str, what: str) -> Iterator[Misfit]:
    """The same, said before."""
    why = unfit(text, what)
    if why:
        label = what if what != "alias" else f"alias {_short(text)!r}"
        yield Misfit(what=label, reason=f"it {why}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def as_number(text: str) -> int | None:
    """A version's number from the text that names it, or None where it is not one we gave.

    >>> as_number("3"), as_number("03"), as_number("three"), as_number("9" * 30)
    (3, None, None, None)
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_GREATEST))):
        return None
    number = int(text)
    return number if str(number) == text and number <= _GREATEST else None


def lock(connection: Connection, name: str) -> int | None:
    """Hold a name until the transaction ends, and give its next number; None of an unknown name.

    On SQLite the transaction holds the whole file already, and FOR UPDATE is not written.
    """
    return connection.scalar(select(names.c.next).where(names.c.name == name).with_for_update())


def lock_or_make(connection: Connection, name: str) -> int:
    """Hold a name, made where it is new, and give its next number."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # same methods
    connection.execute(insert(names).values(name=name, next=1).on_conflict_do_nothing())
    number = lock(connection, name)
    assert number is not None  # noqa: S101  (inserted above, and names are never deleted)
    return number
