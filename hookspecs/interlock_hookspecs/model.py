"""Models: the hooks of the plugin that owns a format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs.rules import owner

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.models import Model, Predictor, Signature
    from interlock_hookspecs.workspace import Workspace


@owner("model")
def write_model(format: str, fitted: Any, signature: Signature, ws: Workspace) -> Model:  # noqa: A002  (the field's own word)
    """Write a fitted object in the format that this plugin owns.

    Asked: the plugin that the first argument names.

    The bytes depend on the object's state only: equal states give equal digests, in whichever
    process they are written. Reached through ``ws.write_model``.

    Args:
        format: the plugin's word, for example ``skops``.
        fitted: the fitted object, for example a scikit-learn pipeline.
        signature: its inputs and outputs.
        ws: keeps the artifact.

    Raises:
        Unsupported: the object holds a type that the format does not write or would not open.

    Example:
        >>> class Mean:
        ...     @hookimpl
        ...     def write_model(self, format, fitted, signature, ws):
        ...         path = ws.scratch() / "model.txt"
        ...         path.write_text(repr(fitted))
        ...         return Model(format=format, artifact=ws.keep(path), signature=signature)
        >>> Mean().write_model.__name__
        'write_model'
    """


@owner("model")
def open_model(model: Model, ws: Workspace) -> Predictor:
    """Open a model of this plugin's format.

    Asked: the plugin that the first argument names.

    The bytes are checked against the model's digest before a single one is interpreted, and
    nothing in the file decides what code runs. Reached through ``ws.open_model``.

    Args:
        model: its format is this plugin's word.
        ws: locates the artifact.

    Raises:
        InvalidInput: the file is malformed, too large, or holds a type that is not allowed.

    Example:
        >>> class Mean:
        ...     @hookimpl
        ...     def open_model(self, model, ws):
        ...         return float(ws.locate(model.artifact).read_text())
        >>> Mean().open_model.__name__
        'open_model'
    """


@owner("model", required=False)
def package_model(
    format: str,  # noqa: A002  (the field's own word)
    model: Model,
    rows: pa.Table | None,
    ws: Workspace,
) -> Model:
    """Convert a model of another format to the one that this plugin owns.

    Asked: the plugin that the first argument names.

    Args:
        format: the target format, this plugin's word.
        model: the model to convert.
        rows: rows like those that it will be asked for, to calibrate with or to compare on; None
            where there are none at hand.
        ws: opens the one and keeps the other.

    Returns:
        A new model with the same signature.

    Raises:
        Unsupported: this model does not convert; the message says why.

    Example:
        >>> class Copy:
        ...     @hookimpl
        ...     def package_model(self, format, model, rows, ws):
        ...         kept = ws.keep(ws.locate(model.artifact))
        ...         return Model(format=format, artifact=kept, signature=model.signature)
        >>> Copy().package_model.__name__
        'package_model'
    """
