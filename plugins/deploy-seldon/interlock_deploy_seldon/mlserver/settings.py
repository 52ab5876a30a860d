"""The settings of the target ``mlserver``: of our server, and of the MLServer behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

import interlock_serving
from interlock_hookspecs import project_root, setting


def _url(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        address = urlsplit(value)
        fits = not value or (address.scheme in ("http", "https") and bool(address.hostname))
        fits = fits and (address.port is None or not value.endswith(":"))
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f'{attribute.name}: expected an address like "http://127.0.0.1:8080"')


@attrs.define(eq=False, kw_only=True)
class MLServerSettings(interlock_serving.ServerSettings):
    """What the target may be told; the plugin's class inherits them."""

    mlserver: str = setting(
        "mlserver",
        doc="the MLServer to start: a command on PATH, or a path from the project's folder",
    )
    parallel_workers: int = setting(
        0,
        doc="processes in which MLServer scores; 0 for its own",
        validator=attrs.validators.ge(0),
    )
    python_path: tuple[Path, ...] = setting(
        (), doc="folders where MLServer's Python finds modules, for estimators of your own"
    )
    inherit: tuple[str, ...] = setting(
        (), doc="names of variables of Interlock's environment that MLServer gets too"
    )
    start_seconds: float = setting(
        60.0, doc="seconds for MLServer to start", validator=attrs.validators.gt(0)
    )
    load_seconds: float = setting(
        60.0, doc="seconds for MLServer to load a model", validator=attrs.validators.gt(0)
    )
    url: str = setting(
        "", doc="address of an MLServer that runs already, to join instead", validator=_url
    )
    repository: Path | None = setting(
        None, doc="with url: the folder of that MLServer's models, which is written to"
    )
    root: Path = project_root()
