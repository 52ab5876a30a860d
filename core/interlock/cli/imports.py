"""``models import``: a model made elsewhere, taken through the same gates."""

from __future__ import annotations

import click

from interlock.cli.options import Chosen, json_option, stack_options
from interlock.cli.report import TerminalReporter
from interlock.cli.run import STAGES, report


@click.command("import")
@click.argument("source", metavar="SOURCE")
@click.option("--format", "model_format", metavar="WORD", help="A file's format: skops, onnx, ...")
@click.option(
    "--input",
    "inputs",
    metavar="NAME",
    multiple=True,
    help="A column that the model takes; again for each, in its order. Default: the features.",
)
@click.option("--until", type=click.Choice(STAGES[1:]), default=None, help="The last stage to do.")
@json_option
@stack_options
def import_model(
    chosen: Chosen,
    *,
    source: str,
    model_format: str | None,
    inputs: tuple[str, ...],
    until: str | None,
    as_json: bool,
) -> int:
    """Begin a run with a model that was made elsewhere, instead of training one.

    SOURCE is a file, or WORD:REST for a plugin of the stack that brings such models. The model is
    validated, reviewed and registered as any other; that nobody here knows how it was made is
    recorded, shown on its card, and may be refused by [policy] origins.
    """
    from interlock.lifecycle.engine import start_run
    from interlock.lifecycle.imports import read_source

    with TerminalReporter() as reporter:
        session = chosen.session(reporter)
        brought = read_source(source, session.stack.root, format=model_format or "", inputs=inputs)
        end = start_run(session, until=until or "monitor", imported=brought)
    return report(end, as_json=as_json)
