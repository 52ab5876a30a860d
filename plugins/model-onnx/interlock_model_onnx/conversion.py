"""From a fitted estimator to the bytes of an ONNX model: equal estimators give equal bytes.

The model has an input for each of the signature's, named as it is, ``[n, 1]``: strings as strings,
numbers and Booleans as doubles for histogram boosting, which compares doubles, else as floats.
Null is NaN in a number, and in a string the text that the model's metadata calls ``null``.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from interlock_hookspecs import Signature, Unsupported, is_number
from interlock_model_onnx.boosting import ML_OPSET, OPERATOR, converters, is_boosting
from interlock_model_onnx.folding import folded
from interlock_model_onnx.inputs import NULL

OPSET = 21
SKL2ONNX_ML_OPSET = 3
_SLOW = frozenset({"Scaler"})
"""Operators that take longer for many rows than others that compute the same."""
_KINDS = ("binary", "multiclass", "regression")


def convert(fitted: Any, signature: Signature) -> bytes:
    """An ONNX model that computes what an estimator does.

    Args:
        fitted: a fitted scikit-learn estimator or pipeline over the signature's inputs.
        signature: its inputs and outputs.

    Raises:
        Unsupported: it does not convert; the message says which part, or which kind.
    """
    if signature.kind not in _KINDS:
        raise Unsupported(f"ONNX models serve {', '.join(_KINDS)}, not {signature.kind!r}")
    if signature.kind != "regression" and not hasattr(fitted, "predict_proba"):
        raise Unsupported(f"{type(fitted).__name__} gives no probabilities")
    try:
        made = _converted(fitted, signature)
        _try_session(made)
    except Unsupported:
        raise
    except Exception as error:
        name = type(last_step(fitted)).__name__
        raise Unsupported(f"{name} does not convert to ONNX: {_in_short(error)}") from error
    return made


def last_step(fitted: Any) -> Any:
    """The estimator that gives the answers: a pipeline's last step, or the object itself."""
    return fitted.steps[-1][1] if hasattr(fitted, "steps") else fitted


def _converted(fitted: Any, signature: Signature) -> bytes:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    # Other estimators convert to operators over floats; told of doubles, skl2onnx loops for ever
    # at the infinite thresholds of trees that were fitted with missing values.
    number = DoubleTensorType if is_boosting(last_step(fitted)) else FloatTensorType
    kinds = [number if is_number(field.type) else StringTensorType for field in signature.inputs]
    inputs = [
        (field.name, kind([None, 1])) for field, kind in zip(signature.inputs, kinds, strict=True)
    ]
    options = {"zipmap": False} if signature.kind != "regression" else None
    with _quietly():
        model = convert_sklearn(
            _over_columns(folded(fitted), len(inputs)),
            name="interlock",
            initial_types=inputs,
            target_opset={"": OPSET, "ai.onnx.ml": SKL2ONNX_ML_OPSET},
            options=options,
            black_op=_SLOW,
            **converters(),
        )
    # skl2onnx keeps the operator sets in a set: in an order of their own they are the same bytes.
    versions = {opset.domain: opset.version for opset in model.opset_import}
    if any(node.op_type == OPERATOR for node in model.graph.node):
        versions["ai.onnx.ml"] = ML_OPSET
    del model.opset_import[:]
    for domain, version in sorted(versions.items()):
        model.opset_import.add(domain=domain, version=version)
    entry = model.metadata_props.add()
    entry.key, entry.value = NULL, _null(fitted)
    # Which library wrote it is in the record beside it; here it would change the digest only.
    model.producer_name, model.producer_version, model.doc_string = "interlock", "", ""
    return bytes(model.SerializeToString(deterministic=True))


def _over_columns(fitted: Any, width: int) -> Any:
    """The same with a first step that takes column by column, as the inputs are given."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    steps = list(fitted.steps) if isinstance(fitted, Pipeline) else [("estimator", fitted)]
    if isinstance(steps[0][1], ColumnTransformer):
        return fitted
    gather = ColumnTransformer([("all", "passthrough", list(range(width)))])
    return Pipeline([("gather", gather.fit([[0.0] * width])), *steps])


def _null(fitted: Any) -> str:
    """A text that is no category of the estimator's: what an encoder does not know, as null."""
    known: set[Any] = set()
    steps = [fitted]
    while steps:
        step = steps.pop()
        for categories in getattr(step, "categories_", ()):
            known.update(categories.tolist())
        for parts in ("steps", "transformers_"):
            steps += [part[1] for part in getattr(step, parts, ())]
    null = ""
    while null in known:
        null += "\ufffd"
    return null


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without skl2onnx's chatter: what matters of it is raised or measured afterwards."""
    logger = logging.getLogger("skl2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _try_session(model: bytes) -> None:
    from interlock_model_onnx.opening import session_of

    session_of(model)


def _in_short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
