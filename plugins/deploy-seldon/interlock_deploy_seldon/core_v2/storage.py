"""Models where the cluster reads them: uploaded once for each digest, and read back before use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_deploy_seldon.core_v2.formats import Layout, layout
from interlock_deploy_seldon.core_v2.manifests import Stored
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_hookspecs import InvalidInput, Model, PluginError, Unavailable

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace

_CHUNK = 1 << 20
_DIGEST = 24


def store(model: Model, options: CoreV2, ws: Workspace) -> Stored:
    """Put a model where the cluster reads it, unless it lies there whole.

    A folder is of one content: its name is taken from the digests of its files. Beside it lies a
    list of them, written last, once everything was read back; without it the upload begins anew.

    Args:
        model: whose artifact the workspace locates.
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
    digests = {name: _digest_of(content) for name, content in sorted(found.files.items())}
    listing = json.dumps(digests, indent=1, sort_keys=True).encode()
    folder = f"{model.format}-{hashlib.sha256(listing).hexdigest()[:_DIGEST]}"
    _upload(found, digests, listing, folder, options)
    return Stored(uri=f"{options.read_from}/{folder}", requirement=found.requirement)


def _upload(
    found: Layout, digests: Mapping[str, str], listing: bytes, folder: str, options: CoreV2
) -> None:
    files, root = _opened(options)
    place, told = f"{root}/{folder}", f"{root}/{folder}.json"

    def upload() -> None:
        if _is_there(files, place, told, found, listing):
            return
        for name, content in found.files.items():
            path = f"{place}/{name}"
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with files.open(path, "wb") as file:
                for chunk in _chunks(content):
                    file.write(chunk)
            with files.open(path, "rb") as file:
                back = _digest(iter(lambda: file.read(_CHUNK), b""))
            if back != digests[name]:
                msg = f"{folder}/{name} was read back from the store with other bytes"
                raise Unavailable(msg)
        files.pipe_file(told, listing)

    _asked(upload, f"{folder} was not stored")


def _is_there(files: Any, place: str, told: str, found: Layout, listing: bytes) -> bool:
    """Whether a folder was stored whole, and its files have their sizes still."""
    if not files.exists(told) or files.cat_file(told) != listing:
        return False
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
