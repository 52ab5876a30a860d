"""Training: the candidate, and the hook that fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.data import Task
from interlock_hookspecs.model import Model
from interlock_hookspecs.rules import first, one
from interlock_hookspecs.values import (
    Facts,
    all_of,
    as_facts,
    as_tuple,
    count,
    finite,
    is_a,
    named,
    one_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.artifacts import Workspace

ORIGINS = ("trained", "imported", "external")


def _folds(value: object) -> tuple[float, ...]:
    return tuple(value)  # type: ignore[arg-type]  # an iterable, else tuple() says so


@attrs.frozen(kw_only=True)
class Score:
    """A cross-validation score on the training rows.

    Attributes:
        name: the metric, for example ``roc_auc``.
        folds: its value on each fold, in order.

    >>> Score(name="roc_auc", folds=(0.75, 0.5)).mean
    0.625
    """

    name: str = attrs.field(validator=named)
    folds: tuple[float, ...] = attrs.field(converter=_folds, validator=all_of(float))

    @property
    def mean(self) -> float:
        """The mean over the folds."""
        return sum(self.folds) / len(self.folds)


@attrs.frozen(kw_only=True)
class Candidate:
    """A fitted model that nobody has judged yet.

    Attributes:
        model: the file and its signature.
        estimator: what was fitted, by its full name.
        parameters: the estimator's parameters that differ from its defaults.
        rows: how many rows it was fitted on.
        scores: cross-validation on the training rows; empty where there was none.
        seed: what made randomness repeatable.
        origin: ``trained`` here, ``imported`` from a registry, or ``external``: made elsewhere, or
            by a program of which nobody here knows what it does.
        facts: library versions, threads, anything else worth keeping.

    >>> from interlock_hookspecs import Artifact, Signature
    >>> model = Model(format="skops", signature=Signature(kind="binary", inputs=(), outputs=()),
    ...               artifact=Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops"))
    >>> Candidate(model=model, estimator="sklearn.tree.DecisionTreeClassifier", rows=10).origin
    'trained'
    """

    model: Model = attrs.field(validator=is_a(Model))
    estimator: str = attrs.field(validator=named)
    parameters: Facts = attrs.field(factory=Facts, converter=as_facts)
    rows: int | None = attrs.field(default=None, validator=count)
    scores: tuple[Score, ...] = attrs.field(default=(), converter=as_tuple, validator=all_of(Score))
    seed: int | None = attrs.field(default=None, validator=finite)
    origin: str = attrs.field(default="trained", validator=one_of(*ORIGINS))
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))


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
