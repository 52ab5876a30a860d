"""Models made elsewhere: brought into a run as a candidate that has everything still before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock.errors import UsageError
from interlock_hookspecs import (
    Candidate,
    InvalidInput,
    Model,
    PluginError,
    file_digest,
    signature_for,
)
from interlock_hookspecs.values import texts

if TYPE_CHECKING:
    from interlock.lifecycle.context import Context
    from interlock.session import Session

_SCHEME = re.compile(r"[a-z][a-z0-9-]+:(?!//)")
_PICKLES = frozenset({"pkl", "pickle", "joblib", "cloudpickle", "dill"})
_TRIED = 20  # rows that a model must answer before anything is recorded of it


@attrs.frozen(kw_only=True)
class Source:
    """What is brought, as the start of a run records it.

    Attributes:
        source: a file's path, from the project's folder where it lies in it, or ``WORD:REST`` for
            the plugin that knows the word.
        format: of a file: the word of the plugin that opens it; empty for a plugin's source.
        inputs: the features in the order that the model takes them; empty for what the plugin
            that brings it knows, or the task's.
        digest: of a file's bytes when the run began.
    """

    source: str
    format: str = ""
    inputs: tuple[str, ...] = attrs.field(default=(), converter=texts)
    digest: str = ""


def read_source(text: str, root: Path, *, format: str = "", inputs: tuple[str, ...] = ()) -> Source:  # noqa: A002  (the record's own word)
    """What a person typed: a file that is there, or a source for a plugin.

    Raises:
        UsageError: there is no such file, it is a pickle, or its format is not known.
    """
    if _SCHEME.match(text) and not Path(text).exists():
        if format:
            msg = f"--format is of a file, and {text} is brought by a plugin that knows its format"
            raise UsageError(msg, hint=f"interlock models import {text}")
        return Source(source=text, inputs=inputs)
    path = Path(text).absolute()
    if not path.is_file():
        msg = f"there is no file {text}"
        raise UsageError(msg, hint="interlock models import PATH, or WORD:NAME for a registry's")
    kind = format or path.suffix.removeprefix(".")
    if kind in _PICKLES:
        msg = f"{path.name} is a pickle: opening it would run whatever it holds"
        raise UsageError(msg, hint="write the model as skops or ONNX where it was made")
    if not kind:
        msg = f"{path.name} does not say its format"
        raise UsageError(msg, hint="add --format, for example --format skops")
    inside = path.is_relative_to(root)
    said = path.relative_to(root).as_posix() if inside else str(path)
    return Source(source=said, format=kind, inputs=inputs, digest=file_digest(path))


def refuse_unknown(session: Session, source: Source) -> None:
    """Refuse what nobody here can bring or open, before a run is recorded.

    Raises:
        UsageError: no plugin of that format is installed, or nobody in the stack brings models.
    """
    if source.format:
        session.funnel.member(f"model-{source.format}")
    elif not session.funnel.has("import_candidate"):
        msg = f"no plugin of this stack implements import_candidate: nobody brings {source.source}"
        raise UsageError(msg, hint="name one that does in the stack file, or give a file")


def imported(context: Context) -> Source | None:
    """What a run brings instead of training; None where it trains."""
    run = context.session.ledger.reads.run(context.run_id)
    said: Mapping[str, Any] | None = run["body"].get("imported") if run else None
    return Source(**said) if said else None


def inputs_of(context: Context, source: Source) -> Mapping[str, Any]:
    """What decides which candidate comes of a source: a file's bytes, or the run that asks."""
    if not source.format:
        return {"run": context.run_id, "source": source.source, "inputs": list(source.inputs)}
    return {"model": source.digest, "format": source.format, "inputs": list(source.inputs)}


def bring(context: Context, source: Source) -> Candidate:
    """The candidate, opened and tried on a few training rows.

    Raises:
        UsageError: nobody in the stack brings this source, or the model is none of this task.
        HookFailed: it cannot be opened, by its plugin's guards or for another reason.
    """
    if source.format:
        return _of_file(context, source)
    session = context.session
    candidate: Candidate = session.funnel.first(
        "import_candidate",
        source=source.source,
        inputs=source.inputs,
        rows=context.training,
        task=context.task,
        ws=context.workspace,
    )
    if candidate.origin == "trained":
        msg = f"plugin {candidate.maker} says of {source.source} that it was trained here"
        raise UsageError(msg, hint="an imported candidate has the origin imported or external")
    _try(context, candidate.model)
    return candidate


def _of_file(context: Context, source: Source) -> Candidate:
    path, ws = context.session.stack.root / source.source, context.workspace
    if not path.is_file() or file_digest(path) != source.digest:
        msg = f"{source.source} is not there any more as it was when this run began"
        raise UsageError(msg, hint="put it back, or interlock models import it anew")
    try:
        signature = signature_for(context.training, context.task, source.inputs)
    except PluginError as error:
        raise UsageError(str(error)) from error
    model = Model(format=source.format, artifact=ws.keep(path), signature=signature)
    _try(context, model)
    return Candidate(
        model=model,
        estimator=path.name,
        origin="external",
        facts={"source": path.name, "lineage": "unknown"},
    )


def _try(context: Context, model: Model) -> None:
    """Open a model, and let it answer rows of the task, before anything is said of it."""
    predictor = context.workspace.open_model(model)
    rows = context.training.slice(0, _TRIED)
    hint = "--input NAME, once for each column, says what it takes and in which order"
    try:
        answers = predictor.predict(rows)
    except InvalidInput as error:
        msg = f"{model.artifact.name} does not take this task's rows: {error}"
        raise UsageError(msg, hint=hint) from error
    except Exception as error:
        # Its words may quote a value of a row.
        msg = f"{model.artifact.name} does not take this task's rows: {type(error).__name__}"
        raise UsageError(msg, hint=hint) from error
    wanted = [field.name for field in model.signature.outputs]
    if answers.column_names != wanted or answers.num_rows != rows.num_rows:
        msg = f"{model.artifact.name} answers {answers.column_names}, not {wanted}"
        raise UsageError(msg)
