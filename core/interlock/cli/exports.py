"""``models export``: a released model in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.cli import completing
from interlock.cli.options import Chosen, json_option, stack_options


@click.command("export")
@click.argument("release", metavar="[RELEASE]", required=False, shell_complete=completing.releases)
@click.option("--as", "word", metavar="FORMAT", required=True, help="The format: edge, onnx, ...")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to; it must not exist.",
)
@json_option
@stack_options
def export(chosen: Chosen, *, release: str | None, word: str, folder: Path, as_json: bool) -> int:
    """Lay out RELEASE, or what is live, in another format, for where Interlock does not reach.

    The converted model is compared with the released one on the held-out rows first; where a label
    differs nothing is written. The folder has its checksums and the release's record.
    """
    from interlock.cli.render import print_json
    from interlock.cli.report import TerminalReporter
    from interlock.ids import short
    from interlock.lifecycle.export import export_release

    with TerminalReporter() as reporter:
        made = export_release(chosen.reading(reporter), release, word, folder)
    if as_json:
        told = {"release": made.release.id, "format": word, "model": made.model.digest}
        checks = {check.label: check.value for check in made.checks}
        print_json({**told, "folder": str(made.folder), "files": made.files, "checks": checks})
        return 0
    apart = ", ".join(f"{check.label} {check.value:.3g}" for check in made.checks)
    click.echo(f"{short(made.release.id)} as {word} is in {made.folder}: {', '.join(made.files)}")
    click.echo(f"on {made.checks[0].n:,} held-out rows: {apart}", err=True)
    return 0
