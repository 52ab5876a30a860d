"""An ONNX file behind guards: what it may hold, and how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlock_hookspecs import InvalidInput
from interlock_model_onnx.wire import check_model


def read_checked(path: Path, max_bytes: int) -> bytes:
    """The bytes of a model file that may be run.

    Raises:
        InvalidInput: it is too large, no ONNX model, keeps tensors in other files, or holds an
            operator that is not allowed.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise InvalidInput(f"it has {size} bytes, over the limit of {max_bytes}")
    raw = path.read_bytes()
    check_model(raw)
    return raw


def session_of(model: bytes) -> Any:
    """A runtime over a model: one thread, for requests are what runs in parallel."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def checked_session(model: bytes) -> Any:
    """A runtime over a model of a file.

    Raises:
        InvalidInput: the runtime does not take it.
    """
    try:
        return session_of(model)
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise InvalidInput(f"ONNX Runtime refuses it: {lines[0] if lines else error!r}") from error
