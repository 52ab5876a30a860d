"""What each release of a project answers about some rows, asked of its model without any server.

``python load_expected.py STACK_FILE ROWS`` prints, by release, a mapping of outputs for each row.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pyarrow as pa


def main() -> None:
    """Open every release and print what it says."""
    from interlock.codec import decode
    from interlock.ids import new_id
    from interlock.lifecycle.releases import served_model
    from interlock.session import Session
    from interlock.stack import load_stack
    from interlock_hookspecs import Release, decide

    file, asked = (Path(word).absolute() for word in sys.argv[1:])
    rows = pa.Table.from_pylist(orjson.loads(asked.read_bytes()))
    session = Session(load_stack(file.parent, file=file))
    said = {}
    with session.workspace(new_id("load")) as workspace:
        for row in session.ledger.reads.releases(session.project, limit=None):
            release = decode(Release, row["body"])
            predictor = workspace.open_model(served_model(session, release))
            try:
                scores = predictor.predict(rows)
            except RuntimeError:
                continue  # it is the one that answers nothing
            said[release.id] = decide(scores, predictor.signature, release.threshold).to_pylist()
    sys.stdout.buffer.write(orjson.dumps(said))


if __name__ == "__main__":
    main()
