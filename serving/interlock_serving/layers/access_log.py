"""A line of JSON for each request, appended to a file that other workers may append to as well."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from interlock_hookspecs import Unavailable

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from interlock_serving.layers.observe import Observation, Observer

_PATH = 200


def access_log(file: Path, log: logging.Logger) -> Observer:
    """What writes a line a request.

    Neither query strings, nor headers, nor bodies are written: a key may stand in each.

    Args:
        file: appended to, and made where it is missing; readable by its owner.
        log: told once where the disk takes no more. Requests are answered all the same.

    Raises:
        Unavailable: the file cannot be opened.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"access_log {file}: {error.strerror}") from error
    failing = False

    def write(seen: Observation) -> None:
        nonlocal failing
        client = seen.scope.get("client")
        line = {
            "time": datetime.fromtimestamp(seen.began / 1e9, UTC).isoformat(),
            "request_id": seen.request_id,
            "method": seen.scope["method"],
            "path": seen.scope["path"][:_PATH],
            "status": seen.status,
            "seconds": round(seen.seconds, 6),
            "bytes": seen.size,
            "caller": seen.caller,
            "client": client[0] if client else "",
            "worker": os.getpid(),
        }
        if seen.code:
            line["grpc_code"] = seen.code
        try:
            # One write a line: lines of several processes do not mix.
            os.write(handle, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            if not failing:
                log.warning("the access log cannot be written: %s", error.strerror)
            failing = True
        else:
            failing = False

    return write
