"""From a file that a command wrote to a model that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import InvalidInput, Model, PluginError, Predictor, Signature, Workspace

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_TRIED = 1000  # training rows that the model is asked for


def adopt(
    path: Path,
    format: str,  # noqa: A002  (the contract's word)
    signature: Signature,
    rows: pa.Table,
    ws: Workspace,
) -> tuple[Model, Any]:
    """Open what was written, try it on training rows, and keep it in its format's own bytes.

    A format whose predictor shows the fitted object writes it anew: two files of one fit then
    have one digest, whatever time stands in them, and say what it takes to open them. Others are
    kept as they are.

    Returns:
        The model, and the fitted object, None where the format shows none.

    Raises:
        InvalidInput: it does not open, does not answer, or answers otherwise once it is written.
        Unsupported: the format does not hold it.
    """
    found = Model(format=format, artifact=ws.keep(path), signature=signature)
    predictor = _opened(found, ws)
    some = rows.slice(0, _TRIED)
    answers = _answers(predictor, some)
    fitted = getattr(predictor, "fitted", None)
    if fitted is None:
        return found, None
    model = ws.write_model(format, fitted, signature)
    if not _equal(answers, _answers(ws.open_model(model), some)):
        raise InvalidInput(f"the model answers otherwise once it is written as {format} anew")
    return model, fitted


def _opened(model: Model, ws: Workspace) -> Predictor:
    try:
        return ws.open_model(model)
    except PluginError:
        raise
    except Exception as error:
        # A program wrote it, of which nothing is known: the file is at fault until shown otherwise.
        raise InvalidInput(
            f"{model.artifact.name} does not open as {model.format} ({type(error).__name__})"
        ) from error


def full_name(fitted: Any) -> str:
    """The full name of what was fitted."""
    return f"{type(fitted).__module__}.{type(fitted).__qualname__}"


def _answers(predictor: Predictor, rows: pa.Table) -> np.ndarray:
    """Scores or predictions: a row a row, a column an output."""
    import numpy as np

    try:
        table = predictor.predict(rows)
    except PluginError:
        raise
    except Exception as error:
        # Its words may quote a value of a row.
        raise InvalidInput(
            f"the model does not answer the training rows ({type(error).__name__}): fit it to the "
            "features of {task}, in their order"
        ) from error
    wanted = [field.name for field in predictor.signature.outputs]
    if table.column_names != wanted or table.num_rows != rows.num_rows:
        raise InvalidInput(f"the model does not answer every row with {', '.join(wanted)}")
    found = np.column_stack([column.to_numpy().astype(np.float64) for column in table.columns])
    if not np.isfinite(found).all():
        raise InvalidInput("the model answers training rows with what is no finite number")
    return found


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    import numpy as np

    return bool(np.array_equal(one, other))
