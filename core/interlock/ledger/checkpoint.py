"""Where a ledger stands, kept outside it: what a chain alone cannot show, this shows.

A chain shows edits, gaps and reorderings. That its tail was cut, that an older copy was put in its
place, or that it was written anew from end to end shows only against a digest kept elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from interlock.errors import LedgerError, Tampered
from interlock.ledger.canonical import canonical, timestamp

if TYPE_CHECKING:
    from interlock.ledger.store import Ledger

_VERSION = 1


@attrs.frozen(kw_only=True)
class Head:
    """Where one project's chain stands: the last event's sequence and digest."""

    sequence: int
    digest: str


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Where a ledger stood.

    Attributes:
        ledger: its id.
        at: when, UTC.
        heads: by project.
        verified: whether its signature was checked against a public key.
    """

    ledger: str
    at: str
    heads: Mapping[str, Head]
    verified: bool = False


def head(ledger: Ledger) -> Checkpoint:
    """Where a ledger stands now."""
    from sqlalchemy import select

    from interlock.ledger.tables import heads

    rows = ledger.reads.rows(select(heads).order_by(heads.c.project))
    return Checkpoint(
        ledger=ledger.id,
        at=timestamp(datetime.now(UTC)),
        heads={
            row["project"]: Head(sequence=row["sequence"], digest=row["digest"]) for row in rows
        },
    )


def write_checkpoint(
    ledger: Ledger, path: Path, private_key: Path | bytes | None = None
) -> Checkpoint:
    """Write where a ledger stands now to a file, whole or not at all.

    Args:
        ledger: opened.
        path: of the file, which is replaced.
        private_key: Ed25519 in PEM, unencrypted, or its file; signs the checkpoint.

    Raises:
        LedgerError: the key is none, or the file cannot be written.
    """
    stands = head(ledger)
    content: dict[str, Any] = {
        "version": _VERSION,
        "ledger": stands.ledger,
        "at": stands.at,
        "heads": {name: attrs.asdict(one) for name, one in stands.heads.items()},
    }
    if private_key is not None:
        content["signature"] = _sign(content, _pem(private_key))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            stream.write(canonical(content) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        raise LedgerError(f"the checkpoint {path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return stands


def read_checkpoint(path: Path, public_key: Path | bytes | None = None) -> Checkpoint:
    """A checkpoint from its file.

    Args:
        path: of the file.
        public_key: Ed25519 in PEM, or its file; with one, the signature must be there and right.

    Raises:
        Tampered: the signature is missing or wrong.
        LedgerError: the file cannot be read, or is no checkpoint.
    """
    try:
        content = orjson.loads(path.read_bytes())
        if content["version"] != _VERSION:
            raise LedgerError(
                f"{path} is a checkpoint of version {content['version']}, this Interlock reads "
                f"{_VERSION}"
            )
        heads = {
            str(name): Head(sequence=int(one["sequence"]), digest=str(one["digest"]))
            for name, one in content["heads"].items()
        }
        stood = Checkpoint(ledger=str(content["ledger"]), at=str(content["at"]), heads=heads)
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            f"{path} is no checkpoint", hint="interlock audit head prints what one holds"
        ) from error
    if public_key is None:
        return stood
    _check(path, content, _pem(public_key))
    return attrs.evolve(stood, verified=True)


def _pem(key: Path | bytes) -> bytes:
    if isinstance(key, bytes):
        return key
    try:
        return key.read_bytes()
    except OSError as error:
        msg = f"the key {key} cannot be read: {error.strerror}"
        raise LedgerError(msg, hint="INTERLOCK_SIGNING_KEY, or --key, names its file") from error


def _sign(content: Mapping[str, Any], pem: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError) as error:
        raise LedgerError("the key is no unencrypted private key in PEM", hint=_MAKE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise LedgerError("the key is no Ed25519 key", hint=_MAKE)
    return key.sign(canonical(content)).hex()


def _check(path: Path, content: Mapping[str, Any], pem: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise LedgerError("the key is no public key in PEM", hint=_MAKE) from error
    if not isinstance(key, Ed25519PublicKey):
        raise LedgerError("the key is no Ed25519 key", hint=_MAKE)
    signed = {name: value for name, value in content.items() if name != "signature"}
    if "signature" not in content:
        raise Tampered(f"{path} is not signed, and a key was given to check it with")
    try:
        key.verify(bytes.fromhex(str(content["signature"])), canonical(signed))
    except (InvalidSignature, ValueError) as error:
        raise Tampered(f"{path} is not signed by this key, or was changed after") from error


_MAKE = "openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout"
