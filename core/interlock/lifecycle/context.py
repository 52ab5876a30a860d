"""What the stages of one run hand on to each other."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, encode
from interlock.errors import GateRefused, HookFailed, UsageError
from interlock.ids import short
from interlock_hookspecs import (
    Candidate,
    Check,
    Dataset,
    Deployment,
    Model,
    ModelVersion,
    Profile,
    Release,
    Task,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.ledger import Entry
    from interlock.session import Session

_CONCERNS_SHOWN = 3

_OUTPUTS: Mapping[str, Any] = {
    "dataset": Dataset,
    "data_checks": tuple[Check, ...],
    "candidate": Candidate,
    "checks": tuple[Check, ...],
    "profiles": tuple[Profile, ...],
    "packaged": Model,
    "version": ModelVersion,
    "release": Release,
    "deployment": Deployment,
}


@attrs.frozen(kw_only=True)
class Result:
    """What a stage gives.

    Attributes:
        outputs: JSON values by name, restored from the ledger when the stage is not run again.
        entries: the events to write together with the stage's end.
        text: one line for a person.
        anew: whether it made, or changed, anything that was not so before.
    """

    outputs: Mapping[str, Any]
    entries: tuple[Entry, ...] = ()
    text: str = ""
    anew: bool = True


class Context:
    """A run under way.

    Args:
        session: the opened stack.
        run_id: the run.
        workspace: for its hooks.
        code: the digest of the project's files.
        origin: where the run was promoted from; None where it began here.
        described: the dataset, where it was looked at already.
        insists: whether a release that went back here is to be deployed all the same.
    """

    def __init__(
        self,
        session: Session,
        run_id: str,
        workspace: CoreWorkspace,
        *,
        code: str,
        origin: Mapping[str, Any] | None = None,
        described: Dataset | None = None,
        insists: bool = False,
    ) -> None:
        self.session = session
        self.run_id = run_id
        self.workspace = workspace
        self.code = code
        self.origin = origin
        self.described = described
        self.insists = insists
        self.outputs: dict[str, Any] = {}

    @property
    def task(self) -> Task:
        """The task of the stack file."""
        return self.session.task

    @property
    def asked(self) -> Any:
        """The task as JSON values, without the place of its rows: where they lie is no input."""
        return encode(attrs.evolve(self.task, dataset="-"))

    @property
    def source(self) -> str:
        """Where the rows are, as the stack file says it from the project's folder."""
        if self.origin is not None:
            return str(self.origin["source"])
        root, source = self.session.stack.root, self.task.dataset
        if "://" in source or not Path(source).is_relative_to(root):
            return source
        return Path(source).relative_to(root).as_posix()

    def restore(self, outputs: Mapping[str, Any]) -> None:
        """Take the outputs of a stage."""
        self.outputs.update(outputs)
        for name in outputs:
            self.__dict__.pop(name, None)

    def has(self, name: str) -> bool:
        """Whether a stage of this run gave an output."""
        return self.outputs.get(name) is not None

    def __getattr__(self, name: str) -> Any:
        if name not in _OUTPUTS:
            raise AttributeError(name)
        if not self.has(name):
            msg = f"this run has no {name} yet"
            raise UsageError(msg, hint="run the stages before it: interlock run")
        value = decode(_OUTPUTS[name], self.outputs[name])
        self.__dict__[name] = value
        return value

    @functools.cached_property
    def rows(self) -> pa.Table:
        """All rows of the dataset, from its artifact."""
        return read_rows(self.session, self.dataset)

    @functools.cached_property
    def _sides(self) -> tuple[pa.Table, pa.Table]:
        from interlock.lifecycle.split import split_rows, uneven

        sides = split_rows(self.rows, self.task, self.session.project)
        if said := uneven(sides[1], self.rows.num_rows, self.task):
            self.session.reporter.warn(said)
        return sides

    @property
    def training(self) -> pa.Table:
        """The rows to fit on."""
        return self._sides[0]

    @property
    def heldout(self) -> pa.Table:
        """The rows that no model of this project has been fitted on."""
        return self._sides[1]


def measured(context: Context, hook: str, **arguments: Any) -> tuple[Check, ...]:
    """The checks of every plugin that implements a hook.

    Raises:
        GateRefused: one of them failed, hung or gave no checks: what it would have found nobody
            knows, so the gate stays shut.
    """
    try:
        checks: tuple[Check, ...] = context.session.funnel.every(hook, **arguments)
    except HookFailed as error:
        again = f"interlock run --resume {short(context.run_id)}"
        hint = f"{error.hint}; then {again}" if error.hint else f"mend it, then {again}"
        raise GateRefused(str(error), hint=hint) from error
    return checks


def warn_of_concerns(context: Context, checks: tuple[Check, ...]) -> None:
    """Tell of what the makers of checks find worth a look, the first few of it."""
    concerns = [f"{check.key}: {check.concern}" for check in checks if check.concern]
    for concern in concerns[:_CONCERNS_SHOWN]:
        context.session.reporter.warn(concern)
    more = len(concerns) - _CONCERNS_SHOWN
    if more > 0:
        run = short(context.run_id)
        context.session.reporter.warn(f"{more} more concerns: interlock show {run} --concerns")


def read_rows(session: Session, dataset: Dataset) -> pa.Table:
    """The rows of a dataset that was kept, its digest checked."""
    import pyarrow.parquet as pq

    if dataset.artifact is None:
        msg = f"{dataset.source} was never kept: it has no artifact"
        raise UsageError(msg)
    # It is one file; read_table would scan it as a dataset, which takes twice as long.
    with session.store.located(dataset.artifact) as path, pq.ParquetFile(path) as file:
        return file.read()
