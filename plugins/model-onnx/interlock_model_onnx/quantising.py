"""A variant of a model with 8-bit weights, where it answers as the model does."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from interlock_hookspecs import PREDICTION, Signature, decide, score_columns

if TYPE_CHECKING:
    import pyarrow as pa

GAP = 0.01
"""How far a score, or a prediction relative to the largest, may be off: 8 bits keep two digits."""


def quantised(
    raw: bytes, signature: Signature, columns: tuple[int, ...], rows: pa.Table | None
) -> tuple[bytes | None, str]:
    """The variant, and what is to be said of it.

    Args:
        raw: the ONNX model.
        signature: of the model.
        columns: for each output of the signature, its column in what the model gives.
        rows: what both are compared on.

    Returns:
        None and the reason where no operator has an 8-bit form, there are no rows, a class differs
        (of a binary model at 0.5), or a score by more than `GAP`.
    """
    made = _with_8_bits(raw)
    if made is None:
        return None, "no operator of this model has an 8-bit form"
    if rows is None or not rows.num_rows:
        return None, "there were no rows to compare it on"
    answers, own = (_answers(model, signature, columns, rows) for model in (made, raw))
    gap, differing = _apart(answers, own, signature)
    said = f"{differing} of {rows.num_rows} classes differ, scores by up to {gap:.2g}"
    return (None if differing or gap > GAP else made), said


def _with_8_bits(raw: bytes) -> bytes | None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "whole.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(raw)
        # It advises on the root logger to prepare the model first, which helps convolutions.
        logging.disable(logging.WARNING)
        try:
            quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        finally:
            logging.disable(logging.NOTSET)
        made = target.read_bytes()
    before, after = (
        [node.op_type for node in onnx.load_model_from_string(data).graph.node]
        for data in (raw, made)
    )
    return made if after != before else None


def _answers(
    raw: bytes, signature: Signature, columns: tuple[int, ...], rows: pa.Table
) -> pa.Table:
    from interlock_model_onnx.opening import session_of
    from interlock_model_onnx.predictor import OnnxPredictor

    return OnnxPredictor(signature, session_of(raw), columns).predict(rows)


def _apart(answers: pa.Table, own: pa.Table, signature: Signature) -> tuple[float, int]:
    """The largest difference of a score, and how many rows are of another class."""
    import numpy as np
    import pyarrow.compute as pc

    if signature.kind == "regression":
        there, here = (table[PREDICTION].to_numpy() for table in (answers, own))
        return float(np.abs(there - here).max()) / max(1.0, float(np.abs(here).max())), 0
    gap = max(
        float(np.abs(answers[name].to_numpy() - own[name].to_numpy()).max())
        for name in score_columns(signature)
    )
    classes = [decide(table, signature, 0.5)[PREDICTION] for table in (answers, own)]
    return gap, pc.sum(pc.not_equal(*classes)).as_py()
