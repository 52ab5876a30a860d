"""Training: the hooks that fit a candidate, or bring one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import first, one

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.candidates import Candidate
    from interlock_hookspecs.tasks import Task
    from interlock_hookspecs.workspace import Workspace


@one("train")
def fit_candidate(rows: pa.Table, task: Task, ws: Workspace) -> Candidate:
    """Fit a model to the training rows.

    Asked: the only plugin of the stack that implements it.

    Core has split the data: the held-out rows are not among ``rows``. The same rows, task,
    settings, library versions and kind of CPU give the same model digest.

    Args:
        rows: the training rows, with every column of the dataset; ``task.features`` says which
            are features.
        task: what to predict.
        ws: writes the model (``ws.write_model``) and shows progress.

    Raises:
        InvalidInput: the rows or the settings cannot be fitted; the message names the column.

    Example:
        >>> class MeanTrainer:
        ...     @hookimpl
        ...     def fit_candidate(self, rows, task, ws):
        ...         import pyarrow.compute as pc
        ...         mean = pc.mean(rows[task.target]).as_py()
        ...         outputs = (Field(name="prediction", type="double"),)
        ...         signature = Signature(kind=task.kind, inputs=(), outputs=outputs)
        ...         model = ws.write_model("mean", mean, signature)
        ...         return Candidate(model=model, estimator="mean", rows=len(rows))
        >>> MeanTrainer().fit_candidate.__name__
        'fit_candidate'
    """


@first("train", required=False)
def import_candidate(
    source: str, inputs: tuple[str, ...], rows: pa.Table, task: Task, ws: Workspace
) -> Candidate | None:
    """Bring a model that was made elsewhere, as a candidate, or answer None for another's source.

    Asked: plugins in stack order, until one answers something other than None.

    The candidate goes through the same stages as one that was trained here. A file needs no hook:
    core takes it, and asks the plugin of its format to open it.

    Args:
        source: ``WORD:REST``, for example ``mlflow:employment@champion``.
        inputs: the features in the order that the model takes them, as a person typed them;
            empty for what the model itself says, or the task's.
        rows: the training rows; `signature_for` makes the task's signature of them.
        task: what the model is to predict.
        ws: keeps the model's bytes and opens it.

    Returns:
        A candidate of the origin ``imported`` or ``external``, never ``trained``; what is not
        known of how it was made is not said.

    Raises:
        NotFound: there is no such model.
        Unsupported: it is of a format that the stack does not open, as a pickle is.
        Unavailable: where it lies cannot be reached.

    Example:
        >>> class Shelf:
        ...     @hookimpl
        ...     def import_candidate(self, source, inputs, rows, task, ws):
        ...         word, _, name = source.partition(":")
        ...         if word != "shelf":
        ...             return None
        ...         raise NotFound(f"the shelf has no {name}")
        >>> Shelf().import_candidate("mlflow:employment", (), None, None, None)
    """
