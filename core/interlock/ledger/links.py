"""The links of a chain: what makes one event the next of another, and its stored bytes its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import attrs
from orjson import Fragment, JSONDecodeError, dumps, loads

from interlock.ledger.canonical import HEADER_VERSION, PREFIX, canonical
from interlock.ledger.projections import Happened

Wrong = tuple[str, str, Any, Any]
"""Table, column, what was found, what was expected."""

new_tuple = tuple.__new__

_COPIED = ("project", "sequence", "id", "kind", "at", "subject", "run", "key_id")


@attrs.frozen(kw_only=True)
class Tombstone:
    """What an event ``payload.erased`` says of another's payload."""

    at: str
    reason: str


class Chain:
    """A chain, checked link by link.

    Args:
        project: whose.
        first: what stands for the digest before the first event.
        erased: the tombstones that events say there are, by the id of the erased event.
    """

    def __init__(self, project: str, first: str, erased: Mapping[str, Tombstone]) -> None:
        self.sequence = 0
        self.digest = first
        self._project = project
        self._erased = erased
        self._actors: dict[str, tuple[Fragment, str]] = {}

    def take(self, rows: Sequence[tuple[Any, ...]]) -> list[Happened]:
        """The next events of the table, as far as they and their payloads are as they must be.

        Making the header again from the columns, the payload's digest and the digest before, and
        finding it byte for byte the one that is stored, proves all of them at once, and is faster
        than reading it to compare each.

        Returns:
            The events of the first rows. What is not as expected of the row after them `examine`
            says; then it goes on from there.
        """
        happened: list[Happened] = []
        previous, number, erased = self.digest, self.sequence, self._erased
        try:
            for (
                sequence, identifier, kind, at, actor, subject, run, header, digest, signature,
                key_id, event, salt, body, erased_at, reason,
            ) in rows:  # fmt: skip
                if (
                    sequence != number + 1
                    or event != identifier
                    or not (signature is key_id is erased_at is reason is None)
                    or identifier in erased
                ):
                    break
                fragment, name = self._actors.get(actor) or self._actor(actor)
                expected = dumps(
                    {
                        "actor": fragment,
                        "at": at,
                        "id": identifier,
                        "key_id": None,
                        "kind": kind,
                        "payload": f"{PREFIX}{sha256(salt + body).hexdigest()}",
                        "previous": previous,
                        "project": self._project,
                        "run": run,
                        "sequence": sequence,
                        "subject": subject,
                        "v": HEADER_VERSION,
                    }
                )
                if header != expected or digest != f"{PREFIX}{sha256(header).hexdigest()}":
                    break
                # What a NamedTuple's own constructor does, without the call in between.
                happened.append(new_tuple(Happened, (kind, at, name, subject, run, loads(body))))
                previous, number = digest, sequence
        except (KeyError, TypeError, ValueError):
            pass  # a value of another kind than its column's: the row is examined
        self.sequence, self.digest = number, previous
        return happened

    def _actor(self, text: str) -> tuple[Fragment, str]:
        """An actor as a part of a header, and the name; few actors write most events."""
        found = self._actors[text] = Fragment(text), loads(text)["subject"]
        return found

    def examine(self, row: tuple[Any, ...]) -> tuple[list[Wrong], Happened | None, bool]:
        """Find out what about a row is not as expected: nothing, perhaps, where it was erased.

        Returns:
            What is wrong with it, the event as its header tells it, and whether its payload was
            erased. The event is None where the header cannot be read.
        """
        columns, payload = row[:11], row[11:]
        sequence, identifier, kind, at, actor, subject, run, header, digest = columns[:9]
        signature, key_id = columns[9:]
        wrong: list[Wrong] = []
        before, self.sequence = self.sequence, sequence
        if type(sequence) is not int or sequence != before + 1:
            wrong.append(("events", "sequence", sequence, before + 1))
            self.sequence = sequence if type(sequence) is int else before + 1
        said = _object(header)
        if said is None:
            return [*wrong, ("events", "header", "no header", "a header")], None, False
        now = PREFIX + sha256(header).hexdigest()
        if digest != now:
            wrong.append(("events", "digest", digest, now))
        if said.get("previous") != self.digest:
            wrong.append(("events", "header", said.get("previous"), self.digest))
        self.digest = now
        found = (self._project, sequence, identifier, kind, at, subject, run, key_id)
        told = tuple(map(said.get, _COPIED))
        wrong += [
            ("events", name, there, here)
            for name, there, here in zip(_COPIED, found, told, strict=True)
            if there != here
        ]
        who = said.get("actor")
        if actor != canonical(who).decode():
            wrong.append(("events", "actor", actor, canonical(who).decode()))
        if signature is not None and said.get("key_id") is None:
            wrong.append(("events", "signature", "a signature", None))
        body, erased = self._payload(payload, said, wrong)
        name = str(who.get("subject", "")) if isinstance(who, dict) else ""
        texts = [str(said.get(key, "")) for key in ("kind", "at", "subject")]
        happened = Happened(texts[0], texts[1], name, texts[2], said.get("run"), body)
        return wrong, happened, erased

    def _payload(
        self, payload: tuple[Any, ...], said: dict[str, Any], wrong: list[Wrong]
    ) -> tuple[dict[str, Any], bool]:
        event, salt, body, erased_at, reason = payload
        if event != said.get("id"):
            what = "no such row" if event is None else event
            wrong.append(("payloads", "event", what, said.get("id")))
        tombstone = self._erased.get(said.get("id", ""))
        if tombstone is not None:
            expected = (None, None, tombstone.at, tombstone.reason)
            for name, there, here in zip(
                ("salt", "body", "erased_at", "reason"),
                (salt, body, erased_at, reason),
                expected,
                strict=True,
            ):
                if there != here:
                    wrong.append(("payloads", name, there, here))
            return {}, True
        if erased_at is not None or reason is not None:
            column = "reason" if erased_at is None else "erased_at"
            wrong.append(("payloads", column, "a tombstone", "none: no event tells of it"))
        if not isinstance(salt, bytes) or not isinstance(body, bytes):
            column = "body" if isinstance(salt, bytes) else "salt"
            wrong.append(("payloads", column, "no bytes", "bytes"))
            return {}, False
        now = PREFIX + sha256(salt + body).hexdigest()
        if now != said.get("payload"):
            wrong.append(("payloads", "body", now, said.get("payload")))
        return _object(body) or {}, False


def _object(data: Any) -> dict[str, Any] | None:
    if not isinstance(data, bytes):
        return None
    try:
        value = loads(data)
    except JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
