"""The links of a chain: what makes one event the next of another, and its stored bytes its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from interlock.ledger.canonical import canonical
from interlock.ledger.projections import Happened

Wrong = tuple[str, str, Any, Any]
"""Table, column, what was found, what was expected."""

_COPIED = ("project", "sequence", "id", "kind", "at", "subject", "run", "key_id")


@attrs.frozen(kw_only=True)
class Tombstone:
    """What an event ``payload.erased`` says of another's payload."""

    at: str
    reason: str


class Chain:
    """A chain, checked link by link.

    Args:
        first: what stands for the digest before the first event.
        erased: the tombstones that events say there are, by the id of the erased event.
    """

    def __init__(self, first: str, erased: Mapping[str, Tombstone]) -> None:
        self.sequence = 0
        self.digest = first
        self._erased = erased
        self._actors: dict[str, tuple[str, str]] = {}

    def take(self, row: tuple[Any, ...]) -> tuple[list[Wrong], Happened | None, bool]:
        """Check the next event of the table and its payload.

        Returns:
            What is wrong with it, the event as its header tells it, and whether its payload was
            erased. The event is None where the header cannot be read.
        """
        columns, payload = row[:12], row[12:]
        project, sequence, identifier, kind, at, actor, subject, run, header, digest = columns[:10]
        signature, key_id = columns[10:]
        wrong: list[Wrong] = []
        before, self.sequence = self.sequence, sequence
        if type(sequence) is not int or sequence != before + 1:
            wrong.append(("events", "sequence", sequence, _next(before)))
            self.sequence = sequence if type(sequence) is int else _next(before)
        said = _object(header)
        if said is None:
            return [*wrong, ("events", "header", "no header", "a header")], None, False
        now = "sha256:" + hashlib.sha256(header).hexdigest()
        if digest != now:
            wrong.append(("events", "digest", digest, now))
        if said.get("previous") != self.digest:
            wrong.append(("events", "header", said.get("previous"), self.digest))
        self.digest = now
        found = (project, sequence, identifier, kind, at, subject, run, key_id)
        told = tuple(map(said.get, _COPIED))
        if found != told:
            wrong += [
                ("events", name, there, here)
                for name, there, here in zip(_COPIED, found, told, strict=True)
                if there != here
            ]
        text, name = self._actor(said.get("actor"))
        if actor != text:
            wrong.append(("events", "actor", actor, text))
        if signature is not None and said.get("key_id") is None:
            wrong.append(("events", "signature", "a signature", None))
        body, erased = self._payload(payload, said, wrong)
        event = Happened(
            said.get("kind", ""), said.get("at", ""), name, said.get("subject", ""),
            said.get("run"), body,
        )  # fmt: skip
        return wrong, event, erased

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
        now = "sha256:" + hashlib.sha256(salt + body).hexdigest()
        if now != said.get("payload"):
            wrong.append(("payloads", "body", now, said.get("payload")))
        return _object(body) or {}, False

    def _actor(self, actor: Any) -> tuple[str, str]:
        """The text of the column, and the name in it. A few people do all that happens."""
        if not isinstance(actor, dict):
            return "", ""
        subject = str(actor.get("subject", ""))
        known = self._actors.get(subject)
        if known is None or orjson.loads(known[0]) != actor:
            known = self._actors[subject] = (canonical(actor).decode(), subject)
        return known


def _next(sequence: int) -> int:
    return sequence + 1


def _object(data: Any) -> dict[str, Any] | None:
    if not isinstance(data, bytes):
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
