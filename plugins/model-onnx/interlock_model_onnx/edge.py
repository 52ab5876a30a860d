"""The edge bundle: a folder that predicts where there are ONNX Runtime, numpy, and nothing else."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_hookspecs import InvalidInput, Signature

if TYPE_CHECKING:
    import pyarrow as pa

MODEL, QUANTISED, SCHEMA, RUNNER = "model.onnx", "model.int8.onnx", "schema.json", "run.py"


def write_bundle(
    folder: Path, raw: bytes, signature: Signature, columns: tuple[int, ...], rows: pa.Table | None
) -> None:
    """Write the files of a bundle: the model, its schema, a runner, and a quantised variant.

    Args:
        folder: empty, where they go.
        raw: the ONNX model.
        signature: of the model.
        columns: for each output of the signature, its column in what the model gives.
        rows: what the quantised variant is compared on; without them there is none.
    """
    from interlock_model_onnx.inputs import NULL
    from interlock_model_onnx.opening import session_of
    from interlock_model_onnx.quantising import quantised

    session = session_of(raw)
    small, said = quantised(raw, signature, columns, rows)
    schema = {
        "kind": signature.kind,
        "inputs": [
            {"name": field.name, "type": field.type, "input": each.name, "tensor": each.type}
            for field, each in zip(signature.inputs, session.get_inputs(), strict=True)
        ],
        "outputs": [
            {"name": field.name, "column": column}
            for field, column in zip(signature.outputs, columns, strict=True)
        ],
        "classes": list(signature.classes),
        "positive": signature.positive,
        "null": session.get_modelmeta().custom_metadata_map.get(NULL, ""),
        "quantised": {"file": QUANTISED if small else None, "why": said},
    }
    (folder / MODEL).write_bytes(raw)
    if small:
        (folder / QUANTISED).write_bytes(small)
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    (folder / SCHEMA).write_text(text, encoding="utf-8")
    (folder / RUNNER).write_bytes(_runner())


def check_runner(folder: Path) -> None:
    """Look whether a bundle's runner is ours: it is code, and goes where nobody reviews it.

    Raises:
        InvalidInput: it is another, or an older version's.
    """
    path = folder / RUNNER
    if not path.is_file() or path.read_bytes() != _runner():
        raise InvalidInput(
            f"the bundle's {RUNNER} is none that this version wrote: export it again"
        )


def _runner() -> bytes:
    return resources.files("interlock_model_onnx").joinpath("bundle", RUNNER).read_bytes()
