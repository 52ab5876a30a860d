"""Training by a command of the user's own: it is given rows, and what it writes is a candidate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Candidate,
    Task,
    Workspace,
    hookimpl,
    plugin,
    project_files,
    project_root,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CommandTrainer"]

PLACES = ("rows", "task", "output", "scratch", "python")
"""What ``{NAME}`` in an argument stands for: a path of this fit, or the Python of Interlock."""


def _a_command(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not value or not all(value):
        raise ValueError(f"{attribute.name}: expected a program and its arguments, none empty")
    for argument in value:
        found = re.fullmatch(r"\{(\w+)\}", argument)
        if found and found[1] not in PLACES:
            known = ", ".join(f"{{{name}}}" for name in PLACES)
            raise ValueError(f"{attribute.name}: {argument} is none of {known}")


def _no_names_of_ours(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    for name in value:
        if not name or "=" in name:
            raise ValueError(f"{attribute.name}: expected names of variables, without values")


@plugin(contract="1.0", kinds=("binary", "multiclass", "regression"))
class CommandTrainer:
    """Runs a command that fits a model to the training rows and writes it to a folder."""

    command: tuple[str, ...] = setting(
        doc="the program and its arguments, run in the project's folder and by no shell; {rows}, "
        "{task}, {output}, {scratch} are paths of the fit, {python} is the Python of Interlock",
        validator=_a_command,
    )
    format: str = setting("skops", doc="the word of the format of the model that it writes")
    seconds: float = setting(
        3600.0,
        doc="seconds after which the command, and whatever it started, is ended",
        validator=attrs.validators.gt(0),
    )
    inherit: tuple[str, ...] = setting(
        (),
        doc="names of variables of Interlock's environment that the command gets too; it gets "
        "none but PATH, the language and the numbers of threads otherwise",
        validator=_no_names_of_ours,
    )
    files: tuple[str, ...] = setting(
        (),
        doc="files of the project that the command reads beside those among its arguments: a "
        "change in one of them trains again",
    )
    root: Path = project_root()

    @hookimpl
    def fit_candidate(self, rows: pa.Table, task: Task, ws: Workspace) -> Candidate:
        from interlock_train_command.adopting import adopt, full_name
        from interlock_train_command.giving import give, signature_of
        from interlock_train_command.process import run
        from interlock_train_command.taking import take

        signature = signature_of(rows, task)
        files = project_files((*self.command, *self.files), self.root)
        scratch = ws.scratch()
        places = give(rows, task, signature, scratch)
        name = next(iter(files), self.command[0])
        ws.progress(f"running {name} on {rows.num_rows} rows")
        run(
            self.command,
            places,
            root=self.root,
            seconds=self.seconds,
            inherit=self.inherit,
            log=ws.log,
        )
        written = take(places["output"])
        model, fitted = adopt(written.model, self.format, signature, rows, ws)
        return Candidate(
            model=model,
            estimator=full_name(fitted) if fitted is not None else Path(name).name,
            rows=rows.num_rows,
            scores=written.scores,
            origin="external",
            facts={
                **{f"file.{inner}": digest for inner, digest in files.items()},
                **written.facts,
            },
        )
