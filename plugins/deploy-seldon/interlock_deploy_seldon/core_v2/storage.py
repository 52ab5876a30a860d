"""Models where the cluster reads them: uploaded for one Model each, and read back before use.

A folder is of one Model, that of a release at an endpoint, in one cluster: its name has a part that
is drawn anew for each. So it is known who reads it, and when nobody does any more it goes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_deploy_seldon.core_v2.formats import Layout, layout
from interlock_deploy_seldon.core_v2.manifests import Stored
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_hookspecs import InvalidInput, Model, PluginError, Unavailable

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace

_CHUNK = 1 << 20
_DRAWN = 6
_OURS = re.compile(r"[a-z0-9-]+-[0-9a-f]{12}-[0-9a-f]{12}")
"""A Model's name, and what was drawn. Folders of a version before were of a content each, whoever
read it: they stay."""


def store(model: Model, name: str, before: str, options: CoreV2, ws: Workspace) -> Stored:
    """Put a model where the cluster reads it, unless it lies there whole.

    Beside its folder lies a list of the files' digests, written last, once everything was read
    back; without it the upload begins anew.

    Args:
        model: whose artifact the workspace locates.
        name: of its Model.
        before: where that Model reads it; empty where there is none.
        options: name the store.
        ws: locates the artifact.

    Raises:
        NotFound, InvalidInput: the artifact is gone or other, or no store is named.
        Unsupported: no server of Seldon Core loads the format.
        Unavailable: the store does not take it, or gives back something else.
    """
    if not options.storage:
        msg = (
            "the cluster has to read models from somewhere: say where, for example "
            'storage = "s3://models/seldon"'
        )
        raise InvalidInput(msg)
    found = layout(model, ws.locate(model.artifact))
    digests = {file: _digest_of(content) for file, content in sorted(found.files.items())}
    listing = json.dumps(digests, indent=1, sort_keys=True).encode()
    folder = _upload(found, digests, listing, name, _folder(before, options), options)
    return Stored(uri=f"{options.read_from}/{folder}", requirement=found.requirement)


def discard(uris: Collection[str], options: CoreV2) -> None:
    """Remove uploads that no Model reads any more, as far as the store lets us; others stay.

    Args:
        uris: as Models named them.
        options: name the store.
    """
    for folder in sorted(_folder(uri, options) for uri in uris):
        if not _OURS.fullmatch(folder):
            continue
        try:
            files, root = _opened(options)
            place = f"{root}/{folder}"
            _asked(functools.partial(_remove, files, place), f"{folder} was not removed")
        except PluginError as error:
            logging.getLogger("interlock.plugins").warning("an upload stays: %s", error)


def _remove(files: Any, place: str) -> None:
    # The list first: what is left of a removal that breaks off is not taken for whole.
    for path in (f"{place}.json", place):
        if files.exists(path):
            files.rm(path, recursive=True)


def _folder(uri: str, options: CoreV2) -> str:
    """The folder in the store that a Model names; empty where it is elsewhere."""
    folder = uri.removeprefix(f"{options.read_from}/")
    return "" if folder == uri or "/" in folder else folder


def _upload(
    found: Layout,
    digests: Mapping[str, str],
    listing: bytes,
    name: str,
    before: str,
    options: CoreV2,
) -> str:
    """Upload a model to the folder that its Model reads, or to a new one; gives which."""
    files, root = _opened(options)
    chosen = before

    def upload() -> None:
        nonlocal chosen
        listed = _listed(files, f"{root}/{before}") if before else None
        if listed == listing and _is_whole(files, f"{root}/{before}", found):
            return
        if listed != listing and (listed is not None or not _OURS.fullmatch(before)):
            chosen = f"{name}-{secrets.token_hex(_DRAWN)}"
        place = f"{root}/{chosen}"
        for part, content in found.files.items():
            path = f"{place}/{part}"
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with files.open(path, "wb") as file:
                for chunk in _chunks(content):
                    file.write(chunk)
            with files.open(path, "rb") as file:
                back = _digest(iter(lambda: file.read(_CHUNK), b""))
            if back != digests[part]:
                msg = f"{chosen}/{part} was read back from the store with other bytes"
                raise Unavailable(msg)
        files.pipe_file(f"{place}.json", listing)

    try:
        _asked(upload, f"the model of {name} was not stored")
    except PluginError:
        if chosen != before:
            discard([f"{options.read_from}/{chosen}"], options)
        raise
    return chosen


def _listed(files: Any, place: str) -> bytes | None:
    """The list beside a folder; None where it was never whole, or somebody has tidied up."""
    told = f"{place}.json"
    return bytes(files.cat_file(told)) if files.exists(told) else None


def _is_whole(files: Any, place: str, found: Layout) -> bool:
    """Whether the files of a folder that was stored whole have their sizes still."""
    return all(
        files.exists(f"{place}/{name}") and files.size(f"{place}/{name}") == _size(content)
        for name, content in found.files.items()
    )


def _opened(options: CoreV2) -> tuple[Any, str]:
    import fsspec

    address = options.storage
    if "://" not in address:
        address = (options.root / address).absolute().as_uri()
    try:
        # A store kept from before may have been opened with other credentials.
        files, root = fsspec.core.url_to_fs(
            address, use_listings_cache=False, skip_instance_cache=True
        )
    except ImportError as error:
        protocol = address.partition("://")[0]
        msg = f"storage: what reads {protocol}:// is not installed: {error}"
        raise InvalidInput(msg) from error
    except ValueError as error:
        raise InvalidInput(f"storage: {error}") from error
    return files, str(root).rstrip("/")


def _asked(act: Callable[[], None], what: str) -> None:
    try:
        act()
    except PluginError:
        raise
    except Exception as error:
        # Each kind of store has errors of its own; their texts may hold addresses and keys.
        msg = f"{what}: the store answered with {type(error).__name__}"
        raise Unavailable(msg) from error


def _digest_of(content: bytes | Path) -> str:
    return _digest(_chunks(content))


def _digest(chunks: Any) -> str:
    taken = hashlib.sha256()
    for chunk in chunks:
        taken.update(chunk)
    return taken.hexdigest()


def _chunks(content: bytes | Path) -> Any:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        yield from iter(lambda: file.read(_CHUNK), b"")


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
