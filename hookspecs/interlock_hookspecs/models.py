"""Models: their signature, their file, and the predictor that opens it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

from interlock_hookspecs.artifacts import Artifact
from interlock_hookspecs.tasks import Field
from interlock_hookspecs.values import Facts, all_of, as_facts, as_tuple, is_a, named, texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Label = int | str | bool
"""A class of a target."""

SCORE = "score"
"""The output of a binary model: the probability of the positive class, 0 to 1."""

ORIGINS = ("trained", "imported", "external")
"""Where a model may come from: see `Candidate`."""

PREDICTION = "prediction"
"""The output that is the answer: a class, or a number for a regression."""


@attrs.frozen(kw_only=True)
class Signature:
    """What goes into a model and what comes out, by name.

    Attributes:
        kind: the task's kind.
        inputs: the features, in the order the model was fitted with.
        outputs: the columns that `Predictor.predict` gives, in order: ``score`` for ``binary``,
            ``score[CLASS]`` for each class of a ``multiclass``, ``prediction`` for a
            ``regression``.
        classes: the target's values, sorted; empty for a regression.
        positive: the class that ``score`` is the probability of, for ``binary``.
        id: a column accepted beside the features, captured and not scored.
        time: likewise, the event's time.

    >>> Signature(kind="regression", inputs=(Field(name="x", type="double"),),
    ...           outputs=(Field(name="prediction", type="double"),)).classes
    ()
    """

    kind: str = attrs.field(validator=named)
    inputs: tuple[Field, ...] = attrs.field(converter=as_tuple, validator=all_of(Field))
    outputs: tuple[Field, ...] = attrs.field(converter=as_tuple, validator=all_of(Field))
    classes: tuple[Label, ...] = attrs.field(default=(), converter=as_tuple)
    positive: Label | None = None
    id: Field | None = attrs.field(default=None, validator=is_a((Field, type(None))))
    time: Field | None = attrs.field(default=None, validator=is_a((Field, type(None))))


def score_columns(signature: Signature) -> tuple[str, ...]:
    """The names of a classifier's probability outputs, in the order of its classes.

    >>> signature = Signature(kind="multiclass", inputs=(), outputs=(), classes=("a", "b"))
    >>> score_columns(signature)
    ('score[a]', 'score[b]')
    """
    if signature.kind == "binary":
        return (SCORE,)
    return tuple(f"{SCORE}[{label}]" for label in signature.classes)


def decide(predictions: pa.Table, signature: Signature, threshold: float) -> pa.Table:
    """Predictions with the answer beside the scores, in a column ``prediction``.

    Binary: the positive class from the threshold on, the other below. Multiclass: the class of
    the largest score, the first of equals. A table that has the column already is given back.

    Args:
        predictions: what `Predictor.predict` gave, n rows.
        signature: of the model that gave it.
        threshold: the release's, 0 to 1; only ``binary`` reads it.

    >>> import pyarrow as pa
    >>> signature = Signature(kind="binary", inputs=(), outputs=(), classes=(0, 1), positive=1)
    >>> decide(pa.table({"score": [0.2, 0.5]}), signature, 0.5)["prediction"].to_pylist()
    [0, 1]
    """
    import numpy as np
    import pyarrow as pa

    if PREDICTION in predictions.column_names:
        return predictions
    columns = [predictions[name].to_numpy() for name in score_columns(signature)]
    labels = decide_numbers(np.column_stack(columns), signature, threshold)
    kind = pa.string() if labels.dtype == object else None
    return predictions.append_column(PREDICTION, pa.array(labels, kind))


def decide_numbers(scores: np.ndarray, signature: Signature, threshold: float) -> np.ndarray:
    """The answer to each row, as `decide` finds it: a class, or a regression's prediction.

    Args:
        scores: [n, outputs], what ``predict_numbers`` of a `Predictor` gave.
        signature: of the model that gave it.
        threshold: the release's, 0 to 1; only ``binary`` reads it.

    Returns:
        [n]; texts as objects.

    >>> import numpy as np
    >>> signature = Signature(kind="binary", inputs=(), outputs=(), classes=(0, 1), positive=1)
    >>> decide_numbers(np.array([[0.2], [0.5]]), signature, 0.5)
    array([0, 1])
    """
    import numpy as np

    if not signature.classes:
        return scores[:, 0]
    classes = signature.classes
    if signature.kind == "binary":
        positive = classes.index(signature.positive)
        classes = classes if positive else classes[::-1]
        chosen = scores[:, 0] >= threshold
    else:
        chosen = np.argmax(scores, axis=1)
    labels: np.ndarray = _class_array(*classes).take(chosen)
    return labels


@lru_cache(maxsize=64, typed=True)  # typed: 0 and 1 are no Booleans
def _class_array(*classes: Label) -> np.ndarray:
    import numpy as np

    return np.array(classes, object if isinstance(classes[0], str) else None)


@attrs.frozen(kw_only=True)
class Model:
    """A model file and what it takes to use it.

    Attributes:
        format: the word that names its opener, for example ``skops``.
        artifact: the file or folder. Its digest is the model's identity.
        signature: inputs and outputs.
        requirements: what must be installed to open it, as pip requirements.
        facts: anything else worth keeping: the estimator's class, the number of trees.

    >>> blob = Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops")
    >>> signature = Signature(kind="regression", inputs=(), outputs=())
    >>> Model(format="skops", artifact=blob, signature=signature).digest == blob.digest
    True
    """

    format: str = attrs.field(validator=named)
    artifact: Artifact = attrs.field(validator=is_a(Artifact))
    signature: Signature = attrs.field(validator=is_a(Signature))
    requirements: tuple[str, ...] = attrs.field(default=(), converter=texts)
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)

    @property
    def digest(self) -> str:
        """Which bytes this model is."""
        return self.artifact.digest


@runtime_checkable
class Predictor(Protocol):
    """An opened model. Safe to call from several threads at once.

    A predictor may have three more attributes. ``fitted``: the library's own object behind it, for
    a plugin that converts the model to another format. One that has none does not convert.
    ``prompt``: True where `predict` waits for nothing, and what it computes grows with the rows
    only, whatever their values. A server may score few rows of it between two requests; without
    the promise it keeps a thread for it, and gives one up that hangs. ``predict_numbers``: a
    method that spares the tables where all inputs are ``double``, and is called nowhere else. It
    takes float64 [n, inputs] in the signature's order, NaN where a value is missing, n at least 1,
    and gives float64 [n, outputs]: what `predict` says of the same rows, to the bit, and the same
    errors.
    """

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    def predict(self, rows: pa.Table) -> pa.Table:
        """Score rows.

        Args:
            rows: at least the columns of ``signature.inputs``, in any order; others are ignored.

        Returns:
            As many rows in the same order, with exactly the columns of ``signature.outputs``.

        Raises:
            InvalidInput: a column is missing or of a type that cannot be read as the declared.
        """
