"""Blobs in a store elsewhere, through fsspec: an object store for a team."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interlock.artifacts.cache import Cache
from interlock.errors import ArtifactError, StoreFailed, Tampered
from interlock.processes import mark
from interlock_hookspecs import file_digest
from interlock_hookspecs.digests import PREFIX

_S3 = frozenset({"s3", "s3a"})
_WHOLE = _S3 | {"gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"}
"""Protocols whose objects appear when they are whole, and not before."""

_PART = 8 << 20  # bytes
_AT_ONCE = 4  # parts, each in memory: s3fs's own choice holds 500 MB
_MOST_PARTS = 10_000  # S3's limit for one object

_BRING_BACK = "bring the store back, then interlock run --resume goes on with a run"
_ALLOW = "the credentials in the environment must be allowed to list, read and write there"
_MEND = "make it, or mend artifacts in the stack file"


def _tries(protocol: str) -> dict[str, Any]:
    """How often S3 is asked again: by botocore, each time that s3fs asks again by itself.

    Both of them five times, at 15 s each, is seven minutes before a store that hangs is given up.
    """
    if protocol not in _S3 or "AWS_MAX_ATTEMPTS" in os.environ:
        return {}
    return {"config_kwargs": {"retries": {"total_max_attempts": 2}}}


class FsspecBlobs:
    """Blobs in a store that fsspec knows; what was read or written is kept in a folder here, too.

    Args:
        url: for example ``s3://bucket/prefix``.
        cache: the folder, with its bound.
    """

    def __init__(self, url: str, cache: Cache) -> None:
        import fsspec

        self._protocol = url.partition("://")[0]
        try:
            self._fs, self._prefix = fsspec.core.url_to_fs(
                # A listing that is remembered does not know what others store.
                url,
                use_listings_cache=False,
                **_tries(self._protocol),
            )
        except (ImportError, ValueError) as error:
            msg = f"artifacts: no file system for {self._protocol}:// ({error})"
            hint = 'pip install "interlock-core[s3]"' if self._protocol in _S3 else ""
            raise ArtifactError(msg, hint=hint) from error
        except OSError as error:
            # Some connect here. The address may hold a password, so it is not shown.
            msg = f"artifacts: {self._protocol}:// cannot be reached: {error.strerror}"
            raise StoreFailed(msg, hint=_BRING_BACK) from error
        self._cache = cache

    def has(self, name: str) -> bool:
        with self._reached():
            return bool(self._fs.exists(self._key(name)))

    def put(self, name: str, source: Path) -> None:
        with self._reached():
            self._upload(source, self._key(name))
        # What was made here is mostly read here next.
        self._cache.add(name, source)
        self._cache.let_go(name)

    def local(self, name: str) -> Path:
        with contextlib.suppress(FileNotFoundError):
            return self._cache.hold(name)
        with self._fetched(name) as fetched:
            if file_digest(fetched) != PREFIX + name:
                # Not kept: the cache would hold on to it after the store was mended.
                msg = f"artifacts: the bytes under {name[:12]} in {self._prefix} are others"
                raise Tampered(msg, hint="restore the artifact from a backup")
            return self._cache.add(name, fetched)

    def let_go(self, name: str) -> None:
        self._cache.let_go(name)

    def digest(self, name: str) -> str:
        with self._fetched(name) as fetched:
            return file_digest(fetched)

    def forget(self, name: str) -> None:
        self._cache.remove(name)

    def scratch(self) -> Path:
        return self._cache.scratch()

    def sweep(self) -> None:
        # What lies half written in the store itself is the store's own rule of expiry to remove.
        self._cache.sweep()

    def remove(self, name: str) -> None:
        self._cache.remove(name)
        if self.has(name):
            with self._reached():
                self._fs.rm(self._key(name))

    def _upload(self, source: Path, key: str) -> None:
        if self._protocol in _WHOLE:
            # One request, or a multipart upload that shows nothing before its end: no name to
            # give twice, and no copy to leave behind.
            self._fs.put_file(str(source), key, **self._parts(source.stat().st_size))
            return
        self._fs.makedirs(key.rpartition("/")[0], exist_ok=True)
        temporary = f"{key}.{uuid.uuid4().hex}.tmp"
        try:
            self._fs.put_file(str(source), temporary)
            self._fs.mv(temporary, key)
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    @contextlib.contextmanager
    def _fetched(self, name: str) -> Iterator[Path]:
        """What the store holds, in a file that is gone afterwards."""
        if not self.has(name):
            self._refuse_no_bucket()
            raise FileNotFoundError(name)
        fetched = self.scratch() / f"{mark()}.{uuid.uuid4().hex}"
        try:
            with self._reached():
                self._fs.get_file(self._key(name), str(fetched), **self._parts(0))
            yield fetched
        finally:
            fetched.unlink(missing_ok=True)

    def _refuse_no_bucket(self) -> None:
        if self._protocol in _S3:
            with self._reached():
                if not self._fs.exists(self._prefix.partition("/")[0]):
                    raise FileNotFoundError

    def _parts(self, size: int) -> dict[str, Any]:
        """How S3 is given a file of a size, or gives one, so that little of it is in memory."""
        if self._protocol not in _S3:
            return {}
        return {
            "chunksize": max(_PART, -(-size // _MOST_PARTS)),
            "max_concurrency": _AT_ONCE,
        }

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Say of what a file system raises that the store failed: each has errors of its own."""
        try:
            yield
        except Exception as error:
            said, hint = self._said(error)
            raise StoreFailed(f"artifacts: {self._prefix} {said}", hint=hint) from error

    def _said(self, error: Exception) -> tuple[str, str]:
        """What happened, and what to do; never the address, which the environment may have."""
        if isinstance(error, PermissionError):
            return "may not be used: access is denied", _ALLOW
        if self._protocol in _S3:
            from botocore import exceptions

            if isinstance(error, FileNotFoundError):
                return "cannot be used: there is no such bucket", _MEND
            if isinstance(
                error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError
            ):
                return "may not be used: the environment has no credentials", _ALLOW
            if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
                return "cannot be used now: the store does not answer", _BRING_BACK
        said = str(error).partition("\n")[0] or type(error).__name__
        return f"cannot be used now: {said}", _BRING_BACK

    def _key(self, name: str) -> str:
        return f"{self._prefix}/sha256/{name[:2]}/{name}"
