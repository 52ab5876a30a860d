"""``models reconcile``: where the registry and the ledger disagree."""

from __future__ import annotations

import click

from interlock.cli.following import following
from interlock.cli.options import Chosen, json_option, stack_options

_TOLD = {
    "alias": "moved by hand",
    "deleted": "gone from the registry",
    "added": "unknown to the ledger",
}


@click.command()
@click.option("--mend", is_flag=True, help="Make the registry say what the ledger says.")
@json_option
@stack_options
def reconcile(chosen: Chosen, *, mend: bool, as_json: bool) -> int:
    """Compare the registry with the ledger: an alias moved by hand, versions deleted or added.

    With --mend the alias goes back and deleted versions are registered again, under their next
    number; a version that somebody added is left alone. Exits with 1 where they disagree, and
    something is left.
    """
    import attrs

    from interlock.cli.render import digest, print_rows
    from interlock.errors import DONE, FAILED
    from interlock.lifecycle import reconcile as work

    session = chosen.reading()
    found = work.find_differences(session)
    # Versions first: an alias may have to go back to one that is gone.
    for difference in sorted(found, key=lambda item: item.what != work.DELETED):
        if mend and difference.mendable:
            work.mend(session, difference)
    rows = [
        {**attrs.asdict(difference), "mended": mend and difference.mendable} for difference in found
    ]
    columns = [
        ("what", lambda row: row["what"]),
        ("which", lambda row: row["subject"]),
        ("ledger", lambda row: row["ledger"] or None),
        ("registry", lambda row: row["registry"] or None),
        ("model", lambda row: digest(row["model"])),
        ("so", lambda row: "mended" if row["mended"] else _TOLD[row["what"]]),
    ]
    print_rows(rows, columns, as_json=as_json, empty="The registry and the ledger agree.")
    if any(row["what"] != "added" and not row["mended"] for row in rows) and not as_json:
        following("interlock models reconcile --mend")
    return DONE if all(row["mended"] for row in rows) else FAILED
